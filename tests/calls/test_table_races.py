"""
The table of failures: messages that cross, come twice, come late, or go in circles.
"""

from __future__ import annotations

from pbx.sip.message import Request, Response
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import numbers
from tests.calls.table import Row, TableCase


def bye_crosses_bye(case: ExchangeCase) -> int | None:
    """
    Both hang up in the same moment: each BYE gets 200, also the one that ours has crossed.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    for phone in (anna, bert):
        phone.send(talk.request(phone, "BYE"))
    case.network.advance(0.01)
    case.assertEqual([len(phone.requests("BYE")) for phone in (anna, bert)], [0, 1])
    case.assertEqual(anna.responses("BYE"), [200])
    return bert.last("BYE").status


def bye_crosses_200(case: ExchangeCase) -> int | None:
    """
    The caller gives up with BYE in the moment in which the callee picks up: nobody stays behind.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    bert.reply(rung, 180)
    bert.answer(rung, 200, body=bert.sdp())
    case.network.advance(0.0015)
    anna.send(anna.within("BYE", invite, anna.last("INVITE"), cseq=invite.cseq.number + 1))
    case.network.advance(0.02)
    case.assertEqual([len(bert.requests(method)) for method in ("ACK", "BYE")], [1, 1])
    case.assertEqual(anna.responses("INVITE")[-1], 200)
    # RFC 3261 15.1.2 still owes the ACK; afterwards the 200 is not repeated.
    anna.acknowledge(invite, anna.last("INVITE"))
    return anna.last("BYE").status


def bye_before_the_ack(case: ExchangeCase) -> int | None:
    """
    The callee hangs up before the caller's ACK has come: our BYE to the caller waits for it (RFC 3261 15).
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert, acknowledge=None)
    talk.hang_up(bert)
    case.network.advance(2)
    case.assertEqual(anna.requests("BYE"), [])
    anna.acknowledge(talk.invite, talk.answer)
    case.assertEqual(len(anna.requests("BYE")), 1)
    return bert.last("BYE").status


def bye_of_the_callee_with_its_200(case: ExchangeCase) -> int | None:
    """
    The callee's BYE overtakes nothing and follows its 200 at once.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    answered = bert.answer(rung, 200, body=bert.sdp())
    bert.send(bert.within_received("BYE", rung, answered))
    case.network.advance(0.01)
    anna.acknowledge(invite, anna.last("INVITE"))
    case.assertEqual(len(anna.requests("BYE")), 1)
    return bert.last("BYE").status


def no_ack(case: ExchangeCase) -> int | None:
    """
    The caller never acknowledges: the 200 is repeated for 64*T1, then both are sent BYE.
    """
    anna, bert = case.pair()
    Conversation(anna, bert, acknowledge=None)
    anna.speak(anna.last("INVITE").body, 1)
    case.network.advance(31.5)
    case.assertEqual(anna.responses("INVITE").count(200), 11)
    case.assertEqual(anna.requests("BYE"), [])
    case.network.advance(1)
    case.assertEqual([len(phone.requests("BYE")) for phone in (anna, bert)], [1, 1])
    return 200


def lost_200_of_the_callee(case: ExchangeCase) -> int | None:
    """
    Our ACK to the callee is lost: each copy of its 200 gets one again, and the call is one call.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    for _ in range(3):
        bert.send(talk.answered)
        case.network.advance(1)
    case.assertEqual(len(bert.requests("ACK")), 4)
    talk.hang_up(anna)
    return anna.last("BYE").status


def retransmitted_invite(case: ExchangeCase) -> int | None:
    """
    An INVITE that comes again is absorbed: the phone rings once, and the caller is told again what it was told.
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    for _ in range(3):
        anna.send(invite)
        case.network.advance(0.01)
    case.assertEqual(anna.responses("INVITE").count(180), 4)
    case.assertEqual(len(bert.requests("INVITE")), 1)
    bert.reply(bert.requests("INVITE")[0], 486)
    answer = anna.last("INVITE")
    anna.acknowledge_refusal(invite, answer)
    return answer.status


def merged_request(case: ExchangeCase) -> int | None:
    """
    The same INVITE by two ways, with another branch: 482, and the first goes on (RFC 3261 8.2.2.2).
    """
    anna, bert = case.pair()
    invite = anna.call("1002")
    (rung,) = bert.requests("INVITE")
    bert.reply(rung, 180)
    copy = Request("INVITE", invite.uri, invite.headers.copy(), invite.body)
    copy.headers.set("Via", f"SIP/2.0/UDP {anna.address}:5060;branch=z9hG4bKother{next(numbers)};rport")
    anna.send(copy)
    case.network.advance(0.01)
    answer = anna.last("INVITE")
    case.assertEqual(answer.status, 482)
    anna.acknowledge_refusal(copy, answer)
    case.assertEqual(len(bert.requests("INVITE")), 1)
    bert.reply(rung, 200, body=bert.sdp())
    answer = anna.last("INVITE")
    anna.acknowledge(invite, answer)
    anna.send(anna.within("BYE", invite, answer, cseq=invite.cseq.number + 1))
    return answer.status


def glare_of_the_peers(case: ExchangeCase) -> int | None:
    """
    A phone sends a re-INVITE while another of its own is not acknowledged yet: both have their answer (RFC 5407 3.1.4).
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    first = talk.request(anna, "INVITE", anna.sdp(version=2))
    second = talk.request(anna, "INVITE", anna.sdp(version=3))
    for request in (first, second):
        anna.send(request)
        case.network.advance(0.01)
    case.assertEqual(anna.responses("INVITE")[-2:], [200, 200])
    for request in (first, second):
        anna.send(talk.request(anna, "ACK", cseq=request.cseq.number))
    case.assertEqual(bert.requests("INVITE"), [talk.rung])
    talk.hang_up(anna)
    return 200


def reinvite_before_the_ack(case: ExchangeCase) -> int | None:
    """
    A re-INVITE of the caller whose ACK to our 200 is late is answered: it has our 200 (RFC 5407 3.1.4).
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert, acknowledge=None)
    again = talk.request(anna, "INVITE", anna.sdp(version=2))
    anna.send(again)
    case.network.advance(0.01)
    answer = anna.last("INVITE")
    anna.acknowledge(talk.invite, talk.answer)
    anna.send(talk.request(anna, "ACK", cseq=again.cseq.number))
    talk.hang_up(anna)
    return answer.status


def request_out_of_order(case: ExchangeCase) -> int | None:
    """
    A request within the call with a lower CSeq than an earlier one is 500 (RFC 3261 12.2.2).
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    anna.send(talk.request(anna, "INFO", cseq=1))
    case.network.advance(0.01)
    status = anna.last("INFO").status
    talk.hang_up(anna)
    return status


def bye_of_nobodys_call(case: ExchangeCase) -> int | None:
    """
    A BYE that belongs to no call is 481.
    """
    anna = case.phone("1001")
    request = anna.request("BYE", f"sip:1002@{ADDRESS}", to=f"<sip:1002@{ADDRESS}>;tag=nobody")
    anna.send(request)
    case.network.advance(0.01)
    return anna.last("BYE").status


def stray_ack(case: ExchangeCase) -> int | None:
    """
    An ACK that belongs to nothing is answered by nobody (RFC 3261 17.1.1.3).
    """
    anna = case.phone("1001")
    anna.send(anna.request("ACK", f"sip:1002@{ADDRESS}", to=f"<sip:1002@{ADDRESS}>;tag=nobody"))
    case.network.advance(1)
    return None if not anna.received else anna.last().status


def stray_cancel(case: ExchangeCase) -> int | None:
    """
    A CANCEL of nothing is 481.
    """
    anna = case.phone("1001")
    anna.send(anna.request("CANCEL", f"sip:1002@{ADDRESS}"))
    case.network.advance(0.01)
    return anna.last("CANCEL").status


def stray_200(case: ExchangeCase) -> int | None:
    """
    A 200 to an INVITE that we never sent bears no Via of ours and is dropped without a word.
    """
    anna = case.phone("1001")
    foreign = anna.request("INVITE", f"sip:1002@{ADDRESS}")
    anna.answer(foreign, 200, body=anna.sdp())
    case.network.advance(1)
    return None if not anna.received else 0


def no_hops_left(case: ExchangeCase) -> int | None:
    """
    An INVITE with Max-Forwards 0 is 483.
    """
    anna, bert = case.pair()
    invite = anna.request("INVITE", f"sip:1002@{ADDRESS}", body=anna.sdp(), max_forwards=0)
    anna.send(invite)
    case.network.advance(0.01)
    answer = anna.last("INVITE")
    anna.acknowledge_refusal(invite, answer)
    case.assertEqual(bert.received, [])
    return answer.status


class Forwarder:
    """
    A device that is registered as a phone and sends every call back, as a trunk with a wrong route would.

    Attributes:
        hops: The Max-Forwards that each INVITE came with.
    """

    def __init__(self, case: ExchangeCase, pause: float) -> None:
        self.hops: list[int | None] = []
        self.phone = case.phone("1003")
        self.phone.on_request = self.requested
        self.phone.on_response = self.answered
        self._pause = pause
        self._clock = case.network.clock
        self._sent: dict[str, tuple[Request, Request]] = {}

    def requested(self, request: Request) -> None:
        """
        Send an INVITE back after a pause.
        """
        if request.method == "INVITE":
            self.phone.answer(request, 100)
            self.hops.append(request.max_forwards)
            self._clock.callLater(self._pause, self._forward, request)

    def answered(self, response: Response) -> None:
        """
        Pass a refusal on; answer a challenge.
        """
        if response.status < 300 or response.cseq.method != "INVITE":
            return
        upstream, sent = self._sent[response.call_id]
        self.phone.send(self.phone.refusal_ack(sent, response))
        if response.status == 401:
            again = self.phone.credentials(sent, response)
            self._sent[response.call_id] = upstream, again
            self.phone.send(again)
        else:
            self.phone.answer(upstream, response.status)

    def _forward(self, request: Request) -> None:
        phone = self.phone
        hops = request.max_forwards or 0
        onward = phone.request("INVITE", f"sip:1003@{ADDRESS}", body=phone.sdp(), max_forwards=hops)
        self._sent[onward.call_id] = request, onward
        phone.send(onward)


def quick_loop(case: ExchangeCase) -> int | None:
    """
    A device sends each call back at once: the eleventh within two seconds is refused as a loop, and all end.
    """
    anna = case.phone("1001")
    forwarder = Forwarder(case, 0.01)
    invite = anna.call("1003")
    case.network.advance(1)
    case.assertEqual(forwarder.hops, list(range(69, 58, -1)))
    answer = anna.last("INVITE")
    anna.acknowledge_refusal(invite, answer)
    # One of the calls around the loop is like another; the caller's own ends last.
    case.assertEqual(len(case.exchange.records), 11)
    del case.exchange.records[:-1]
    return answer.status


def slow_loop(case: ExchangeCase) -> int | None:
    """
    A device sends each call back after a while: Max-Forwards, less by one with each call, ends it after 18 hops.
    """
    anna = case.phone("1001")
    forwarder = Forwarder(case, 0.25)
    request = anna.request("INVITE", f"sip:1003@{ADDRESS}", body=anna.sdp(), max_forwards=18)
    invite = anna.authenticated(request)
    case.network.advance(6)
    case.assertEqual(forwarder.hops, list(range(17, -1, -1)))
    answer = anna.last("INVITE")
    anna.acknowledge_refusal(invite, answer)
    case.assertEqual(len(case.exchange.records), 18)
    del case.exchange.records[:-1]
    return answer.status


class RacesTable(TableCase):
    """
    Messages that cross, come twice, come late, or go in circles.
    """

    rows = (
        Row(bye_crosses_bye, 200, "", "answered", "Normal call clearing"),
        Row(bye_crosses_200, 200, "", "answered", "Normal call clearing"),
        Row(bye_before_the_ack, 200, "", "answered", "Normal call clearing"),
        Row(bye_of_the_callee_with_its_200, 200, "", "answered", "Normal call clearing"),
        Row(no_ack, 200, "", "answered", "No ACK"),
        Row(lost_200_of_the_callee, 200, "", "answered", "Normal call clearing"),
        Row(retransmitted_invite, 486, "", "busy", "Busy Here"),
        Row(merged_request, 200, "", "answered", "Normal call clearing"),
        Row(glare_of_the_peers, 200, "", "answered", "Normal call clearing"),
        Row(reinvite_before_the_ack, 200, "", "answered", "Normal call clearing"),
        Row(request_out_of_order, 500, "", "answered", "Normal call clearing"),
        Row(bye_of_nobodys_call, 481),
        Row(stray_ack, None),
        Row(stray_cancel, 481),
        Row(stray_200, None),
        Row(no_hops_left, 483),
        Row(quick_loop, 482, "1003 called 1003 more than 10 times within 2 s", "failed", "Loop Detected"),
        Row(slow_loop, 483, "", "failed", "Too Many Hops"),
    )
