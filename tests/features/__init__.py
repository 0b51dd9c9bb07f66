"""
Tests of the features: each served through a visitor that remembers, without SIP, media or database.
"""
