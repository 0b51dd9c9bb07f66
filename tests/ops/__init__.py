"""
Tests for :mod:`pbx.ops`.
"""
