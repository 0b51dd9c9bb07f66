"""
Tests for :mod:`pbx.features.conference`.
"""
