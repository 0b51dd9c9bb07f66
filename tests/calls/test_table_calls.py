"""
The table of failures: calls that come to nothing.
"""

from __future__ import annotations

from tests.calls.case import ExchangeCase
from tests.calls.table import Row, TableCase, refused


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
    # Who has proved who it is holds no place among the strangers.
    case.assertEqual(case.exchange.transactions.unauthenticated, 0)
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
    Calls that come to nothing.
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
        Row(cancelled_while_ringing, 487, "", "cancelled", "Cancelled by the caller"),
        Row(cancelled_before_any_answer, 487, "", "cancelled", "Cancelled by the caller"),
        Row(cancelled_by_bye, 487, "", "cancelled", "BYE before the answer"),
        Row(cancel_crosses_the_callees_200, 487, "", "cancelled", "Cancelled by the caller"),
        Row(cancel_crosses_our_200, 200, "", "answered", "Normal call clearing"),
        Row(cancel_unanswered, 487, "", "cancelled", "Cancelled by the caller", 64.5),
        Row(ended_by_the_operator_while_ringing, 480, "", "cancelled", "Ended by the operator"),
    )
