"""
Tests for :mod:`pbx.transaction`: each table whole, playbooks in virtual time, and the layer over a lossy link.
"""
