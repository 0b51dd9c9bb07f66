"""
Tests for :mod:`pbx.web`.
"""
