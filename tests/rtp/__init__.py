"""
Tests for :mod:`pbx.rtp`.
"""
