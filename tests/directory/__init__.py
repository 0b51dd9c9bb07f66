"""
Tests of :mod:`pbx.directory`.
"""
