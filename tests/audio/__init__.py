"""
Tests of :mod:`pbx.audio`.
"""
