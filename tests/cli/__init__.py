"""
Tests for :mod:`pbx.cli`.
"""
