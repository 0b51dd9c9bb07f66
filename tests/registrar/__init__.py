"""
Tests for :mod:`pbx.registrar`.
"""
