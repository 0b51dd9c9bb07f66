"""
The call detail record, made from events.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.calls.events import CallAnswered, CallBegan, CallEnded, LegAnswered, LegBegan, LegEnded, LegRang
from pbx.calls.record import Recorder, stamp
from tests.calls.exchange import Kept


class RecorderTests(SynchronousTestCase):
    """
    Events in, one record out.
    """

    def setUp(self) -> None:
        """
        A recorder and what it kept.
        """
        self.kept = Kept()
        self.recorder = Recorder(self.kept)

    def play(self, *events: Any) -> dict[str, Any]:
        """
        Give it events; the one record.
        """
        for event in events:
            self.recorder.event(event)
        (record,) = self.kept.records
        self.assertEqual(len(self.recorder), 0)
        return record

    BEGAN = CallBegan("c", 100.0, "1001", "Anna", "1002", "sip-call", ("1002 is Bert",))
    LEGS = (
        LegBegan("c", 100.0, 1, "in", "1001", "udp:a", "sip-call"),
        LegBegan("c", 100.1, 2, "out", "1002", "udp:b", "x"),
        LegBegan("c", 100.1, 3, "out", "1002", "tcp:c", "y"), LegRang("c", 101.0, 3),
    )

    def test_answered(self) -> None:
        """
        An answered call with two phones rung: times, legs in order, and who ended it.
        """
        record = self.play(
            self.BEGAN, *self.LEGS, LegEnded("c", 103.0, 2, 487, "Call completed elsewhere", None),
            LegAnswered("c", 103.0, 3, "PCMU"), LegAnswered("c", 103.0, 1, "PCMA"),
            CallAnswered("c", 103.0, "transcode", "PCMU"), LegEnded("c", 110.0, 3, None, "Normal call clearing", None),
            LegEnded("c", 110.0, 1, None, "Normal call clearing", None),
            CallEnded("c", 110.5, "answered", None, 16, "Normal call clearing", "callee"),
        )
        self.assertEqual((record["id"], record["call_id"], record["duration"], record["billable"]),
                         ("c", "sip-call", 10.5, 7.5))
        self.assertEqual((record["media_path"], record["codec"], record["hangup_by"]), ("transcode", "PCMU", "callee"))
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1001", "1002", "1002"])
        self.assertEqual([leg["status"] for leg in record["legs"]], [None, 487, None])
        self.assertEqual([leg["rang"] for leg in record["legs"]], [None, None, stamp(101.0)])
        self.assertEqual(record["legs"][0]["codec"], "PCMA")

    def test_not_answered(self) -> None:
        """
        A call that nobody took has no answer and nothing to bill.
        """
        record = self.play(self.BEGAN, *self.LEGS, CallEnded("c", 130.0, "no answer", 480, 19, "No answer", "system"))
        self.assertEqual((record["answered"], record["billable"], record["duration"]), (None, 0.0, 30.0))
        self.assertEqual((record["status"], record["q850"], record["reason"]), (480, 19, "No answer"))

    def test_clock_set_back(self) -> None:
        """
        The wall clock was set back meanwhile: no duration is below zero.
        """
        record = self.play(
            self.BEGAN, CallAnswered("c", 101.0, "relay", "PCMU"),
            CallEnded("c", 50.0, "answered", None, 16, "Normal call clearing", "caller"),
        )
        self.assertEqual((record["duration"], record["billable"]), (0.0, 0.0))

    def test_once(self) -> None:
        """
        What comes after the end makes no second record.
        """
        end = CallEnded("c", 50.0, "failed", 404, 1, "Unallocated number", "system")
        self.play(self.BEGAN, end, end, LegRang("c", 60.0, 1))

    def test_stamp(self) -> None:
        """
        Times are ISO 8601 in UTC with milliseconds.
        """
        self.assertEqual(stamp(1_700_000_000.1234), "2023-11-14T22:13:20.123+00:00")
