"""
Tests for :mod:`pbx.transport`.
"""
