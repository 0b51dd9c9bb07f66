"""
Tests for :mod:`pbx.stun`.
"""
