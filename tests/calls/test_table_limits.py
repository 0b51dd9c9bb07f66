"""
The table of failures: what we have no room for, and offers that make no call.
"""

from __future__ import annotations

import errno
from unittest.mock import patch

from pbx.calls.tools import CallSettings
from pbx.media.settings import MediaSettings
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import EVENTS
from tests.calls.table import Row, TableCase, refused


def timer_c(case: ExchangeCase) -> int | None:
    """
    Where phones may ring for ever, timer C ends it after 180 s.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    case.network.advance(179)
    case.assertEqual(bert.requests("CANCEL"), [])
    case.network.advance(1.1)
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite, 18)


def too_many_calls(case: ExchangeCase) -> int | None:
    """
    Calls beyond the limit; of three refused in one minute the log tells once.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    for number in ("1004", "1005"):
        other = case.phone(number)
        refused(case, other, other.call("1002"), 42)
        case.exchange.records.pop()
    carl = case.phone("1003")
    invite = carl.call("1002")
    case.assertEqual(carl.last("INVITE").headers.get("Retry-After"), "10")
    status = refused(case, carl, invite, 42)
    case.assertEqual(len(bert.requests("INVITE")), 1)
    talk.hang_up(anna)
    case.assertEqual(case.exchange.records.pop()["disposition"], "answered")
    return status


def ports_exhausted(case: ExchangeCase) -> int | None:
    """
    Every media port is taken; of three calls refused in one minute the log tells once, and what to change.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    carl = case.phone("1003")
    for seconds in (1, 20, 30):
        invite = carl.call("1002")
        case.assertEqual(carl.last("INVITE").headers.get("Retry-After"), "10")
        status = refused(case, carl, invite, 34)
        carl.received.clear()
        case.network.advance(seconds)
        talk.speak(1, first=seconds)
    talk.hang_up(anna)
    case.assertEqual(len(case.exchange.records), 4)
    del case.exchange.records[:3]
    return status


def callees_port_exhausted(case: ExchangeCase) -> int | None:
    """
    There is a port for the caller and none for the callee.
    """
    anna = case.phone("1001")
    case.phone("1002")
    invite = anna.call("1002")
    case.assertEqual(anna.last("INVITE").headers.get("Retry-After"), "10")
    return refused(case, anna, invite, 34)


def no_file_left(case: ExchangeCase) -> int | None:
    """
    The process may open no more files: the caller is told as if no port were free.
    """
    anna, _ = case.pair()
    with patch.object(case.exchange.engine, "open", side_effect=OSError(errno.EMFILE, "Too many open files")):
        invite = anna.call("1002")
    return refused(case, anna, invite, 34)


def no_file_left_for_the_callee(case: ExchangeCase) -> int | None:
    """
    There was one for the caller and is none for the callee.
    """
    anna, bert = case.pair()
    engine = case.exchange.engine
    failures = [None, OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")]
    reopen = engine.open

    def failing(*args: str, **more: str) -> object:
        failure = failures.pop(0)
        if failure is not None:
            raise failure
        return reopen(*args, **more)

    with patch.object(engine, "open", failing):
        invite = anna.call("1002")
    case.assertEqual(bert.received, [])
    return refused(case, anna, invite, 34)


def our_own_mistake(case: ExchangeCase) -> int | None:
    """
    An error in the exchange itself: 500, a traceback in the log, and a record that says the same; nothing stays behind.
    """
    anna, bert = case.pair()
    with patch("pbx.calls.journey.Attempt.start", side_effect=RuntimeError("a mistake")):
        invite = anna.call("1002")
    case.assertEqual(len(case.flushLoggedErrors(RuntimeError)), 1)
    case.assertEqual(bert.received, [])
    return refused(case, anna, invite)


def caller_cannot_be_answered(case: ExchangeCase) -> int | None:
    """
    The callee has picked up and nothing can be made of it for the caller: both are told.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    with patch("pbx.calls.inbound.answer_to_caller", return_value=[]):
        bert.reply(bert.requests("INVITE")[0], 200, body=bert.sdp())
    case.assertEqual([len(bert.requests(method)) for method in ("ACK", "BYE")], [1, 1])
    return refused(case, anna, invite, 65)


def no_codec(case: ExchangeCase) -> int | None:
    """
    An offer without a codec.
    """
    anna, bert = case.pair()
    invite = anna.call("1002", body=anna.sdp(formats=(EVENTS,)))
    case.assertEqual(bert.requests("INVITE"), [])
    return refused(case, anna, invite, 65)


def garbage_offer(case: ExchangeCase) -> int | None:
    """
    An offer that is none.
    """
    anna, _ = case.pair()
    return refused(case, anna, anna.call("1002", body=b"m=nothing to speak of\r\n"), 65)


def callee_takes_no_codec(case: ExchangeCase) -> int | None:
    """
    A callee that answers with nothing of the offer is sent away, and the caller told.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 200, body=bert.sdp(formats=((96, "iLBC/8000"),)))
    case.assertEqual([len(bert.requests(method)) for method in ("ACK", "BYE")], [1, 1])
    return refused(case, anna, invite, 65)


def callee_answers_without_description(case: ExchangeCase) -> int | None:
    """
    So is one whose 200 has no description at all.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 200)
    case.assertEqual([len(bert.requests(method)) for method in ("ACK", "BYE")], [1, 1])
    return refused(case, anna, invite, 65)


def body_of_another_kind(case: ExchangeCase) -> int | None:
    """
    An INVITE with a body that describes no session.
    """
    anna, _ = case.pair()
    request = anna.request("INVITE", f"sip:1002@{ADDRESS}", body=b"Hello")
    request.headers.set("Content-Type", "text/plain")
    again = anna.authenticated(request)
    return refused(case, anna, again)


def srtp_in_the_clear(case: ExchangeCase) -> int | None:
    """
    SRTP over a transport that anybody can read: its keys are worth nothing.
    """
    anna, _ = case.pair()
    body = anna.sdp(profile="RTP/SAVP") + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b"QUJD" * 10 + b"\r\n"
    return refused(case, anna, anna.call("1002", body=body), 65)


class LimitsTable(TableCase):
    """
    What we have no room for, and offers that make no call.
    """

    rows = (
        Row(timer_c, 480, "", "no answer", "No answer", options={"calls": CallSettings(no_answer_timeout=600)}),
        Row(too_many_calls, 503, "1 calls are live already", "failed", "Too many calls",
            options={"calls": CallSettings(max_calls=1)}),
        Row(ports_exhausted, 503, "no media port is free .* widen", "answered", "Normal call clearing",
            options={"media": MediaSettings(port_range_start=20_000, port_range_end=20_003)}),
        Row(callees_port_exhausted, 503, "no media port is free", "failed", "No media port free",
            options={"media": MediaSettings(port_range_start=20_000, port_range_end=20_001)}),
        Row(no_file_left, 503, "no socket for media at 10.0.0.1: .*Too many open files", "failed",
            "No media port free"),
        Row(no_file_left_for_the_callee, 503, "no socket for media at 10.0.0.1", "failed", "No media port free"),
        Row(our_own_mistake, 500, "INVITE could not be served", "failed", "Server Internal Error"),
        Row(caller_cannot_be_answered, 488, "", "failed", "No codec in common"),
        Row(no_codec, 488, "", "failed", "No codec in common"),
        Row(garbage_offer, 488, "", "failed", "Not Acceptable Here"),
        Row(callee_takes_no_codec, 488, "", "failed", "No codec in common"),
        Row(callee_answers_without_description, 488, "", "failed", "Not Acceptable Here"),
        Row(body_of_another_kind, 415),
        Row(srtp_in_the_clear, 488, "", "failed", "SRTP keys need TLS"),
    )
