"""
Secrets that the database keeps encrypted, and the key for them, which it never sees.

AES-256-GCM (NIST SP 800-38D), with the name of whose secret it is as associated data: a secret that is copied to
another row can't be read there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.logger import Logger

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
NONCE_BYTES = 12
LARGEST_FILE = 4096
"""Bytes of a key file that are looked at: a key is 44."""


class LostSecretError(Exception):
    """
    A secret that can't be read; its text says why, and what can be done.
    """


class SecretKey:
    """
    The key of an exchange's secrets, in a file beside the database.

    Each line of the file is a key in base64. The first encrypts; those behind it are older ones that still decrypt.

    Args:
        path: The file.

    Attributes:
        path: The file.
    """

    log = Logger()

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, AESGCM] = {}
        self._current: str | None = None

    def __repr__(self) -> str:
        return f"SecretKey({str(self.path)!r})"

    def load(self) -> None:
        """
        Read the key, or make one where there is none. One that can't be read is logged: what needs no secret works
        without it.
        """
        try:
            keys = self._read() if self.path.exists() else [self._made()]
        except (OSError, ValueError) as error:
            self.log.error(
                "The key of the secrets in the database can't be used: {path}: {error}. No password of a trunk that"
                " is kept there can be read; put the file back from a backup.", path=str(self.path), error=error,
            )
            return
        for key in keys:
            self._keys.setdefault(_identity(key), AESGCM(key))
        self._current = _identity(keys[0])

    def encrypt(self, secret: str, owner: str) -> str:
        """
        A secret as the database may see it.

        Args:
            secret: What nobody is to know.
            owner: Whose it is, such as ``trunk provider``.

        Raises:
            LostSecretError: There is no key.
        """
        if self._current is None:
            raise LostSecretError(f"there is no usable key in {self.path}")
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, secret.encode(), owner.encode())
        return f"{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, kept: str, owner: str) -> str:
        """
        The secret.

        Args:
            kept: What :meth:`encrypt` made of it.
            owner: Whose it is.

        Raises:
            LostSecretError: It was encrypted with a key that is not there, or for somebody else, or was changed.
        """
        identity, _, sealed = kept.partition(":")
        key = self._keys.get(identity)
        if key is None:
            have = ", ".join(self._keys) or "none"
            raise LostSecretError(f"it was encrypted with key {identity!r}, and {self.path} has {have}")
        try:
            raw = base64.b64decode(sealed, validate=True)
            return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], owner.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag):
            raise LostSecretError("what the database has of it was damaged, or belongs to another") from None

    def _read(self) -> list[bytes]:
        with self.path.open("rb") as file:
            lines = file.read(LARGEST_FILE).split()
            mode = os.fstat(file.fileno()).st_mode
        if mode & 0o077:
            self.log.warn("{path} can be read by others: chmod 600 {path}", path=str(self.path))
        try:
            keys = [base64.b64decode(line, validate=True) for line in lines]
        except binascii.Error:
            raise ValueError("it is no key") from None
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError("it is no key")
        return keys

    def _made(self) -> bytes:
        key = os.urandom(KEY_BYTES)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: half a key would be worse than none.
        half = self.path.with_name(self.path.name + ".new")
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        half.rename(self.path)
        return key


def _identity(key: bytes) -> str:
    return hashlib.sha256(b"pbx secret key" + key).hexdigest()[:8]
