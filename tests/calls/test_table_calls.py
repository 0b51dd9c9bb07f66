"""
The table of failures: calls that come to nothing, or to less than was hoped.
"""

from __future__ import annotations

import errno
from unittest.mock import patch

from pbx.calls.call import CallSettings
from pbx.dialog.useragent import UserAgentSettings
from pbx.media.settings import MediaSettings
from pbx.sip.reasons import parse_reasons
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import EVENTS, Phone
from tests.calls.table import Row, TableCase


def refused(case: ExchangeCase, phone: Phone, invite: object, cause: int = 0) -> int:
    """
    Acknowledge the refusal that a caller got, which names its cause; its status.
    """
    answer = phone.last("INVITE")
    case.assertEqual(phone.responses("INVITE").count(answer.status), 1)
    phone.acknowledge_refusal(invite, answer)  # type: ignore[arg-type]
    if cause:
        (reason,) = parse_reasons(answer.headers.get_all("Reason"))
        case.assertEqual((reason.protocol, reason.cause), ("Q.850", cause))
    return answer.status


def unregistered_callee(case: ExchangeCase) -> int | None:
    """
    An extension whose phones are away.
    """
    anna = case.phone("1001")
    return refused(case, anna, anna.call("1002"), 20)


def unknown_number(case: ExchangeCase) -> int | None:
    """
    A number that is nobody's.
    """
    anna = case.phone("1001")
    return refused(case, anna, anna.call("7777"), 1)


def expired_callee(case: ExchangeCase) -> int | None:
    """
    A registration that ran out a moment ago, before anyone swept it up.
    """
    anna, bert = case.phone("1001"), case.phone("1002", register=False)
    bert.register(expires=60)
    case.network.advance(60.5)
    return refused(case, anna, anna.call("1002"), 20)


def busy(case: ExchangeCase) -> int | None:
    """
    A phone that is busy.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    bert.reply(rung, 486)
    case.assertEqual(len(bert.requests("ACK")), 1)
    return refused(case, anna, invite, 17)


def no_answer(case: ExchangeCase) -> int | None:
    """
    A phone that rings for 30 s: it is cancelled, and the caller told.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    case.network.advance(29.9)
    case.assertEqual(anna.responses("INVITE"), [401, 180])
    case.network.advance(0.2)
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite, 19)


def callee_unreachable(case: ExchangeCase) -> int | None:
    """
    A phone that does not answer for 4 s counts as one that is not there.
    """
    anna, bert = case.pair()
    bert.hang_silent()
    invite = anna.call("1002")
    case.network.advance(3.9)
    case.assertEqual(anna.responses("INVITE"), [401, 100])
    case.network.advance(0.2)
    return refused(case, anna, invite, 20)


def unreachable_phone_answers_late(case: ExchangeCase) -> int | None:
    """
    The phone that was given up answers after all: it is told at once that nobody is there any more.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    case.network.advance(4.1)
    bert.reply(bert.requests("INVITE")[0], 200, body=bert.sdp())
    case.assertEqual([len(bert.requests(method)) for method in ("ACK", "BYE")], [1, 1])
    return refused(case, anna, invite, 20)


def unreachable_phone_rings_late(case: ExchangeCase) -> int | None:
    """
    Or it rings after all: it is cancelled.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    case.network.advance(4.1)
    bert.reply(bert.requests("INVITE")[0], 180)
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite, 20)


def one_of_two_unreachable(case: ExchangeCase) -> int | None:
    """
    Of two phones one does not answer at all; the other rings on and is picked up.
    """
    anna, bert, away = case.phone("1001"), case.phone("1002"), case.phone("1002")
    away.hang_silent()
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    bert.reply(rung, 180)
    case.network.advance(6)
    case.assertEqual(len(case.logged("sip.no_response")), 1)
    bert.reply(rung, 200, body=bert.sdp())
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    return answer.status


def cancelled_while_ringing(case: ExchangeCase) -> int | None:
    """
    The caller hangs up while it rings.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    anna.cancel(invite)
    case.assertEqual(anna.responses("CANCEL"), [200])
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    case.assertEqual(len(bert.requests("ACK")), 1)
    return refused(case, anna, invite)


def cancelled_before_any_answer(case: ExchangeCase) -> int | None:
    """
    The caller hangs up before the phone has said a word: its CANCEL waits until it has (RFC 3261 9.1).
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    anna.cancel(invite)
    case.assertEqual(len(bert.requests("CANCEL")), 0)
    bert.reply(bert.requests("INVITE")[0], 180)
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite)


def cancelled_by_bye(case: ExchangeCase) -> int | None:
    """
    The caller ends the early dialog with BYE (RFC 3261 15).
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    anna.send(anna.within("BYE", invite, anna.last("INVITE"), cseq=invite.cseq.number + 1))
    case.network.advance(0.01)
    case.assertEqual(anna.responses("BYE"), [200])
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite)


def cancel_crosses_the_callees_200(case: ExchangeCase) -> int | None:
    """
    Our CANCEL crosses the 200 of the callee: it gets ACK and BYE, the caller 487.
    """
    anna, bert = case.pair()
    bert.polite = False
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    bert.reply(rung, 180)
    anna.cancel(invite)
    (cancel,) = bert.requests("CANCEL")
    bert.reply(rung, 200, body=bert.sdp())
    bert.reply(cancel, 481)
    case.assertEqual(len(bert.requests("ACK")), 1)
    (bye,) = bert.requests("BYE")
    case.assertEqual(bye.to_tag, "callee")
    bert.reply(bye, 200)
    return refused(case, anna, invite)


def cancel_crosses_our_200(case: ExchangeCase) -> int | None:
    """
    The caller's CANCEL crosses our 200: it changes nothing, the call is up, and the caller ends it with BYE.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    bert.reply(rung, 180)
    # Sent in the moment in which our 200 is under way.
    bert.answer(rung, 200, body=bert.sdp())
    case.network.advance(0.0015)
    anna.cancel(invite)
    case.assertEqual(anna.responses("CANCEL"), [200])
    case.assertEqual(anna.responses("INVITE")[-1], 200)
    case.assertEqual(bert.requests("CANCEL") + bert.requests("BYE"), [])
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=invite.cseq.number + 1))
    case.network.advance(0.01)
    case.assertEqual(len(bert.requests("BYE")), 1)
    return answer.status


def cancel_unanswered(case: ExchangeCase) -> int | None:
    """
    The callee rang, then vanished: no answer comes to our CANCEL, and after 64*T1 the INVITE counts as cancelled.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    bert.hang_silent()
    anna.cancel(invite)
    return refused(case, anna, invite)


def two_phones_answer_at_once(case: ExchangeCase) -> int | None:
    """
    Two phones of one extension are picked up in the same moment: one has the call, the other gets ACK and BYE.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    for phone in (bert, rita):
        phone.reply(phone.requests("INVITE")[0], 180)
    for phone in (bert, rita):
        phone.answer(phone.requests("INVITE")[0], 200, body=phone.sdp(), tag=phone.address)
    case.network.advance(0.02)
    case.assertEqual([len(phone.requests("ACK")) for phone in (bert, rita)], [1, 1])
    case.assertEqual([len(phone.requests("BYE")) for phone in (bert, rita)], [0, 1])
    answer = anna.last("INVITE")
    case.assertEqual(anna.responses("INVITE").count(200), 1)
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    case.network.advance(0.01)
    case.assertEqual([len(phone.requests("BYE")) for phone in (bert, rita)], [1, 1])
    case.assertEqual([leg["status"] for leg in case.record["legs"]], [None, None, 487])
    return answer.status


def losers_are_cancelled(case: ExchangeCase) -> int | None:
    """
    One of three phones is picked up: the others are cancelled with the reason that keeps it off their missed calls.
    """
    anna, *phones = case.phone("1001"), *(case.phone("1002") for _ in range(3))
    invite = anna.call("1002")
    for phone in phones:
        phone.reply(phone.requests("INVITE")[0], 180)
    case.assertEqual(anna.responses("INVITE").count(180), 1)
    phones[1].reply(phones[1].requests("INVITE")[0], 200, body=phones[1].sdp())
    case.assertEqual([len(phone.requests("CANCEL")) for phone in phones], [1, 0, 1])
    for phone in (phones[0], phones[2]):
        (reason,) = parse_reasons(phone.requests("CANCEL")[0].headers.get_all("Reason"))
        case.assertEqual((reason.protocol, reason.cause, reason.text), ("SIP", 200, "Call completed elsewhere"))
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    return answer.status


def downstream_fork_answers_twice(case: ExchangeCase) -> int | None:
    """
    Behind one binding sits a proxy that forks: two 18x and two 200 with different To tags. The second gets ACK and BYE.
    """
    anna, proxy = case.pair()
    invite = anna.call("1002")
    (rung,) = proxy.requests("INVITE")
    for tag in ("one", "two"):
        proxy.reply(rung, 180, tag=tag, headers=(("Contact", f"<sip:{tag}@10.0.2.2>"),))
    case.assertEqual(anna.responses("INVITE").count(180), 1)
    for tag in ("one", "two"):
        proxy.answer(rung, 200, tag=tag, body=proxy.sdp())
    case.network.advance(0.02)
    case.assertEqual([ack.to_tag for ack in proxy.requests("ACK")], ["one", "two"])
    case.assertEqual([bye.to_tag for bye in proxy.requests("BYE")], ["two"])
    case.assertEqual(proxy.requests("CANCEL"), [])
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=9))
    case.network.advance(0.01)
    case.assertEqual([bye.to_tag for bye in proxy.requests("BYE")], ["two", "one"])
    return answer.status


def decline_ends_all_phones(case: ExchangeCase) -> int | None:
    """
    603 of one phone speaks for the person: the others stop ringing.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    for phone in (bert, rita):
        phone.reply(phone.requests("INVITE")[0], 180)
    bert.reply(bert.requests("INVITE")[0], 603)
    case.assertEqual(len(rita.requests("CANCEL")), 1)
    return refused(case, anna, invite, 21)


def busy_everywhere_ends_all_phones(case: ExchangeCase) -> int | None:
    """
    So does 600.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    for phone in (bert, rita):
        phone.reply(phone.requests("INVITE")[0], 180)
    rita.reply(rita.requests("INVITE")[0], 600)
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite, 17)


def busy_phone_does_not_end_the_others(case: ExchangeCase) -> int | None:
    """
    486 of one phone ends only that phone; when the other does not answer, the caller is told that it is busy.
    """
    anna, bert, rita = case.phone("1001"), case.phone("1002"), case.phone("1002")
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 486)
    rita.reply(rita.requests("INVITE")[0], 180)
    case.network.advance(10)
    case.assertEqual(rita.requests("CANCEL"), [])
    rita.reply(rita.requests("INVITE")[0], 480)
    return refused(case, anna, invite, 17)


def redirecting_phone(case: ExchangeCase) -> int | None:
    """
    A phone that redirects: the caller is not sent elsewhere on a stranger's word.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 302, headers=(("Contact", "<sip:00900123@evil.example>"),))
    return refused(case, anna, invite, 31)


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
    One call beyond the limit.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
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
    with patch("pbx.calls.call.Attempt.start", side_effect=RuntimeError("a mistake")):
        invite = anna.call("1002")
    case.assertEqual(len(case.flushLoggedErrors(RuntimeError)), 1)
    case.assertEqual(bert.received, [])
    return refused(case, anna, invite)


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


def ended_by_the_operator_while_ringing(case: ExchangeCase) -> int | None:
    """
    The operator ends a call that rings.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    (call,) = case.exchange.switchboard.list()
    case.assertEqual((call["caller"], call["callee"], call["state"]), ("1001", "1002", "ringing"))
    case.assertTrue(case.exchange.switchboard.hang_up(call["id"]))
    case.network.advance(0.01)
    case.assertEqual(len(bert.requests("CANCEL")), 1)
    return refused(case, anna, invite, 16)


class CallsTable(TableCase):
    """
    Calls that come to nothing, or to less than was hoped.
    """

    rows = (
        Row(unregistered_callee, 480, "", "failed", "Not registered"),
        Row(unknown_number, 404, "", "failed", "Unallocated number"),
        Row(expired_callee, 480, "", "failed", "Not registered"),
        Row(busy, 486, "", "busy", "Busy Here"),
        Row(no_answer, 480, "", "no answer", "No answer"),
        Row(callee_unreachable, 480, "sip.no_response from 1002 at udp:", "failed", "Phone unreachable"),
        Row(unreachable_phone_answers_late, 480, "sip.no_response", "failed", "Phone unreachable", 64.5),
        Row(unreachable_phone_rings_late, 480, "sip.no_response", "failed", "Phone unreachable"),
        Row(one_of_two_unreachable, 200, "sip.no_response", "answered", "Normal call clearing"),
        Row(cancelled_while_ringing, 487, "", "cancelled", "Cancelled by the caller"),
        Row(cancelled_before_any_answer, 487, "", "cancelled", "Cancelled by the caller"),
        Row(cancelled_by_bye, 487, "", "cancelled", "BYE before the answer"),
        Row(cancel_crosses_the_callees_200, 487, "", "cancelled", "Cancelled by the caller"),
        Row(cancel_crosses_our_200, 200, "", "answered", "Normal call clearing"),
        Row(cancel_unanswered, 487, "", "cancelled", "Cancelled by the caller", 64.5),
        Row(two_phones_answer_at_once, 200, "", "answered", "Normal call clearing"),
        Row(losers_are_cancelled, 200, "", "answered", "Normal call clearing"),
        Row(downstream_fork_answers_twice, 200, "", "answered", "Normal call clearing"),
        Row(decline_ends_all_phones, 603, "", "busy", "Decline"),
        Row(busy_everywhere_ends_all_phones, 600, "", "busy", "Busy Everywhere"),
        Row(busy_phone_does_not_end_the_others, 486, "", "busy", "Busy Here"),
        Row(redirecting_phone, 480, "", "failed", "Phone answered 302"),
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
        Row(no_codec, 488, "", "failed", "No codec in common"),
        Row(garbage_offer, 488, "", "failed", "Not Acceptable Here"),
        Row(callee_takes_no_codec, 488, "", "failed", "No codec in common"),
        Row(callee_answers_without_description, 488, "", "failed", "Not Acceptable Here"),
        Row(body_of_another_kind, 415),
        Row(srtp_in_the_clear, 488, "", "failed", "SRTP keys need TLS"),
        Row(ended_by_the_operator_while_ringing, 480, "", "cancelled", "Ended by the operator",
            options={"agent": UserAgentSettings()}),
    )
