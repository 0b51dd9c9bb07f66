"""
Tests for ``pbxctl reload``.
"""

from __future__ import annotations

import json

from pbx.ops.reload import Change, Report
from pbx.web.reload import Reload
from tests.cli.case import CommandCase
from tests.web.client import FakeAudit
from tests.web.test_reload import FakeReloading, refused


class ReloadTests(CommandCase):
    """
    Reloading from the command line.
    """

    def setUp(self) -> None:
        self.reloading = FakeReloading()
        self.serve(Reload(self.reloading, FakeAudit()))

    def test_changes(self) -> None:
        """
        What is different is shown a line each, and what waits for a restart with the reason.
        """
        self.assertEqual(self.type("reload").splitlines(), [
            "In effect now:", '  media.tones: "us" -> "de"', "  sip_trunks[One].password: changed",
            "Waiting for a restart:", "  server.sip_port: 5060 -> 5070 (sockets)",
        ])

    def test_nothing(self) -> None:
        """
        Nothing different is said so.
        """
        self.reloading.answer = Report()
        self.assertEqual(self.type("reload"), "Nothing in effect has changed.")

    def test_many(self) -> None:
        """
        What is not listed is counted.
        """
        self.reloading.answer = Report((Change("media.tones", "us", "de"),), more=12)
        self.assertEqual(self.type("reload").splitlines()[-1], "  and 12 more")

    def test_doubts(self) -> None:
        """
        What somebody should look at stands behind all else.
        """
        self.reloading.answer = Report(doubts=("route a names the trunk 'b\x1b', which there is not",))
        self.assertEqual(self.type("reload").splitlines()[:-1], ["Nothing in effect has changed.", "To be looked at:"])
        self.assertIn("  route a names the trunk 'b", self.type("reload").splitlines()[-1])
        self.assertNotIn("\x1b", self.type("reload"))

    def test_hostile(self) -> None:
        """
        A name in the file cannot paint the terminal.
        """
        self.reloading.answer = Report((Change("sip_trunks[a\x1b[2Jb].host", "x", "y"),))
        self.assertNotIn("\x1b", self.type("reload"))

    def test_json(self) -> None:
        """
        With --json it is the answer of the API.
        """
        answer = json.loads(self.type("reload --json"))
        self.assertEqual([each["key"] for each in answer["waiting"]], ["server.sip_port"])

    def test_refused(self) -> None:
        """
        A bad file is told with every mistake.
        """
        self.reloading.answer = refused()
        self.assertEqual(self.refused("reload").splitlines(), [
            "/etc/pbx/config.yml has 2 mistakes; nothing was changed.",
            "  media.tones: line 12: found 'xx'; allowed is a country", "  api.ssl: pbx.crt: is not there",
        ])
