"""
Tests for :mod:`pbx.transport.layer` and :mod:`pbx.transport.connections`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pbx.transport.flow import Flow, FlowClosed
from pbx.transport.layer import ListenError
from pbx.transport.resolver import Target
from tests.transport.rig import PBX, PHONE, Rig, request, response
from tests.transport.trunk import Trunk


class StartTests(SynchronousTestCase):
    """
    Where the PBX listens.
    """

    def make(self, **settings: Any) -> Rig:
        """
        A rig that leaves nothing behind.
        """
        rig = Rig(start=False, **settings)
        self.addCleanup(rig.stop, self)
        return rig

    def test_sockets(self) -> None:
        """
        Each address has a UDP and a TCP socket.
        """
        rig = self.make(sip_hosts=(PBX, "127.0.0.1"))
        self.assertEqual(rig.layer.sockets, [])
        rig.layer.start()
        self.assertEqual(sorted(rig.layer.sockets), [
            ("TCP", PBX, 5060), ("TCP", "127.0.0.1", 5060), ("UDP", PBX, 5060), ("UDP", "127.0.0.1", 5060),
        ])  # fmt: skip

    def test_every_address(self) -> None:
        """
        0.0.0.0 is a socket on each IPv4 address, :: on each IPv6 address.
        """
        rig = self.make(sip_hosts=("0.0.0.0", "::"))  # noqa: S104
        rig.network.host(PBX, "10.1.0.1", "2001:db8::1")
        rig.layer.start()
        self.assertEqual([host for kind, host, _ in rig.layer.sockets if kind == "UDP"],
                         ["127.0.0.1", PBX, "10.1.0.1", "2001:db8::1"])
        only_six = self.make(sip_hosts=("::",))
        only_six.network.host(PBX, "2001:db8::1")
        only_six.layer.start()
        self.assertEqual({host for _, host, _ in only_six.layer.sockets}, {"2001:db8::1"})

    def test_taken_port(self) -> None:
        """
        A taken port is an error that names address and port, and nothing stays open.
        """
        for listen in ("listenUDP", "listenTCP"):
            rig = self.make(sip_hosts=("127.0.0.1", PBX))
            blocker = getattr(rig.host, listen)(5060, FakeProtocol(), interface=PBX)
            error = self.assertRaises(ListenError, rig.layer.start)
            self.assertIn(f"cannot listen on {listen[-3:]} {PBX}:5060: the port is taken", str(error))
            self.assertEqual(rig.layer.sockets, [])
            blocker.stopListening()
            self.assertEqual(rig.host.bound, {})

    def test_not_our_address(self) -> None:
        """
        An address of another machine is an error that says so.
        """
        rig = self.make(sip_hosts=("10.0.0.77",))
        error = self.assertRaises(ListenError, rig.layer.start)
        self.assertIn("UDP 10.0.0.77:5060: this is not an address of this machine", str(error))

    def test_no_address_at_all(self) -> None:
        """
        A wildcard that stands for nothing is an error.
        """
        self.assertRaises(ListenError, self.make(sip_hosts=("::",)).layer.start)

    def test_address_that_went_meanwhile(self) -> None:
        """
        An address that is listed but cannot be bound yet does not stop the start; it is had when it can be.
        """
        rig = self.make(sip_hosts=("0.0.0.0",))  # noqa: S104
        tell = rig.host.local_addresses
        rig.host.local_addresses = lambda: [*tell(), "10.1.0.1"]  # type: ignore[method-assign]
        rig.layer.start()
        self.assertEqual({host for _, host, _ in rig.layer.sockets}, {"127.0.0.1", PBX})
        rig.host.add_address("10.1.0.1")
        rig.advance(6)
        self.assertIn(("UDP", "10.1.0.1", 5060), rig.layer.sockets)

    def test_counters(self) -> None:
        """
        What happened is counted by name.
        """
        rig = self.make()
        rig.layer.start()
        phone = rig.udp_phone()
        for data in (b"garbage, garbage", b"\r\n", request(), response("10.0.0.77")):
            phone.say(data)
        rig.advance()
        counters = rig.layer.counters
        self.assertEqual({name: count for name, count in counters.items() if count},
                         {"messages": 1, "keep_alives": 1, "malformed": 1, "foreign_responses": 1})

    def test_bad_settings(self) -> None:
        """
        Networks and addresses that are none are refused.
        """
        self.assertRaises(ValueError, Rig, local_networks=("office",))
        self.assertRaises(ValueError, Rig, external_ip="pbx.example.com")


class FakeProtocol:
    """
    What a blocked port is given.
    """

    def makeConnection(self, transport: Any) -> None:  # noqa: N802
        pass

    def doStart(self) -> None:
        pass

    def doStop(self) -> None:
        pass


class AddressTests(SynchronousTestCase):
    """
    What we call ourselves, and addresses that come and go.
    """

    def test_external_address(self) -> None:
        """
        Peers outside are told the external address, those inside and on loopback our own.
        """
        rig = Rig(external_ip="198.51.100.1", sip_hosts=("0.0.0.0", "::"), start=False)  # noqa: S104
        self.addCleanup(rig.stop, self)
        rig.network.host(PBX, "2001:db8::1")
        rig.layer.start()
        flow = rig.layer.udp_flow
        self.assertEqual(flow(("203.0.113.5", 5060)).sent_by, ("198.51.100.1", 5060))
        for peer in ("10.2.3.4", "192.168.7.7", "172.31.0.1"):
            self.assertEqual(flow((peer, 5060)).sent_by, (PBX, 5060))
        self.assertEqual(flow(("127.0.0.1", 5070)).sent_by, ("127.0.0.1", 5060))
        self.assertEqual(flow(("2001:db8::9", 5070)).sent_by, ("2001:db8::1", 5060))
        phone = rig.stream_phone("203.0.113.5")
        phone.say(request())
        rig.udp_phone("203.0.113.5").say(response("198.51.100.1:5060"))
        rig.advance()
        self.assertEqual(len(rig.receiver.got), 2)
        self.assertEqual(rig.receiver.flow.sent_by, ("198.51.100.1", 5060))

    def test_another_external_address(self) -> None:
        """
        Flows that are there, over UDP and TCP, name the new address to peers outside; what was asked under the old one
        is still ours when it is answered, but not for ever.
        """
        rig = Rig(external_ip="198.51.100.1")
        self.addCleanup(rig.stop, self)
        held, near = rig.layer.udp_flow(("203.0.113.5", 5060)), rig.layer.udp_flow((PHONE, 5060))
        rig.stream_phone("203.0.113.6").say(request())
        phone = rig.udp_phone("203.0.113.5")
        rig.advance()
        stream = rig.receiver.flow
        told: list[str | None] = []
        rig.layer.on_external_change(lambda: told.append(rig.layer.external))
        rig.layer.rename("198.51.100.2", ("10.0.0.0/8",))
        self.assertEqual([flow.sent_by[0] for flow in (held, stream, near)], ["198.51.100.2", "198.51.100.2", PBX])
        self.assertIs(rig.layer.udp_flow(("203.0.113.5", 5060)), held)
        for host in ("198.51.100.1", "198.51.100.2"):
            phone.say(response(f"{host}:5060"))
        rig.advance()
        self.assertEqual(len(rig.receiver.got), 3)
        for n in range(3, 13):
            rig.layer.rename(f"198.51.100.{n}", ("10.0.0.0/8",))
        phone.say(response("198.51.100.1:5060"))
        rig.advance()
        self.assertEqual(len(rig.receiver.got), 3)
        rig.layer.rename(None, ("10.0.0.0/8",))
        self.assertEqual((held.sent_by[0], stream.sent_by[0]), (PBX, PBX))
        self.assertEqual(told, [f"198.51.100.{n}" for n in range(2, 13)] + [None])
        self.assertRaises(ValueError, rig.layer.rename, "pbx.example", ())
        self.assertRaises(ValueError, rig.layer.rename, "198.51.100.2", ("office",))
        self.assertIsNone(rig.layer.external)

    def test_an_observer_that_fails(self) -> None:
        """
        Who breaks when the external address changes keeps nobody else from hearing of it.
        """
        rig = Rig()
        self.addCleanup(rig.stop, self)
        told: list[str | None] = []
        rig.layer.on_external_change(lambda: 1 / 0)
        rig.layer.on_external_change(lambda: told.append(rig.layer.external))
        rig.layer.rename("198.51.100.2", ())
        self.assertEqual(told, ["198.51.100.2"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_answers_leave_by_the_address_asked(self) -> None:
        """
        On a host of several addresses the answer comes from the one that was asked, by name and by source.
        """
        rig = Rig(sip_hosts=("0.0.0.0",), start=False)  # noqa: S104
        self.addCleanup(rig.stop, self)
        rig.network.host(PBX, "10.1.0.1")
        rig.layer.start()
        phone = rig.udp_phone()
        for host in ("10.1.0.1", PBX):
            phone.say(request(), host=host)
            rig.advance()
            self.assertEqual(rig.receiver.flow.sent_by, (host, 5060))
            rig.receiver.flow.send(b"x")
        rig.advance()
        self.assertEqual([source[0] for source in phone.sources], ["10.1.0.1", PBX])

    def test_route_chooses_the_socket(self) -> None:
        """
        Without a request to answer, the socket is the one on the address that routing gives.
        """
        rig = Rig(sip_hosts=("0.0.0.0",), start=False)  # noqa: S104
        self.addCleanup(rig.stop, self)
        rig.network.host(PBX, "10.1.0.1")
        rig.layer.start()
        self.assertEqual(rig.layer.udp_flow(("10.1.0.9", 5060)).local, ("10.1.0.1", 5060))
        self.assertEqual(rig.layer.udp_flow((PHONE, 5060)).local, (PBX, 5060))
        self.assertRaises(FlowClosed, rig.layer.udp_flow, ("2001:db8::9", 5060))
        self.assertRaises(FlowClosed, rig.layer.udp_flow, (PHONE, 5060), ("10.9.9.9", 5060))
        self.assertRaises(FlowClosed, rig.layer.udp_flow, (PHONE, 5060), (PBX, 5070))

    def test_addresses_come_and_go(self) -> None:
        """
        A new address is listened on within seconds, one that went is let go, and its flows are good when it is back.
        """
        rig = Rig(sip_hosts=("0.0.0.0",))  # noqa: S104
        self.addCleanup(rig.stop, self)
        rig.host.add_address("10.1.0.1")
        rig.advance(6)
        self.assertIn(("UDP", "10.1.0.1", 5060), rig.layer.sockets)
        phone = rig.udp_phone()
        phone.say(request(), host="10.1.0.1")
        rig.advance()
        flow = rig.receiver.flow
        rig.host.remove_address("10.1.0.1")
        rig.advance(6)
        self.assertEqual({host for _, host, _ in rig.layer.sockets}, {"127.0.0.1", PBX})
        flow.send(b"lost")
        rig.host.add_address("10.1.0.1")
        rig.advance(6)
        flow.send(b"again")
        rig.advance()
        self.assertEqual(phone.heard, [b"again"])
        phone.say(request(), host="10.1.0.1")
        rig.advance()
        self.assertIs(rig.receiver.flow, flow)

    def test_new_address_that_cannot_be_had(self) -> None:
        """
        A taken port on a new address is logged once, tried again, and had when it is free.
        """
        rig = Rig(sip_hosts=("0.0.0.0",))  # noqa: S104
        self.addCleanup(rig.stop, self)
        rig.host.add_address("10.1.0.1")
        blocker = rig.host.listenUDP(5060, FakeProtocol(), interface="10.1.0.1")
        lines: list[Any] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        rig.advance(20)
        self.assertEqual(len([line for line in lines if line["log_level"] is LogLevel.error]), 1)
        self.assertNotIn(("UDP", "10.1.0.1", 5060), rig.layer.sockets)
        blocker.stopListening()
        rig.advance(6)
        self.assertIn(("UDP", "10.1.0.1", 5060), rig.layer.sockets)

    def test_network_not_told(self) -> None:
        """
        When the kernel does not tell, what is there stays.
        """
        rig = Rig(sip_hosts=("0.0.0.0",))  # noqa: S104
        self.addCleanup(rig.stop, self)
        before = rig.layer.sockets
        tell = rig.host.local_addresses

        def refuse() -> list[str]:
            raise OSError("no")

        rig.host.local_addresses = refuse  # type: ignore[method-assign]
        rig.advance(6)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        rig.host.local_addresses = tell  # type: ignore[method-assign]
        rig.advance(6)
        self.assertEqual(rig.layer.sockets, before)


class OpenTests(SynchronousTestCase):
    """
    Flows that we open.
    """

    def setUp(self) -> None:
        self.rig = Rig()
        self.addCleanup(self.rig.stop, self)
        self.trunk = Trunk(self.rig.network, "10.0.0.5")

    def open(self, target: Target) -> Deferred[Flow]:
        """
        A flow under way.
        """
        return Deferred.fromCoroutine(self.rig.layer.open(target))

    def test_udp(self) -> None:
        """
        Over UDP a flow is there at once.
        """
        flow = self.successResultOf(self.open(Target("UDP", "10.0.0.5", 5060)))
        self.assertEqual((flow.transport, flow.remote), ("UDP", ("10.0.0.5", 5060)))

    def test_tcp_is_used_again(self) -> None:
        """
        Those who want the same place at the same time, or later, share one connection.
        """
        target = Target("TCP", "10.0.0.5", 5060)
        one, two = self.open(target), self.open(target)
        self.assertNoResult(one)
        self.rig.advance()
        flow = self.successResultOf(one)
        self.assertIs(self.successResultOf(two), flow)
        self.assertIs(self.successResultOf(self.open(target)), flow)
        self.assertEqual(len(self.trunk.connections), 1)
        self.assertEqual((flow.transport, flow.remote, flow.sent_by), ("TCP", ("10.0.0.5", 5060), (PBX, 5060)))
        flow.send(b"hello")
        self.rig.advance()
        self.assertEqual(self.trunk.connections[0].heard, b"hello")
        self.trunk.connections[0].say(response(transport="TCP"))
        self.rig.advance()
        self.assertIs(self.rig.receiver.flow, flow)

    def test_gone_is_made_anew(self) -> None:
        """
        After a connection ended the next who wants it gets a new one.
        """
        target = Target("TCP", "10.0.0.5", 5060)
        one = self.open(target)
        self.rig.advance()
        self.trunk.connections[0].transport.loseConnection()
        self.rig.advance()
        two = self.open(target)
        self.rig.advance()
        self.assertTrue(self.successResultOf(one).closed)
        self.assertFalse(self.successResultOf(two).closed)

    def test_closing_is_not_used_again(self) -> None:
        """
        A connection that is being closed is not given to anybody, though its end has not come yet.
        """
        target = Target("TCP", "10.0.0.5", 5060)
        one = self.open(target)
        self.rig.advance()
        flow = self.successResultOf(one)
        next(iter(self.rig.layer.connections._making)).close()
        two = self.open(target)
        self.rig.advance()
        self.assertTrue(flow.closed)
        self.assertFalse(self.successResultOf(two).closed)

    def test_refused(self) -> None:
        """
        When nobody listens all who wait are told why.
        """
        target = Target("TCP", "10.0.0.5", 9)
        waiting = [self.open(target), self.open(target)]
        self.rig.advance()
        for done in waiting:
            error = self.failureResultOf(done, FlowClosed).value
            self.assertIn("tcp:10.0.0.5:9: Connection was refused", str(error))

    def test_nobody_there(self) -> None:
        """
        A host that does not answer is given up after five seconds.
        """
        done = self.open(Target("TCP", "10.99.0.5", 5060))
        self.rig.advance(4.9)
        self.assertNoResult(done)
        self.rig.advance(0.2)
        self.failureResultOf(done, FlowClosed)

    def test_no_longer_wanted(self) -> None:
        """
        One who stops waiting does not spoil it for the others.
        """
        target = Target("TCP", "10.0.0.5", 5060)
        one, two = self.open(target), self.open(target)
        one.addErrback(lambda _: None)
        one.cancel()
        self.rig.advance()
        self.assertFalse(self.successResultOf(two).closed)

    def test_stop_while_connecting(self) -> None:
        """
        At stop a connection under way is given up.
        """
        done = self.open(Target("TCP", "10.99.0.5", 5060))
        self.successResultOf(self.rig.layer.stop())
        self.failureResultOf(done, FlowClosed)

    def test_stop_closes_connections(self) -> None:
        """
        At stop every connection is closed, so that phones come back; one that does not let go is cut.
        """
        phone = self.rig.stream_phone()
        phone.say(request())
        self.rig.advance()
        flow = self.rig.receiver.flow
        ended: list[Flow] = []
        flow.on_close(ended.append)
        flow.send(b"BYE")
        done = self.rig.layer.stop()
        self.rig.advance(3)
        self.successResultOf(done)
        self.assertEqual((phone.heard, ended), (b"BYE", [flow]))
        self.assertIsNotNone(phone.ended_at)
