"""
Tests for :mod:`pbx.sip`.
"""
