"""
Tests of voicemail: served through a visitor that remembers, over mailboxes in memory.
"""
