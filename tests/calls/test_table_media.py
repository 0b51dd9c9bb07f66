"""
The table of failures: phones that vanish or fall silent, and offers that come late.
"""

from __future__ import annotations

from datetime import datetime

from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import PCMA, PCMU, Phone
from tests.calls.table import Row, TableCase


def vanished(case: ExchangeCase, phone: Phone, other: Phone, talk: Conversation) -> int | None:
    """
    One phone is switched off; the other says no word either, but is there. What the other is told.
    """
    talk.speak(25)
    phone.hang_silent()
    before = case.network.clock.seconds()
    case.network.advance(60 + 32)
    record = case.record
    ended = datetime.fromisoformat(record["ended"]).timestamp() - case.exchange.wall_offset
    case.assertLessEqual(ended, before + 92)
    case.assertGreaterEqual(ended, before + 60)
    case.assertEqual((record["hangup_by"], record["q850"]), ("system", 27))
    case.assertIn("media lost", other.requests("BYE")[0].headers.get("Reason") or "")
    return None


def caller_vanished(case: ExchangeCase) -> int | None:
    """
    The caller is switched off without BYE.
    """
    anna, bert = case.pair()
    return vanished(case, anna, bert, Conversation(anna, bert))


def callee_vanished(case: ExchangeCase) -> int | None:
    """
    The callee is switched off without BYE.
    """
    anna, bert = case.pair()
    return vanished(case, bert, anna, Conversation(anna, bert))


def both_vanished(case: ExchangeCase) -> int | None:
    """
    Both are switched off, as when a switch loses power.
    """
    anna, bert = case.pair()
    Conversation(anna, bert).speak(25)
    for phone in (anna, bert):
        phone.hang_silent()
    case.network.advance(92)
    case.assertEqual(case.record["reason"], "media lost")
    return None


def forgotten_call(case: ExchangeCase) -> int | None:
    """
    The caller's phone was restarted: it says 481 to our question, and the call ends at once.
    """
    anna, bert = case.pair()
    Conversation(anna, bert)
    anna.polite = False
    anna.on_request = lambda request: anna.send(anna.answer(request, 481)) and None
    case.network.advance(67)
    return 481 if case.record["reason"] == "media lost" else None


def silent_but_there(case: ExchangeCase) -> int | None:
    """
    Both phones are silent for ten minutes but answer when they are asked: the call goes on.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    case.network.advance(600)
    case.assertEqual(case.exchange.records, [])
    for phone in (anna, bert):
        case.assertGreaterEqual(len(phone.requests("OPTIONS")), 8)
    return talk.hang_up(anna).status


def silent_and_refusing(case: ExchangeCase) -> int | None:
    """
    A phone that has no OPTIONS and says so is there all the same.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    for phone in (anna, bert):
        phone.polite = False
        phone.on_request = lambda request, phone=phone: phone.answer(request, 501) and None
    case.network.advance(200)
    case.assertEqual(case.exchange.records, [])
    for phone in (anna, bert):
        phone.on_request, phone.polite = None, True
    return talk.hang_up(bert).status


def late_offer(case: ExchangeCase) -> int | None:
    """
    An INVITE without an offer: the 200 carries ours, the callee's codec first; the ACK the answer, and both are heard.
    """
    anna, bert = case.pair()
    talk = Conversation(
        anna, bert, body=b"", answer=bert.sdp(formats=((8, "PCMA/8000"), (101, "telephone-event/8000"))),
        acknowledge=None,
    )
    case.assertIn(b"m=audio", talk.answer.body)
    case.assertIn(b"RTP/AVP 8 ", talk.answer.body)
    case.assertIn(b"RTP/AVP 0 8 9 111 101 110", talk.rung.body)
    anna.acknowledge(talk.invite, talk.answer, anna.sdp(formats=((8, "PCMA/8000"),)))
    for n in range(20):
        anna.speak(talk.answer.body, 1, first=n, payload_type=8)
        bert.speak(talk.rung.body, 1, first=n, payload_type=8)
    case.assertGreaterEqual(min(len(anna.media), len(bert.media)), 18)
    (shown,) = case.exchange.switchboard.list()
    case.assertEqual(shown["media_path"], "relay")
    return talk.hang_up(anna).status


def late_offer_in_another_codec(case: ExchangeCase) -> int | None:
    """
    The ACK's answer takes another codec than the callee did: the callee is offered that one, and nothing is converted.
    """
    anna, bert = case.pair()
    bert.on_request = lambda request: (
        bert.answer(request, 200, body=bert.sdp(formats=(PCMU,), version=2)) and None
        if request.method == "INVITE" and request.to_tag else None
    )
    talk = Conversation(
        anna, bert, body=b"", answer=bert.sdp(formats=(PCMA,)), acknowledge=anna.sdp(formats=(PCMU,))
    )
    case.network.advance(0.01)
    (_, again) = bert.requests("INVITE")
    case.assertIn(b"RTP/AVP 0 101\r\n", again.body)
    case.assertEqual(anna.requests("INVITE"), [])
    case.assertEqual(talk.speak(10), (10, 10))
    (shown,) = case.exchange.switchboard.list()
    case.assertEqual((shown["media_path"], [leg["codec"] for leg in shown["legs"]]), ("relay", ["PCMU", "PCMU"]))
    return talk.hang_up(anna).status


def late_offer_and_no_codec_in_common(case: ExchangeCase) -> int | None:
    """
    The callee refuses that offer, and is converted for.
    """
    anna, bert = case.pair()
    bert.on_request = lambda request: (
        bert.answer(request, 488) and None if request.method == "INVITE" and request.to_tag else None
    )
    talk = Conversation(
        anna, bert, body=b"", answer=bert.sdp(formats=(PCMA,)), acknowledge=anna.sdp(formats=(PCMU,))
    )
    case.network.advance(0.01)
    for n in range(5):
        anna.speak(talk.answer.body, 1, first=n, payload=b"\xff" * 160, ssrc=11)
        bert.speak(talk.rung.body, 1, first=n, payload_type=8, payload=b"\xd5" * 160, ssrc=12)
    # The silence of A-law is the smallest step of the other law.
    case.assertEqual([packet[12:14] for packet in (anna.media[-1], bert.media[-1])], [b"\xfe\xfe", b"\xd5\xd5"])
    (shown,) = case.exchange.switchboard.list()
    case.assertEqual((shown["media_path"], [leg["codec"] for leg in shown["legs"]]), ("transcode", ["PCMU", "PCMA"]))
    # What was offered in vain is forgotten: a re-INVITE gets the description that stood before.
    bert.on_request = None
    request = talk.request(bert, "INVITE")
    bert.send(request)
    case.network.advance(0.01)
    case.assertEqual(bert.last("INVITE").body, talk.rung.body)
    bert.send(talk.request(bert, "ACK", body=bert.sdp(formats=(PCMA,)), cseq=request.cseq.number))
    case.network.advance(0.01)
    return talk.hang_up(anna).status


def late_offer_without_answer(case: ExchangeCase) -> int | None:
    """
    The ACK brings no answer to it: the call ends for both.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert, body=b"")
    case.assertEqual([len(phone.requests("BYE")) for phone in (anna, bert)], [1, 1])
    case.assertEqual(case.record["hangup_by"], "system")
    return talk.answer.status


def late_offer_with_useless_answer(case: ExchangeCase) -> int | None:
    """
    The ACK brings an answer with nothing of ours.
    """
    anna, bert = case.pair()
    Conversation(anna, bert, body=b"", acknowledge=anna.sdp(formats=((96, "iLBC/8000"),)))
    case.assertEqual([len(phone.requests("BYE")) for phone in (anna, bert)], [1, 1])
    return 200


def reinvite_without_offer(case: ExchangeCase) -> int | None:
    """
    A re-INVITE without an offer gets all that we can do, and its ACK may change what the phone says.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    request = talk.request(anna, "INVITE")
    anna.send(request)
    case.network.advance(0.01)
    offered = anna.last("INVITE")
    case.assertIn(b"RTP/AVP 0 8 101 9 111 110\r\n", offered.body)
    anna.send(talk.request(anna, "ACK", body=anna.sdp(direction="sendonly", version=2), cseq=request.cseq.number))
    case.network.advance(0.01)
    (shown,) = case.exchange.switchboard.list()
    case.assertTrue(shown["legs"][0]["on_hold"])
    return talk.hang_up(anna).status


class MediaTable(TableCase):
    """
    Phones that vanish or fall silent, and offers that come late.
    """

    rows = (
        Row(caller_vanished, None, "media lost from 1001", "answered", "media lost", 33),
        Row(callee_vanished, None, "media lost from 1002", "answered", "media lost", 33),
        Row(both_vanished, None, "media lost from", "answered", "media lost", 33),
        Row(forgotten_call, 481, "media lost from 1001", "answered", "media lost", 33),
        Row(silent_but_there, 200, "", "answered", "Normal call clearing"),
        Row(silent_and_refusing, 200, "", "answered", "Normal call clearing"),
        Row(late_offer, 200, "", "answered", "Normal call clearing"),
        Row(late_offer_in_another_codec, 200, "", "answered", "Normal call clearing"),
        Row(late_offer_and_no_codec_in_common, 200, "", "answered", "Normal call clearing"),
        Row(late_offer_without_answer, 200, "", "answered", "Not Acceptable Here"),
        Row(late_offer_with_useless_answer, 200, "", "answered", "No codec in common"),
        Row(reinvite_without_offer, 200, "", "answered", "Normal call clearing"),
    )
