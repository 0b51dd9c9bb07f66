"""
The call detail record, made from events, and what it says of the media of real calls.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.calls.events import (
    CallAnswered,
    CallBegan,
    CallEnded,
    LegAnswered,
    LegBegan,
    LegEnded,
    LegRang,
    MediaChanged,
)
from pbx.calls.record import Recorder, stamp
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import Kept
from tests.calls.phone import PCMA, PCMU


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

    BEGAN = CallBegan("c", 100.0, 7.0, "1001", "Anna", "1002", "sip-call", ("1002 is Bert",))
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
            CallAnswered("c", 103.0, 10.0), MediaChanged("c", 103.0, "transcode", "PCMA", 3, "PCMU"),
            LegEnded("c", 110.0, 3, None, "Normal call clearing", None),
            LegEnded("c", 110.0, 1, None, "Normal call clearing", None),
            CallEnded("c", 110.5, 17.5, "answered", None, 16, "Normal call clearing", "callee"),
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
        record = self.play(
            self.BEGAN, *self.LEGS, CallEnded("c", 130.0, 37.0, "no answer", 480, 19, "No answer", "system")
        )
        self.assertEqual((record["answered"], record["billable"], record["duration"]), (None, 0.0, 30.0))
        self.assertEqual((record["status"], record["q850"], record["reason"]), (480, 19, "No answer"))

    def test_clock_set_back(self) -> None:
        """
        The wall clock was set back meanwhile: the durations are those that nobody can set.
        """
        record = self.play(
            self.BEGAN, CallAnswered("c", 101.0, 8.0),
            CallEnded("c", 50.0, 19.0, "answered", None, 16, "Normal call clearing", "caller"),
        )
        self.assertEqual((record["duration"], record["billable"]), (12.0, 11.0))

    def test_answered_and_failed(self) -> None:
        """
        Nothing is billed for an answer that never reached the caller.
        """
        record = self.play(
            self.BEGAN, CallAnswered("c", 101.0, 8.0),
            CallEnded("c", 102.0, 9.0, "failed", None, 38, "connection closed", "system"),
        )
        self.assertEqual((record["duration"], record["billable"]), (2.0, 0.0))

    def test_last_media(self) -> None:
        """
        The record names the codecs and the way of the media that were the last.
        """
        record = self.play(
            self.BEGAN, *self.LEGS, LegAnswered("c", 103.0, 3, "PCMU"), LegAnswered("c", 103.0, 1, ""),
            CallAnswered("c", 103.0, 10.0), MediaChanged("c", 103.0, "transcode", "PCMA", 3, "PCMU"),
            MediaChanged("c", 104.0, "relay", "PCMA", 3, "PCMA"),
            CallEnded("c", 110.5, 17.5, "answered", None, 16, "Normal call clearing", "callee"),
        )
        self.assertEqual((record["media_path"], record["codec"]), ("relay", "PCMA"))
        self.assertEqual([leg["codec"] for leg in record["legs"]], ["PCMA", None, "PCMA"])

    def test_route(self) -> None:
        """
        The reasons of the routing stand in it.
        """
        record = self.play(self.BEGAN, CallEnded("c", 130.0, 37.0, "no answer", 480, 19, "No answer", "system"))
        self.assertEqual(record["route"], ["1002 is Bert"])

    def test_once(self) -> None:
        """
        What comes after the end makes no second record.
        """
        end = CallEnded("c", 50.0, 8.0, "failed", 404, 1, "Unallocated number", "system")
        self.play(self.BEGAN, end, end, LegRang("c", 60.0, 1))

    def test_stamp(self) -> None:
        """
        Times are ISO 8601 in UTC with milliseconds.
        """
        self.assertEqual(stamp(1_700_000_000.1234), "2023-11-14T22:13:20.123+00:00")


class MediaTests(ExchangeCase):
    """
    What a record says of the media of a call.
    """

    def media(self) -> tuple[str, str, list[str]]:
        """
        The record's media path, its codec, and those of its legs.
        """
        record = self.record
        return record["media_path"], record["codec"], [leg["codec"] for leg in record["legs"]]

    def late_offer(self) -> Conversation:
        """
        A caller whose ACK brings another codec than that of the callee.
        """
        anna, bert = self.pair()
        return Conversation(
            anna, bert, body=b"", answer=bert.sdp(formats=(PCMU,)), acknowledge=anna.sdp(formats=(PCMA,))
        )

    def test_late_offer(self) -> None:
        """
        The callee keeps its codec: what is converted is called so.
        """
        talk = self.late_offer()
        bert = talk.callee
        bert.reply(bert.requests("INVITE")[-1], 488)
        talk.hang_up(talk.caller)
        self.assertEqual(self.media(), ("transcode", "PCMU", ["PCMA", "PCMU"]))

    def test_late_offer_aligned(self) -> None:
        """
        The callee takes the caller's codec: from then on nothing is converted.
        """
        talk = self.late_offer()
        bert = talk.callee
        bert.reply(bert.requests("INVITE")[-1], 200, body=bert.sdp(formats=(PCMA,), version=2))
        talk.hang_up(talk.caller)
        self.assertEqual(self.media(), ("relay", "PCMA", ["PCMA", "PCMA"]))

    def test_another_codec_in_the_call(self) -> None:
        """
        The caller changes to another codec.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, answer=bert.sdp(formats=(PCMU,)))
        talk.ask(anna, "INVITE", body=anna.sdp(formats=(PCMA,), version=2))
        talk.hang_up(anna)
        self.assertEqual(self.media(), ("transcode", "PCMU", ["PCMA", "PCMU"]))
