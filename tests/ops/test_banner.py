"""
Tests for :mod:`pbx.ops.banner`.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.banner import Facts, banner

FACTS = Facts(
    version="0.1.0",
    sockets=[("UDP", "192.0.2.1", 5060), ("TCP", "192.0.2.1", 5060), ("TLS", "2001:db8::1", 5061)],
    server_name="pbx.example.org",
    api_port=8080,
    database="embedded",
    data=Path("/var/lib/pbx"),
    log_file=Path("/var/log/pbx/pbx.log"),
    rtp_ports=(10000, 20000),
    max_calls=2500,
    extensions=0,
    first_link="/first/abc",
    own_certificate=True,
    passwords=("Ahxae8aiTh4e", "Quohqu3Ooz8a"),
)


class BannerTests(SynchronousTestCase):
    """
    What is said at the start.
    """

    def test_what_runs_where(self) -> None:
        """
        Sockets, ports, API, database and log are named.
        """
        text = "\n".join(banner(FACTS))
        self.assertIn("UDP and TCP 192.0.2.1:5060, TLS [2001:db8::1]:5061", text)
        self.assertIn("UDP 10000-20000, up to 2500 calls", text)
        self.assertIn("https://localhost:8080/api/", text)
        self.assertIn("embedded, in /var/lib/pbx", text)
        self.assertIn("/var/log/pbx/pbx.log", text)
        self.assertNotIn("debug shell", text)

    def test_first_administrator(self) -> None:
        """
        The one-time link is shown while there is one.
        """
        self.assertIn("  https://pbx.example.org:8080/first/abc", banner(FACTS))
        self.assertNotIn("/first/", "\n".join(banner(attrs.evolve(FACTS, first_link=None))))

    def test_short_name(self) -> None:
        """
        A machine with a short name is shown by an address that others can use.
        """
        sockets = [("UDP", "127.0.0.1", 5060), ("UDP", "192.0.2.1", 5060)]
        text = "\n".join(banner(attrs.evolve(FACTS, server_name="vm", sockets=sockets)))
        self.assertIn("https://192.0.2.1:8080/first/abc", text)
        self.assertIn("192.0.2.1:5060, the user", text)
        sockets = [("UDP", "::1", 5060)]
        self.assertIn("https://[::1]:8080", "\n".join(banner(attrs.evolve(FACTS, server_name="vm", sockets=sockets))))

    def test_first_call(self) -> None:
        """
        Without extensions, the two commands that add them are shown, and can be pasted into a shell.
        """
        text = "\n".join(banner(FACTS))
        commands = [part.split("\nThen")[0] for part in text.split("  curl")[1:]]
        bodies = [json.loads(shlex.split(command)[-1]) for command in commands]
        self.assertEqual([body["number"] for body in bodies], ["1005", "1006"])
        self.assertEqual(shlex.split(commands[0])[0], "-k")
        self.assertEqual(tuple(body["password"] for body in bodies), FACTS.passwords)
        # Pasted as they stand, they give nobody's address to voicemail and allow no call that costs money.
        self.assertEqual([set(body) for body in bodies], [{"number", "name", "password"}] * 2)
        self.assertNotIn("curl", "\n".join(banner(attrs.evolve(FACTS, extensions=2))))

    def test_manhole(self) -> None:
        """
        The debug shell is named when it is on.
        """
        self.assertIn("ssh -p 2222", "\n".join(banner(attrs.evolve(FACTS, manhole_port=2222))))
