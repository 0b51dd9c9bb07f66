"""
Tests of :mod:`pbx.store.secrets`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pbx.store.secrets import LostSecretError, SecretKey
from tests.store.logged import logged


class SecretKeyTests(SynchronousTestCase):
    """
    A key in a file, and what it encrypts.
    """

    def setUp(self) -> None:
        """
        A folder without a key.
        """
        self.folder = Path(self.mktemp())
        self.path = self.folder / "secret.key"
        self.events: list[LogEvent] = logged(self, "pbx.store.secrets.SecretKey")

    def key(self, path: Path | None = None) -> SecretKey:
        """
        A key that was loaded.
        """
        key = SecretKey(path or self.path)
        key.load()
        return key

    def test_is_made_once(self) -> None:
        """
        The first start makes a key that only its owner reads; the next ones read what the first encrypted.
        """
        kept = self.key().encrypt("zw3i Fäuste", "trunk provider")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["secret.key"])
        self.assertEqual(self.key().decrypt(kept, "trunk provider"), "zw3i Fäuste")
        self.assertEqual(self.events, [])

    def test_nothing_shows_it(self) -> None:
        """
        Neither what is kept nor how the key looks in a log contains a secret, and the same secret never looks the same.
        """
        key = self.key()
        kept = {key.encrypt("SecurePassword123!", "trunk provider") for _ in range(5)}
        self.assertEqual(len(kept), 5)
        shown = f"{kept}{key!r}"
        self.assertNotIn("SecurePassword", shown)
        self.assertNotIn(self.path.read_text().strip(), shown)

    def test_belongs_to_its_owner(self) -> None:
        """
        What was encrypted for one can't be read as another's, nor when it was changed.
        """
        key = self.key()
        kept = key.encrypt("SecurePassword123!", "trunk provider")
        identity, _, sealed = kept.partition(":")
        for changed, owner in (
            (kept, "trunk other"), (f"{identity}:AAAA{sealed[4:]}", "trunk provider"),
            (f"{identity}:!", "trunk provider"), (f"{identity}:", "trunk provider"),
        ):
            with self.assertRaises(LostSecretError) as lost:
                key.decrypt(changed, owner)
            self.assertIn("damaged", str(lost.exception))

    def test_another_key(self) -> None:
        """
        A secret of another key is told apart, by both keys' names; put before the other in the file, both are read.
        """
        old = self.key()
        kept = old.encrypt("SecurePassword123!", "trunk provider")
        new = self.key(self.folder / "other.key")
        with self.assertRaises(LostSecretError) as lost:
            new.decrypt(kept, "trunk provider")
        self.assertIn(repr(kept.partition(":")[0]), str(lost.exception))
        self.assertIn(new.encrypt("x", "y").partition(":")[0], str(lost.exception))
        both = self.folder / "both.key"
        both.write_text((self.folder / "other.key").read_text() + self.path.read_text())
        both.chmod(0o600)
        turned = self.key(both)
        self.assertEqual(turned.decrypt(kept, "trunk provider"), "SecurePassword123!")
        self.assertEqual(new.decrypt(turned.encrypt("again", "trunk provider"), "trunk provider"), "again")

    def test_unusable_file(self) -> None:
        """
        A file that is no key is logged and left as it is; nothing can be encrypted then, and nothing else fails.
        """
        self.folder.mkdir()
        for content in ("", "not a key", "c2hvcnQ=\n"):
            self.path.write_text(content)
            self.path.chmod(0o600)
            key = self.key()
            self.assertIn("it is no key", formatEvent(self.events.pop()))
            self.assertRaises(LostSecretError, key.encrypt, "x", "y")
            self.assertRaises(LostSecretError, key.decrypt, "abc:def", "y")
            self.assertEqual(self.path.read_text(), content)

    def test_readable_by_others(self) -> None:
        """
        A file that others may read is used, with a warning that says what to do.
        """
        kept = self.key().encrypt("SecurePassword123!", "trunk provider")
        self.path.chmod(0o644)
        self.assertEqual(self.key().decrypt(kept, "trunk provider"), "SecurePassword123!")
        self.assertIn(f"chmod 600 {self.path}", formatEvent(self.events.pop()))
