"""
Tests for what NOTIFYs carry: :mod:`pbx.sip.dialog_info`, :mod:`pbx.sip.pidf`, :mod:`pbx.sip.message_summary`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.dialog_info import NAMESPACE, DialogElement, Participant, dialog_info
from pbx.sip.message import ParseError
from pbx.sip.message_summary import MessageSummary
from pbx.sip.pidf import NAMESPACE as PIDF_NAMESPACE
from pbx.sip.pidf import PERSON, RPID, PresenceDocument
from tests.sip.test_properties import CALM

plain = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), max_size=12)
full = plain.filter(bool)
participants = st.none() | st.builds(Participant, full, plain, st.none() | plain)
elements = st.builds(
    DialogElement, full, st.sampled_from(["trying", "early", "confirmed", "terminated"]),
    st.sampled_from(["initiator", "recipient", None]), st.none() | full, st.none() | full, st.none() | full,
    participants, participants,
)
counts = st.integers(0, 999_999_999)

GOLDEN = b"""<?xml version="1.0" encoding="UTF-8"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:1001@192.0.2.1">
<dialog id="a-1" call-id="c1" local-tag="l" remote-tag="r" direction="recipient">
<state>early</state>
<local><identity>sip:1001@192.0.2.1</identity><target uri="sip:1001@192.0.2.1"/></local>
<remote><identity display="Anna &amp; &quot;Bert&quot; &lt;x&gt;">sip:1002@192.0.2.1</identity></remote>
</dialog>
</dialog-info>
"""


def read(body: bytes) -> tuple[int, list[DialogElement]]:
    """
    The version and the dialogs of a document, as a phone reads it.
    """
    root = ET.fromstring(body)  # noqa: S314 - what we wrote ourselves
    assert (root.tag, root.get("state")) == (f"{{{NAMESPACE}}}dialog-info", "full")
    names = {"d": NAMESPACE}

    def side(dialog: Any, name: str) -> Participant | None:
        found = dialog.find(f"d:{name}", names)
        if found is None:
            return None
        identity, target = found.find("d:identity", names), found.find("d:target", names)
        uri = None if target is None else target.get("uri")
        return Participant(identity.text or "", identity.get("display", ""), uri)

    return int(root.get("version") or ""), [
        DialogElement(
            dialog.get("id") or "", dialog.findtext("d:state", None, names),  # type: ignore[arg-type]  # checked by what it equals
            dialog.get("direction"), dialog.get("call-id"), dialog.get("local-tag"),  # type: ignore[arg-type]  # likewise
            dialog.get("remote-tag"), side(dialog, "local"), side(dialog, "remote"),
        )
        for dialog in root.findall("d:dialog", names)
    ]


class DialogInfoTests(SynchronousTestCase):
    """
    The calls of an extension.
    """

    def test_golden(self) -> None:
        """
        One phone that rings; what others have named themselves can't break the document.
        """
        dialog = DialogElement(
            "a-1", "early", "recipient", "c1", "l", "r", Participant("sip:1001@192.0.2.1", target="sip:1001@192.0.2.1"),
            Participant("sip:1002@192.0.2.1", 'Anna & "Bert" <x>'),
        )
        self.assertEqual(dialog_info("sip:1001@192.0.2.1", 1, [dialog]), GOLDEN)

    def test_forbidden_characters(self) -> None:
        """
        What no document may hold is left out.
        """
        dialog = DialogElement("a", "confirmed", remote=Participant("sip:a\x00b\ud800\ufffec"))
        (found,) = read(dialog_info("sip:a", 0, [dialog]))[1]
        self.assertEqual(found.remote, Participant("sip:abc"))

    @CALM
    @given(st.integers(0, 2**31), st.lists(elements, max_size=3), plain)
    def test_round_trip(self, version: int, dialogs: list[DialogElement], entity: str) -> None:
        """
        An XML parser reads what was meant.
        """
        self.assertEqual(read(dialog_info(entity, version, dialogs)), (version, dialogs))


class PidfTests(SynchronousTestCase):
    """
    The presence of an extension.
    """

    @CALM
    @given(plain, st.booleans(), st.sampled_from([None, "on-the-phone", "busy"]), plain)
    def test_round_trip(self, entity: str, reachable: bool, activity: str | None, note: str) -> None:
        """
        An XML parser reads what was meant; there is a person only where something keeps them.
        """
        root = ET.fromstring(PresenceDocument(entity, reachable, activity, note).to_bytes())  # noqa: S314 - our own
        names = {"p": PIDF_NAMESPACE, "dm": PERSON, "rpid": RPID}
        self.assertEqual(root.get("entity"), entity)
        self.assertEqual(root.findtext("p:tuple/p:status/p:basic", None, names), "open" if reachable else "closed")
        self.assertEqual(root.findtext("p:tuple/p:note", None, names) or "", note)
        found = root.findall("dm:person/rpid:activities/*", names)
        self.assertEqual([item.tag for item in found], [] if activity is None else [f"{{{RPID}}}{activity}"])


class MessageSummaryTests(SynchronousTestCase):
    """
    A mailbox.
    """

    def test_golden(self) -> None:
        """
        As RFC 3842 5.2 has it.
        """
        summary = MessageSummary(2, 8, 0, 2, "sip:1001@192.0.2.1")
        self.assertEqual(
            summary.to_bytes(),
            b"Messages-Waiting: yes\r\nMessage-Account: sip:1001@192.0.2.1\r\nVoice-Message: 2/8 (0/2)\r\n",
        )
        self.assertTrue(MessageSummary(0, 3).to_bytes().startswith(b"Messages-Waiting: no\r\nVoice-Message: 0/3"))
        self.assertRaises(ValueError, MessageSummary(account="a\r\nb").to_bytes)

    def test_parse(self) -> None:
        """
        The urgent ones may lack; without a count of voice messages there is nothing to be told.
        """
        self.assertEqual(MessageSummary.parse(b"messages-waiting: yes\r\nVOICE-MESSAGE: 1/2\r\n"), MessageSummary(1, 2))
        for body in (b"", b"Messages-Waiting: yes\r\n", b"Voice-Message: x\r\n", b"Voice-Message: 1\r\n"):
            self.assertRaises(ParseError, MessageSummary.parse, body)

    @CALM
    @given(counts, counts, counts, counts, st.none() | st.from_regex(r"[a-z:@.0-9]{1,20}", fullmatch=True))
    def test_round_trip(self, new: int, old: int, new_urgent: int, old_urgent: int, account: str | None) -> None:
        """
        It is read as it was written.
        """
        summary = MessageSummary(new, old, new_urgent, old_urgent, account)
        self.assertEqual(MessageSummary.parse(summary.to_bytes()), summary)
