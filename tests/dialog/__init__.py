"""
Tests for :mod:`pbx.dialog`.
"""
