"""
Tests of :mod:`pbx.sdp`.
"""
