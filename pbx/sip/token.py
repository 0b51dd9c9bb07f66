"""
Random text for tags, branches, Call-IDs and the like, which nobody can guess (RFC 3261 19.3, 8.1.1.7).
"""

from __future__ import annotations

from os import urandom

TAKEN = 4096
"""Bytes taken from the system at once: a call needs some hundred, a few at a time, each of them a system call."""


class Tokens:
    """
    A supply of random bytes of the system's, each given out once. Not for keys: those are never kept in store.
    """

    def __init__(self) -> None:
        self._store = b""
        self._place = 0

    def take(self, count: int) -> bytes:
        """
        So many random bytes, at most :data:`TAKEN`.
        """
        place = self._place
        end = self._place = place + count
        if end > len(self._store):
            self._store, place = urandom(TAKEN), 0
            end = self._place = count
        return self._store[place:end]

    def hex(self, count: int) -> str:
        """
        So many random bytes as hexadecimal digits, two each.
        """
        return self.take(count).hex()


_tokens = Tokens()

random_bytes = _tokens.take
"""So many random bytes, for what is no key."""

random_hex = _tokens.hex
"""So many random bytes as hexadecimal digits, two each, for what is no key."""
