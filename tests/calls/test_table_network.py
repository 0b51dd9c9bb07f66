"""
The table of failures: what strangers send, connections that say nothing, and clocks that jump.
"""

from __future__ import annotations

import os
import random

from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.stream_phone import Line, StreamPhone, dial
from tests.calls.table import Row, TableCase


def call_succeeds(case: ExchangeCase) -> int:
    """
    Somebody else calls as if nothing were the matter; what the hang-up was answered.
    """
    bert, rita = case.phone("1002"), case.phone("1003")
    for phone in (bert, rita):
        phone.listen_for_media()
    talk = Conversation(bert, rita)
    case.assertEqual(talk.speak(5), (5, 5))
    return talk.hang_up(bert).status


def garbage_datagrams(case: ExchangeCase) -> int | None:
    """
    A thousand datagrams of chance, and a call in the middle of them.
    """
    stranger = case.phone("1001", register=False)
    chance = random.Random(1)  # noqa: S311  # chance, no secret
    for _ in range(500):
        stranger.send_bytes(chance.randbytes(chance.randrange(1, 1400)))
    invite = stranger.request("INVITE", f"sip:1002@{ADDRESS}", body=stranger.sdp()).to_bytes()
    for _ in range(500):
        spoiled = bytearray(invite)
        for _ in range(chance.randrange(1, 6)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        stranger.send_bytes(bytes(spoiled))
    case.network.advance(0.1)
    # What could be read of it was refused; nobody rang.
    case.assertTrue(set(stranger.responses()) <= {400, 401, 405, 416, 420, 481, 482, 501, 505})
    return call_succeeds(case)


def keep_alives(case: ExchangeCase) -> int | None:
    """
    CRLF and NUL datagrams, by which phones hold their NAT open, are ignored in silence.
    """
    phone = case.phone("1001")
    for data in (b"\r\n", b"\x00", b"\x00\x00\x00\x00", b"\r\n\r\n"):
        phone.send_bytes(data)
    case.network.advance(0.1)
    return None if not phone.received else 0


def datagram_of_64_kb(case: ExchangeCase) -> int | None:
    """
    The largest datagram there is, a REGISTER full of padding, is read like any other.
    """
    phone = case.phone("1001", register=False)
    request = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
    room = 65_507 - len(request.to_bytes())
    while room > 8000:
        request.headers.add("X-Padding", "x" * 7900)
        room = 65_507 - len(request.to_bytes())
    request.headers.add("X-Padding", "x" * (room - len("X-Padding: \r\n")))
    case.assertEqual(len(request.to_bytes()), 65_507)
    phone.send(request)
    case.network.advance(0.01)
    return phone.last().status


def invite_of_64_kb(case: ExchangeCase) -> int | None:
    """
    An INVITE whose headers and description fill the largest datagram: what is offered onward stays small.
    """
    anna, bert = case.pair()
    body = anna.sdp() + b"".join(b"a=x-padding:" + b"x" * 180 + b"\r\n" for _ in range(160))
    talk = Conversation(anna, bert, body=body, headers=tuple(("X-Padding", "x" * 7500) for _ in range(4)))
    case.assertGreater(len(talk.invite.to_bytes()), 60_000)
    case.assertLess(len(talk.rung.to_bytes()), 1300)
    return talk.hang_up(anna).status


def datagram_of_noise_of_64_kb(case: ExchangeCase) -> int | None:
    """
    The largest datagram of chance bytes.
    """
    stranger = case.phone("1001", register=False)
    stranger.send_bytes(os.urandom(65_507))
    case.network.advance(0.1)
    return None if not stranger.received else 0


def a_byte_a_second(case: ExchangeCase) -> int | None:
    """
    A TCP peer that sends its REGISTER a byte a second is cut off, and keeps nothing of ours till then.
    """
    slow = case.phone("1001", register=False, kind=StreamPhone)
    data = slow.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>").to_bytes()
    sent = 0
    while slow.line.open and sent < len(data):
        slow.send_bytes(data[sent : sent + 1])
        sent += 1
        case.network.advance(1)
    case.assertLessEqual(sent, 32)
    case.assertEqual(len(case.exchange.transport.connections), 0)
    case.assertEqual(slow.received, [])
    return call_succeeds(case)


def idle_connections(case: ExchangeCase) -> int | None:
    """
    2,000 TCP connections that say nothing: another client's call succeeds, and after 30 s all are closed.
    """
    reactor = case.network.reactor("10.6.6.6")
    lines = [Line() for _ in range(2000)]
    for line in lines:
        dial(reactor, (ADDRESS, 5060), line)
    case.network.advance(0.1)
    case.assertEqual(sum(line.open for line in lines), 2000)
    anna = case.phone("1001", kind=StreamPhone)
    anna.listen_for_media()
    bert = case.phone("1002")
    bert.listen_for_media()
    talk = Conversation(anna, bert)
    case.assertEqual(talk.speak(5), (5, 5))
    case.network.advance(28.5)
    case.assertEqual(sum(line.open for line in lines), 2000)
    case.network.advance(2)
    case.assertEqual(sum(line.open for line in lines), 0)
    case.assertTrue(anna.line.open)
    case.assertEqual(len(case.exchange.transport.connections), 1)
    status = talk.hang_up(anna).status
    anna.close()
    return status


def connection_of_the_caller_lost(case: ExchangeCase) -> int | None:
    """
    The caller's connection closes in a call: its media go on, and its BYE over a new one ends the call.
    """
    anna, bert = case.phone("1001", kind=StreamPhone), case.phone("1002")
    for phone in (anna, bert):
        phone.listen_for_media()
    talk = Conversation(anna, bert)
    anna.close()
    case.assertEqual(talk.speak(5), (5, 5))
    anna.connect()
    status = talk.hang_up(anna).status
    case.assertEqual(len(bert.requests("BYE")), 1)
    anna.close()
    return status


def connection_of_the_callee_lost_while_ringing(case: ExchangeCase) -> int | None:
    """
    The connection of the only phone closes while it rings: it is unreachable at once, and the caller told.
    """
    anna, bert = case.phone("1001"), case.phone("1002", kind=StreamPhone)
    invite = anna.call("1002")
    bert.reply(bert.requests("INVITE")[0], 180)
    bert.close()
    answer = anna.last("INVITE")
    anna.acknowledge_refusal(invite, answer)
    case.assertEqual(case.exchange.location.bindings("1002"), ())
    return answer.status


def connection_of_the_callee_lost_before(case: ExchangeCase) -> int | None:
    """
    A phone over TCP is unregistered as soon as its connection has closed.
    """
    anna, bert = case.phone("1001"), case.phone("1002", kind=StreamPhone)
    bert.close()
    case.assertEqual(case.exchange.kept.bindings["1002"], [])
    invite = anna.call("1002")
    answer = anna.last("INVITE")
    anna.acknowledge_refusal(invite, answer)
    return answer.status


def wall_clock_moved(case: ExchangeCase, hours: float) -> int | None:
    """
    Move the wall clock in the middle of a call, and let it go on.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    case.network.advance(30)
    timers = [call.getTime() for call in case.network.clock.getDelayedCalls()]
    case.exchange.wall_offset += hours * 3600
    case.assertEqual([call.getTime() for call in case.network.clock.getDelayedCalls()], timers)
    case.network.advance(20)
    case.assertEqual(case.exchange.records, [])
    status = talk.hang_up(anna).status
    case.assertEqual((round(case.record["duration"], 1), round(case.record["billable"], 1)), (50.0, 50.0))
    # A registration lasts as long as it was told, whatever the wall clock says.
    case.assertEqual(len(case.exchange.location.bindings("1001")), 1)
    return status


def wall_clock_moved_back(case: ExchangeCase) -> int | None:
    """
    The wall clock is set back by an hour: no timer notices, and the call has lasted as long as it has.
    """
    return wall_clock_moved(case, -1)


def wall_clock_moved_on(case: ExchangeCase) -> int | None:
    """
    The wall clock is set on by an hour: likewise.
    """
    return wall_clock_moved(case, 1)


def suspended_machine(case: ExchangeCase) -> int | None:
    """
    The machine sleeps for two minutes in a call: phones that are still there talk on.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    talk.speak(10)
    case.network.clock.rightNow += 120
    case.network.advance(40)
    case.assertEqual(case.exchange.records, [])
    case.assertEqual(talk.speak(10, first=50), (10, 10))
    return talk.hang_up(anna).status


def suspended_machine_alone(case: ExchangeCase) -> int | None:
    """
    The machine sleeps for two minutes, and a phone has gone meanwhile: the call does not stay behind.
    """
    anna, bert = case.pair()
    talk = Conversation(anna, bert)
    talk.speak(10)
    bert.hang_silent()
    case.network.clock.rightNow += 120
    case.network.advance(32)
    return None if len(anna.requests("BYE")) == 1 else 0


def lossy_network(case: ExchangeCase) -> int | None:
    """
    A call over a network that loses a fifth of all datagrams, doubles some and lets them overtake each other.
    """
    anna, bert = case.pair()
    network = case.network
    network.loss, network.duplication, network.jitter = 0.2, 0.1, 0.05
    invite = anna.request("INVITE", f"sip:1002@{ADDRESS}", body=anna.sdp())
    for _ in range(40):
        # What a phone's own timers A and E would do.
        anna.send(invite)
        network.advance(0.5)
        if anna.responses("INVITE"):
            break
    challenge = anna.last("INVITE")
    again = anna.credentials(invite, challenge)
    for _ in range(40):
        anna.send(anna.refusal_ack(invite, challenge))
        if 200 not in anna.responses("INVITE"):
            anna.send(again)
        network.advance(0.5)
        rung = bert.requests("INVITE")
        if rung and not bert.requests("ACK"):
            bert.answer(rung[0], 200, body=bert.sdp())
        if 200 in anna.responses("INVITE"):
            anna.send(anna.within("ACK", again, anna.last("INVITE")))
    network.loss = network.duplication = network.jitter = 0.0
    case.assertEqual(len({request.call_id for request in bert.requests("INVITE")}), 1)
    answer = anna.last("INVITE")
    anna.acknowledge(again, answer)
    anna.send(anna.within("BYE", again, answer, cseq=9))
    network.advance(0.1)
    return anna.last("BYE").status


class NetworkTable(TableCase):
    """
    What strangers send, connections that say nothing, and clocks that jump.
    """

    rows = (
        Row(garbage_datagrams, 200, "", "answered", "Normal call clearing"),
        Row(keep_alives, None),
        Row(datagram_of_64_kb, 401),
        Row(invite_of_64_kb, 200, "", "answered", "Normal call clearing"),
        Row(datagram_of_noise_of_64_kb, None),
        Row(a_byte_a_second, 200, "", "answered", "Normal call clearing"),
        Row(idle_connections, 200, "", "answered", "Normal call clearing"),
        Row(connection_of_the_caller_lost, 200, "", "answered", "Normal call clearing"),
        Row(connection_of_the_callee_lost_while_ringing, 480, "sip.no_response", "failed", "Phone unreachable"),
        Row(connection_of_the_callee_lost_before, 480, "", "failed", "Not registered"),
        Row(wall_clock_moved_back, 200, "", "answered", "Normal call clearing"),
        Row(wall_clock_moved_on, 200, "", "answered", "Normal call clearing"),
        Row(suspended_machine, 200, "", "answered", "Normal call clearing"),
        Row(suspended_machine_alone, None, "media lost from 1002", "answered", "media lost"),
        Row(lossy_network, 200, "", "answered", "Normal call clearing", 64.5),
    )
