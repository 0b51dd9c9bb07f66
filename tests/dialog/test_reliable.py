"""
Tests for :mod:`pbx.dialog.reliable`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.dialog.reliable import MOST_WAITING, ReliableProvisionals
from pbx.sip.message import Headers, ParseError, Request, Response
from pbx.transaction.timer_queue import TimerQueue
from pbx.transaction.timers import Timers


def provisional(status: int = 183) -> Response:
    """
    A response to INVITE 7.
    """
    headers = Headers()
    headers.add("CSeq", "7 INVITE")
    return Response(status, "Session Progress", headers)


def prack(rack: str | None) -> Request:
    """
    A PRACK.
    """
    headers = Headers()
    if rack is not None:
        headers.add("RAck", rack)
    return Request("PRACK", "sip:a@b", headers)


class ReliableTests(SynchronousTestCase):
    """
    Reliable provisional responses, of the side that answers (RFC 3262 3).
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[Response] = []
        self.missing: list[float] = []
        self.reliable = ReliableProvisionals(
            TimerQueue(self.clock), Timers(), self.sent.append, lambda: self.missing.append(self.clock.seconds())
        )

    def rack(self, offset: int = 0, cseq: int = 7, method: str = "INVITE") -> str:
        return f"{int(self.sent[-1].headers.get('RSeq') or 0) + offset} {cseq} {method}"

    def acknowledge(self) -> None:
        self.assertIs(self.reliable.awaited(prack(self.rack())), self.sent[-1])
        self.reliable.acknowledged()

    def test_number_and_requirement(self) -> None:
        """
        Each has Require: 100rel and an RSeq one higher than the last, the first below 2**31.
        """
        self.reliable.send(provisional())
        first = int(self.sent[0].headers.get("RSeq") or 0)
        self.assertTrue(1 <= first < 2**31)
        self.assertEqual(self.sent[0].headers.get("Require"), "100rel")
        self.acknowledge()
        self.reliable.send(provisional())
        self.assertEqual(int(self.sent[1].headers.get("RSeq") or 0), first + 1)
        self.reliable.stop()

    def test_repeated_until_acknowledged(self) -> None:
        """
        It is sent again until its PRACK.
        """
        self.reliable.send(provisional())
        self.clock.pump([0.5] * 7)
        self.assertEqual(len(self.sent), 4)
        self.acknowledge()
        self.clock.pump([1] * 40)
        self.assertEqual((len(self.sent), self.missing), (4, []))

    def test_missing(self) -> None:
        """
        No PRACK for 64*T1 is told once.
        """
        self.reliable.send(provisional())
        self.clock.pump([0.5] * 80)
        self.assertEqual(self.missing, [32.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_at_a_time(self) -> None:
        """
        The next one waits for the PRACK of the first; of many only some are kept.
        """
        for _ in range(2 + MOST_WAITING + 5):
            self.reliable.send(provisional())
        self.assertEqual(len(self.sent), 1)
        for _ in range(1 + MOST_WAITING):
            self.acknowledge()
        self.assertEqual(len(self.sent), 1 + MOST_WAITING)
        self.assertIsNone(self.reliable.awaited(prack(self.rack())))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others_are_not_awaited(self) -> None:
        """
        Another number, CSeq or method acknowledges nothing, nor does any PRACK when nothing waits.
        """
        self.reliable.send(provisional())
        for rack in (self.rack(1), self.rack(-1), self.rack(cseq=8), self.rack(method="UPDATE")):
            self.assertIsNone(self.reliable.awaited(prack(rack)))
        self.reliable.stop()
        self.assertIsNone(self.reliable.awaited(prack(self.rack())))

    def test_malformed(self) -> None:
        """
        What is no RAck is 400, whatever digits it is made of.
        """
        self.reliable.send(provisional())
        for rack in (None, "", "1 7", "x 7 INVITE", "1 ² INVITE", "1 -7 INVITE", "1 7 INVITE x",
                     "9" * 5000 + " 7 INVITE"):
            error = self.assertRaises(ParseError, self.reliable.awaited, prack(rack))
            self.assertEqual(error.status, 400)
        self.reliable.stop()

    def test_final_answer_waits(self) -> None:
        """
        The 2xx goes out as soon as nothing waits for a PRACK; what was not sent by then is left out (RFC 3262 3).
        """
        heard: list[str] = []
        self.reliable.when_idle(lambda: heard.append("at once"))
        self.reliable.send(provisional())
        self.reliable.send(provisional())
        self.reliable.when_idle(lambda: heard.append("later"))
        self.assertEqual(heard, ["at once"])
        self.acknowledge()
        self.assertEqual((heard, len(self.sent)), (["at once", "later"], 1))

    def test_stop(self) -> None:
        """
        After a final response nothing is sent again, nor the final answer that waited.
        """
        self.reliable.send(provisional())
        self.reliable.when_idle(self.fail)
        self.reliable.stop()
        self.clock.pump([1] * 40)
        self.assertEqual((len(self.sent), self.missing), (1, []))
