"""
Tests of :mod:`pbx.store`; those that need a database use the bundled server (``case``).
"""
