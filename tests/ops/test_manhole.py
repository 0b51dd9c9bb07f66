"""
Tests for :mod:`pbx.ops.manhole`, with the system's own ``ssh``.
"""

from __future__ import annotations

import functools
import os
import stat
import subprocess
import tempfile
from pathlib import Path

from twisted.conch.ssh.keys import Key
from twisted.internet import reactor  # noqa: TID251 - a real shell needs the real one
from twisted.internet.threads import deferToThread
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pbx.ops.manhole import AuthorizedKeys, Manhole, host_keys


@functools.cache
def keys_of_all_tests() -> dict[bytes, Key]:
    """
    Host keys that are made once, since an RSA key takes its time.
    """
    with tempfile.TemporaryDirectory() as folder:
        return host_keys(Path(folder))


class HostKeysTests(SynchronousTestCase):
    """
    How the shell is known again.
    """

    def test_made_once(self) -> None:
        """
        The first start makes an RSA, an ECDSA and an ed25519 key, private to the owner; later ones read them.
        """
        folder = Path(self.mktemp()) / "ssh"
        first = host_keys(folder)
        self.assertEqual(set(first), {b"ssh-rsa", b"ecdsa-sha2-nistp256", b"ssh-ed25519"})
        self.assertEqual({stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}, {0o600})
        self.assertEqual(host_keys(folder), first)


class AuthorizedKeysTests(SynchronousTestCase):
    """
    Who may come in.
    """

    def test_missing_file(self) -> None:
        """
        Without the file nobody may.
        """
        self.assertEqual(AuthorizedKeys(Path("/nowhere/keys")).getAuthorizedKeys(b"debug"), [])


class ManholeTests(TestCase):
    """
    The shell as a person uses it.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.keys = self.folder / "authorized_keys"
        self.keys.touch()
        self.calls = ["a call"]
        namespace = {"calls": lambda: self.calls}
        self.manhole = Manhole(reactor, 0, self.keys, keys_of_all_tests(), namespace)
        self.manhole.startService()
        self.addCleanup(self.manhole.stopService)

    def key(self, kind: str) -> Path:
        """
        A new key pair of a person.
        """
        path = self.folder / f"id_{kind}"
        command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)]
        subprocess.run(command, check=True)  # noqa: S603 - a fixed command
        path.chmod(0o600)
        return path

    async def ssh(self, key: Path, typed: str) -> subprocess.CompletedProcess[str]:
        """
        What ``ssh`` with a key shows while a text is typed.
        """
        command = ["ssh", "-tt", "-p", str(self.manhole.port), "-i", str(key), "-F", "none"]
        command += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]
        command += ["-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "debug@127.0.0.1"]
        return await deferToThread(
            subprocess.run,
            command,
            input=typed,
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "TERM": "xterm", "SSH_AUTH_SOCK": ""},
        )

    async def test_prompt(self) -> None:
        """
        An authorized key of either usual kind opens a Python prompt with the live objects.
        """
        for kind in ("ed25519", "rsa"):
            key = self.key(kind)
            self.keys.write_text(key.with_suffix(".pub").read_text())
            result = await self.ssh(key, "calls().append('seen by shell')\rprint(len(calls()) * 1111)\r\x04")
            self.assertIn("seen by shell", self.calls, result)
            self.assertIn(str(1111 * len(self.calls)), result.stdout)
            self.calls.remove("seen by shell")

    async def test_other_key(self) -> None:
        """
        Another key opens nothing, and neither does one that was taken out of the file.
        """
        key = self.key("ed25519")
        self.assertNotIn(">>>", (await self.ssh(key, "calls().clear()\r\x04")).stdout)
        self.keys.write_text(key.with_suffix(".pub").read_text())
        self.assertIn(">>>", (await self.ssh(key, "\x04")).stdout)
        self.keys.write_text("")
        self.assertNotIn(">>>", (await self.ssh(key, "calls().clear()\r\x04")).stdout)
        self.assertEqual(self.calls, ["a call"])

    def test_loopback_only(self) -> None:
        """
        It listens on 127.0.0.1 and nowhere else.
        """
        self.assertEqual(self.manhole._listening.getHost().host, "127.0.0.1")

    def test_opens_for_nobody(self) -> None:
        """
        A start without any key warns of it: the shell is of no use then.
        """
        lines: list[str] = []
        self.patch(Manhole, "log", Logger(observer=lambda event: lines.append(formatEvent(event))))
        key = keys_of_all_tests()[b"ssh-rsa"].public().toString("openssh")
        for text, warned in ((None, 1), (b"# nobody yet\n", 1), (key, 0)):
            lines.clear()
            self.keys.unlink(missing_ok=True)
            if text is not None:
                self.keys.write_bytes(text)
            manhole = Manhole(reactor, 0, self.keys, keys_of_all_tests(), {})
            manhole.startService()
            self.addCleanup(manhole.stopService)
            expected = f"The debug shell opens for nobody: there is no key in {self.keys}"
            self.assertEqual(lines.count(expected), warned, text)
