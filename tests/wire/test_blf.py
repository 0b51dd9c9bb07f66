"""
A key that shows whether somebody is on the phone, as a phone with such keys is told.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.wire.ears import ListeningTestCase
from tests.wire.exchange import PASSWORD
from tests.wire.process import eventually
from tests.wire.scenario import Scenario
from tests.wire.sipp import credentials

DIALOG_INFO = "{urn:ietf:params:xml:ns:dialog-info}"


def notified(log: Path) -> list[ET.Element]:
    """
    The documents in a log of messages, in the order they came.
    """
    found = re.findall(r"message received.*?(<\?xml.*?</dialog-info>)", log.read_text(), re.S)
    return [ET.fromstring(document) for document in found]  # noqa: S314 - what our own exchange wrote


class BlfTests(ListeningTestCase):
    """
    SIPp is a key of 1007 that shows 1006.
    """

    extensions = ("1005", "1006", "1007")

    async def test_call(self) -> None:
        """
        The whole state at first, then a call that rings, with who calls, is answered and ends; no version is missing.
        """
        caller, callee = await self.phone("1005"), await self.phone("1006", answer="manual")
        row = ("1007", "1006", credentials("1007", PASSWORD))
        options = ["-trace_msg", "-message_file", "messages"]
        watcher = Scenario("watch", self.mktemp(), server=self.exchange.server, rows=[row], options=options)
        log = watcher.directory / "messages"
        watcher.start()
        self.addCleanup(watcher.stop)

        async def shows(state: str) -> bool:
            return log.exists() and state in log.read_text()

        await eventually(lambda: shows("<dialog-info"), 5, "the first state")
        await caller.dial("1006")
        await eventually(lambda: shows("<state>early</state>"), 5, "ringing")
        await callee.accept()
        await eventually(lambda: shows("<state>confirmed</state>"), 5, "answered")
        await caller.hang_up()
        outcome = await watcher.outcome(10)
        self.assertEqual((outcome.successful, outcome.failed, outcome.resent_to_it), (1, 0, 0), outcome.errors)
        documents = notified(log)
        self.assertEqual([int(one.attrib["version"]) for one in documents], list(range(6)))
        self.assertEqual({one.attrib["state"] for one in documents}, {"full"})
        self.assertEqual({one.attrib["entity"] for one in documents}, {f"sip:1006@{self.exchange.host}"})
        shown = [[dialog.findtext(f"{DIALOG_INFO}state") for dialog in one] for one in documents]
        self.assertEqual(shown, [[], ["early"], ["confirmed"], ["terminated"], [], []])
        for document in documents[1:3]:
            dialog = document[0]
            self.assertEqual(dialog.attrib["direction"], "recipient")
            self.assertTrue(all(dialog.attrib[name] for name in ("call-id", "local-tag", "remote-tag")))
            identity = dialog.find(f"{DIALOG_INFO}remote/{DIALOG_INFO}identity")
            assert identity is not None
            self.assertEqual(
                (identity.attrib["display"], identity.text), ("User 1005", f"sip:1005@{self.exchange.host}")
            )
        self.assertEqual(len({one[0].attrib["id"] for one in documents[1:4]}), 1)
        await self.new_records()
        await self.nothing_left()
