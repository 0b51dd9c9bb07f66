"""
Tests for :mod:`pbx.calls`.
"""
