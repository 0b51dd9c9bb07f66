"""
How the sound of calls over a trunk is protected, and what an INVITE goes over that is too large for one datagram.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory

from pbx.calls.tools import CallSettings
from pbx.sip.message import response_to
from tests.calls.phone import EVENTS, PCMU, sdp
from tests.calls.stream_phone import Line
from tests.calls.test_srtp import crypto, cryptos
from tests.calls.test_trunk_settings import TalkCase


class SrtpCase(TalkCase):
    """
    Trunks over which sound must be encrypted, first, and one without.
    """

    options = {"calls": CallSettings(srtp_in_clear=True)}
    trunks = {"A": {"srtp": "required", "caller_id": "+4930123456"}, "B": {"caller_id": "+4930123456"}}


class RequiredTests(SrtpCase):
    """
    Keys may be given.
    """

    def test_encrypted(self) -> None:
        """
        SRTP is offered, and taken.
        """
        self.dial()
        (invite,) = self.a.invites
        self.assertIn(b"RTP/SAVP", invite.body)
        self.assertTrue(cryptos(invite.body))
        self.a.reply(invite, 200, body=self.a.sdp(profile="RTP/SAVP") + crypto())
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.assertNotIn(b"crypto", answer.body)
        self.anna.acknowledge(self.invite, answer)
        self.end()

    def test_answered_in_the_clear(self) -> None:
        """
        A provider that answers in the clear has no call.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 200, body=self.a.sdp())
        self.assertEqual(len(self.a.requests("BYE")), 1)
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 488)
        self.anna.acknowledge_refusal(self.invite, answer)
        self.assertEqual(self.b.invites, [])

    def test_offered_in_the_clear(self) -> None:
        """
        Nor has one that calls in the clear.
        """
        self.phone("1001")
        invite = self.a.offer_call()
        self.assertEqual(self.a.last("INVITE").status, 488)
        self.a.acknowledge_refusal(invite, self.a.last("INVITE"))


class NoKeysTests(SrtpCase):
    """
    Keys may not be given, since anybody could read them.
    """

    options = {}

    def test_next(self) -> None:
        """
        The trunk is never called, and the next one is.
        """
        self.dial()
        self.assertEqual(self.a.invites, [])
        (invite,) = self.b.invites
        self.b.reply(invite, 486)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.assertIn("trunk A: SRTP keys need TLS", self.record["route"])


class OfferedTests(TalkCase):
    """
    Sound is encrypted if the provider can.
    """

    options = {"calls": CallSettings(srtp_in_clear=True)}
    trunks = {"A": {"srtp": "offered", "caller_id": "+4930123456"}}

    def test_taken(self) -> None:
        """
        Keys are offered beside plain RTP; who insists on SRTP is offered that alone.
        """
        self.dial()
        self.assertIn(b"RTP/AVP", self.a.invites[0].body)
        self.assertTrue(cryptos(self.a.invites[0].body))
        self.a.reply(self.a.invites[0], 488)
        self.assertIn(b"RTP/SAVP", self.a.invites[1].body)
        self.a.reply(self.a.invites[1], 488)
        self.assertEqual(len(self.a.invites), 2)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))


class OffTests(TalkCase):
    """
    Sound is never encrypted, although keys might be given.
    """

    options = {"calls": CallSettings(srtp_in_clear=True)}

    def test_no_keys(self) -> None:
        """
        None are offered.
        """
        self.dial()
        self.assertEqual(cryptos(self.a.invites[0].body), [])
        self.refuse()


LARGE = tuple((96 + n, f"quite-a-long-name-of-a-codec-{n}/8000") for n in range(20))
"""Formats that make an INVITE too large for one datagram."""


class LargeTests(TalkCase):
    """
    An INVITE that is too large for one datagram (RFC 3261 18.1.1).
    """

    def setUp(self) -> None:
        """
        The provider takes connections too.
        """
        super().setUp()
        self.lines_taken: list[Line] = []
        self.listener = self.a.reactor.listenTCP(5060, self.factory(), interface="10.9.0.1")

    def factory(self) -> ServerFactory:
        """
        Makes the provider's ends of connections.
        """
        made = ServerFactory()

        def line(address: Any) -> Line:
            self.lines_taken.append(Line(self.a))  # type: ignore[arg-type]
            return self.lines_taken[-1]

        made.buildProtocol = line  # type: ignore[method-assign,assignment]
        made.noisy = False
        return made

    def tearDown(self) -> None:
        """
        No more connections.
        """
        self.listener.stopListening()
        self.within = 140.0
        super().tearDown()

    def test_by_tcp(self) -> None:
        """
        It goes by TCP, and names TCP in Via and Contact.
        """
        self.dial(body=self.phone_offer())
        (invite,) = self.a.invites
        self.assertEqual(len(self.lines_taken), 1)
        self.assertIn("SIP/2.0/TCP", invite.headers.get("Via") or "")
        self.assertIn("transport=tcp", invite.headers.get("Contact") or "")
        busy = response_to(invite, 486, to_tag="callee")
        self.lines_taken[0].transport.write(busy.to_bytes())  # type: ignore[union-attr]
        self.network.advance(0.05)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.lines_taken[0].transport.loseConnection()  # type: ignore[union-attr]

    def phone_offer(self) -> bytes:
        """
        The caller's offer.
        """
        return sdp("10.0.3.1", 4000, (PCMU, *LARGE[:10], EVENTS))

    def test_back_to_udp(self) -> None:
        """
        There is no TCP: after a second at most it goes by UDP.
        """
        self.exchange.lines.line("A").failing.add("TCP")
        self.dial(body=self.phone_offer())
        (invite,) = self.a.invites
        self.assertIn("SIP/2.0/UDP", invite.headers.get("Via") or "")
        self.refuse()


class CancelledTests(LargeTests):
    """
    The TCP connection takes its time.
    """

    def test_by_tcp(self) -> None:
        """
        The caller gives up before it is there: nothing is ever sent, and nothing waits on.
        """
        self.exchange.lines.line("A").connecting = Deferred()
        self.dial(body=self.phone_offer())
        self.anna.cancel(self.invite)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.assertEqual((len(self.exchange.tasks), self.channels()), (0, {"A": 0}))
        self.network.advance(2)
        self.assertEqual(self.a.invites, [])

    def test_down_meanwhile(self) -> None:
        """
        The trunk goes down before the connection is there: the caller was refused, and nobody is called any more.
        """
        connecting = self.exchange.lines.line("A").connecting = Deferred()
        self.dial(body=self.phone_offer())
        self.exchange.lines.line("A").set("down", "no answer to OPTIONS")
        self.network.advance(0.01)
        answer = self.anna.last("INVITE")
        self.assertEqual((answer.status, self.channels()), (503, {"A": 0}))
        self.anna.acknowledge_refusal(self.invite, answer)
        connecting.callback(None)
        self.network.advance(0.1)
        self.assertEqual((len(self.lines_taken), self.a.invites), (1, []))
        self.lines_taken[0].transport.loseConnection()  # type: ignore[union-attr]

    def test_back_to_udp(self) -> None:
        """
        It takes longer than a second: UDP.
        """
        self.exchange.lines.line("A").connecting = Deferred()
        self.dial(body=self.phone_offer())
        self.network.advance(0.9)
        self.assertEqual(self.a.invites, [])
        self.network.advance(0.2)
        self.assertIn("SIP/2.0/UDP", self.a.invites[0].headers.get("Via") or "")
        self.refuse()


class FixedTransportTests(LargeTests):
    """
    The trunk's transport is set.
    """

    trunks = {"A": {"transport": "udp", "caller_id": "+4930123456"}}

    def test_by_tcp(self) -> None:
        """
        Then nothing else is tried.
        """
        self.dial(body=self.phone_offer())
        self.assertEqual(self.lines_taken, [])
        self.refuse()


class LostConnectionTests(LargeTests):
    """
    The trunk is connected to by TCP, and the connection breaks.
    """

    trunks = {"A": {"transport": "tcp", "caller_id": "+4930123456"}}

    def setUp(self) -> None:
        """
        The provider speaks over the connection that it was sent the last one by.
        """
        super().setUp()
        self.a.send = lambda message: self.write(message.to_bytes())  # type: ignore[method-assign]

    def write(self, data: bytes) -> None:
        """
        Send over the last connection.
        """
        transport = self.lines_taken[-1].transport
        assert transport is not None
        transport.write(data)

    def cut(self) -> None:
        """
        Break it.
        """
        transport = self.lines_taken[-1].transport
        assert transport is not None
        transport.loseConnection()
        self.network.advance(0.1)

    def test_within_a_call(self) -> None:
        """
        What is sent within the call goes over a new one, whatever name the provider's Contact has.
        """
        self.dial()
        self.answered(headers=(("Contact", "<sip:x@pool.provider.example;transport=tcp>"),))
        self.cut()
        self.end()
        self.assertEqual(len(self.lines_taken), 2)
        self.cut()

    def test_before_the_answer(self) -> None:
        """
        It breaks before anything was said: there is no other trunk, and the caller is told which one failed.
        """
        self.dial()
        self.cut()
        answer = self.anna.last("INVITE")
        self.anna.acknowledge_refusal(self.invite, answer)
        self.assertEqual((answer.status, self.record["q850"]), (503, 38))
        self.assertIn("trunk A: ", self.record["reason"])

    def test_by_tcp(self) -> None:
        """
        However large it is.
        """
        self.dial(body=self.phone_offer())
        self.assertEqual(len(self.lines_taken), 1)
        self.a.reply(self.a.invites[0], 486)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.cut()

    def test_back_to_udp(self) -> None:
        """
        There is no TCP: the trunk can't be reached.
        """
        self.exchange.lines.line("A").failing.add("TCP")
        self.dial()
        self.assertEqual(self.a.invites, [])
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.assertEqual(self.record["reason"], "trunk A can't be reached: 10.9.0.1 refuses")
