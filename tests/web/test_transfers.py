"""
Tests for :mod:`pbx.web.transfers`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass

from pbx.calls.switchboard import Switchboard
from pbx.web.transfers import ITransfers, Transfers
from tests.web.client import Client, FakeAudit


@implementer(ITransfers)
class MemoryTransfers:
    """
    Remembers what it was asked for.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def transfer(self, call_id: str, by: str, to: str) -> bool:
        self.asked.append(("blind", call_id, by, to))
        return call_id == "a1"

    def transfer_to_voicemail(self, call_id: str, by: str, mailbox: str) -> bool:
        self.asked.append(("voicemail", call_id, by, mailbox))
        return call_id == "a1"

    def join(self, call_id: str, other_id: str, by: str) -> bool:
        self.asked.append(("attended", call_id, other_id, by))
        return call_id == "a1"


class TransfersTests(SynchronousTestCase):
    """
    The resource.
    """

    def setUp(self) -> None:
        self.transfers, self.audit = MemoryTransfers(), FakeAudit()
        self.client = Client(Transfers(self.transfers, self.audit).routes())

    def ask(self, body: Any, call: str = "a1") -> Any:
        """
        Ask for a transfer.
        """
        return self.client.ask("POST", f"/api/calls/{call}/transfer", body)

    def test_interfaces(self) -> None:
        """
        The switchboard is what the resource asks for.
        """
        verifyClass(ITransfers, MemoryTransfers)
        verifyClass(ITransfers, Switchboard, tentative=True)

    def test_kinds(self) -> None:
        """
        To a number, to a mailbox, to the party of another call; each is audited.
        """
        self.assertEqual(self.ask({"by": "1002", "to": "1003"}).status, 204)
        self.assertEqual(self.ask({"by": "1002", "voicemail": "1003"}).status, 204)
        self.assertEqual(self.ask({"by": "1002", "call": "b2"}).status, 204)
        self.assertEqual(self.transfers.asked, [
            ("blind", "a1", "1002", "1003"), ("voicemail", "a1", "1002", "1003"), ("attended", "a1", "b2", "1002"),
        ])
        self.assertEqual(self.audit.rows[0][1:3], ("transfer", "call a1"))
        self.assertEqual(len(self.audit.rows), 3)

    def test_no_such_call(self) -> None:
        """
        404, and nothing is audited.
        """
        self.assertEqual(self.ask({"by": "1002", "to": "1003"}, "b2").status, 404)
        self.assertEqual(self.audit.rows, [])

    def test_where(self) -> None:
        """
        Exactly one place has to be named.
        """
        for body in ({"by": "1002"}, {"by": "1002", "to": "1003", "voicemail": "1003"}):
            self.assertEqual(self.ask(body).status, 422)
        self.assertEqual(self.transfers.asked, [])
