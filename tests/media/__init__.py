"""
Tests for :mod:`pbx.media`.
"""
