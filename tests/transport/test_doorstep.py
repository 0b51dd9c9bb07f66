"""
Tests of :mod:`pbx.transport.doorstep`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.sip.error import ProtocolError
from pbx.sip.parser import parse
from pbx.transport import doorstep as module
from pbx.transport.doorstep import Doorstep
from pbx.transport.reception import IMessageReceiver
from tests.transport.rig import request, response


class Peer:
    """
    As much of a flow as is looked at.
    """

    closed = False
    name = "udp:1>2"


class Receiver:
    """
    Notes what it is given; fails for what it is told to.
    """

    def __init__(self) -> None:
        self.branches: list[str] = []
        self.bad = ""

    def message_received(self, message: Any, flow: Any) -> None:
        """
        Note a message.
        """
        if message.top_via.branch == self.bad:
            raise ValueError(self.bad)
        self.branches.append(message.top_via.branch)


class DoorstepTests(SynchronousTestCase):
    """
    Before the exchange has opened.
    """

    def setUp(self) -> None:
        """
        Nobody waits.
        """
        self.doorstep = Doorstep()
        self.receiver: Any = Receiver()

    def come(self, branch: str) -> Peer:
        """
        A request comes.
        """
        peer = Peer()
        self.doorstep.message_received(parse(request(branch)), peer)  # type: ignore[arg-type]
        return peer

    def test_interface(self) -> None:
        """
        It stands where the transaction layer will.
        """
        verifyObject(IMessageReceiver, self.doorstep)

    def test_in_order(self) -> None:
        """
        What came is handed over in its order, once, but for peers that are gone; one that fails harms no other.
        """
        for branch in ("a", "b", "c", "d"):
            peer = self.come(branch)
            peer.closed = branch == "b"
        self.receiver.bad = "c"
        self.doorstep.hand_over(self.receiver)
        self.doorstep.hand_over(self.receiver)
        self.assertEqual(self.receiver.branches, ["a", "d"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_limit(self) -> None:
        """
        A flood is not kept.
        """
        self.patch(module, "MOST", 2)
        for branch in ("a", "b", "c"):
            self.come(branch)
        self.doorstep.hand_over(self.receiver)
        self.assertEqual(self.receiver.branches, ["a", "b"])

    def test_bytes(self) -> None:
        """
        A few long messages are as much as many short ones: what does not fit is dropped, what still fits is kept.
        """
        self.patch(module, "MOST_BYTES", 1500)
        for branch, length in (("a", 700), ("b", 1400), ("c", 10)):
            data = request(branch).replace(b"Content-Length: 0", b"Content-Length: %d" % length) + b"x" * length
            self.doorstep.message_received(parse(data), Peer())  # type: ignore[arg-type]
        self.doorstep.hand_over(self.receiver)
        self.assertEqual(self.receiver.branches, ["a", "c"])
        # Once handed over they count no more.
        self.come("d")
        self.doorstep.hand_over(self.receiver)
        self.assertEqual(self.receiver.branches, ["a", "c", "d"])

    def test_sent_away(self) -> None:
        """
        When it takes longer, requests get 503, responses nothing, and nobody is kept.
        """
        self.come("a")
        self.doorstep.send_away()
        error = self.assertRaises(ProtocolError, self.come, "b")
        self.assertEqual(error.status, 503)
        self.doorstep.message_received(parse(response()), Peer())  # type: ignore[arg-type]
        self.doorstep.hand_over(self.receiver)
        self.assertEqual(self.receiver.branches, [])
