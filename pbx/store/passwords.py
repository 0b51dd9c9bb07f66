"""
What is kept of a password a person typed: a slow hash for logins, and H(A1) for the phones' digests.

Hashing takes tens of milliseconds by design: run it in a thread.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pbx.sip.digest import ha1

ROUNDS = 600_000
"""Of PBKDF2-HMAC-SHA256 (OWASP's figure of 2023)."""
PBKDF2 = "pbkdf2-sha256"

_argon2 = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's first choice for argon2id: 19 MiB, two passes."""


def hash_of(password: str, *, fips: bool = False) -> str:
    """
    The slow hash of a password: argon2id, or in FIPS mode PBKDF2-HMAC-SHA256.
    """
    if not fips:
        return _argon2.hash(password)
    salt = secrets.token_bytes(16)
    return f"${PBKDF2}${ROUNDS}${_text(salt)}${_text(_pbkdf2(password, salt, ROUNDS))}"


def matches(password: str, kept: str) -> bool:
    """
    Whether this is the password a hash was made of; the hash names its own method.
    """
    if kept.startswith(f"${PBKDF2}$"):
        _, _, rounds, salt, digest = kept.split("$")
        made = _pbkdf2(password, base64.b64decode(salt), int(rounds))
        return hmac.compare_digest(made, base64.b64decode(digest))
    try:
        return _argon2.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def digests_of(number: str, realm: str, password: str, *, fips: bool = False) -> dict[str, str]:
    """
    H(A1) for each digest algorithm a phone may be offered (RFC 7616 3.4.2, RFC 8760); in FIPS mode without MD5.
    """
    algorithms = ("SHA-256",) if fips else ("MD5", "SHA-256")
    return {algorithm: ha1(number, realm, password, algorithm) for algorithm in algorithms}


def _pbkdf2(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
