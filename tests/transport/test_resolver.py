"""
Tests for :mod:`pbx.transport.resolver` and :mod:`pbx.transport.lookup`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import DNSNameError, DNSNotImplementedError, DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.uri import URI
from pbx.transport import lookup
from pbx.transport.lookup import Lookup, LookupFailed, system_resolver
from pbx.transport.resolver import MOST_TARGETS, ResolveError, Resolver, Target
from tests.network import Network


class Zone:
    """
    A name server in memory.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], list[Any]] = {}
        self.errors: dict[tuple[str, int], Exception] = {}
        self.down: Exception | None = None
        self.asked: list[tuple[str, int]] = []

    def add(self, name: str, *records: Any) -> None:
        """
        Add records of one kind.
        """
        self.records.setdefault((name, records[0].TYPE), []).extend(records)

    def _find(self, name: str, kind: int) -> Deferred[Any]:
        self.asked.append((name, kind))
        error = self.down or self.errors.get((name, kind))
        if error is not None:
            return fail(error)
        found = self.records.get((name, kind))
        if found is None:
            return fail(DNSNameError("no such name"))
        return succeed(([dns.RRHeader(name, kind, ttl=found[0].ttl, payload=one) for one in found], [], []))

    def lookupAddress(self, name: str, timeout: Any = None) -> Deferred[Any]:  # noqa: N802
        return self._find(name, dns.A)

    def lookupIPV6Address(self, name: str, timeout: Any = None) -> Deferred[Any]:  # noqa: N802
        return self._find(name, dns.AAAA)

    def lookupService(self, name: str, timeout: Any = None) -> Deferred[Any]:  # noqa: N802
        return self._find(name, dns.SRV)

    def lookupNamingAuthorityPointer(self, name: str, timeout: Any = None) -> Deferred[Any]:  # noqa: N802
        return self._find(name, dns.NAPTR)


def a(address: str, ttl: int = 300) -> dns.Record_A:
    """
    An A record.
    """
    return dns.Record_A(address, ttl)


def srv(priority: int, weight: int, port: int, target: str) -> dns.Record_SRV:
    """
    An SRV record.
    """
    return dns.Record_SRV(priority, weight, port, target, 300)


def naptr(order: int, preference: int, service: str, replacement: str, flags: str = "s") -> dns.Record_NAPTR:
    """
    A NAPTR record.
    """
    return dns.Record_NAPTR(order, preference, flags.encode(), service.encode(), b"", replacement, 300)


class ResolverTests(SynchronousTestCase):
    """
    Where a URI can be sent to.
    """

    def setUp(self) -> None:
        self.zone = Zone()
        self.clock = Clock()
        self.chance = 0.0
        self.lookup = Lookup(self.zone, self.clock)

    def ask(self, uri: str, default: str | None = None, **options: Any) -> Deferred[list[Target]]:
        """
        A resolution under way.
        """
        resolver = Resolver(self.lookup, chance=lambda: self.chance, **options)
        return Deferred.fromCoroutine(resolver.resolve(URI.parse(uri), default))

    def resolve(self, uri: str, default: str | None = None, **options: Any) -> list[tuple[str, str, int]]:
        """
        Transport, host and port of each place.
        """
        found = self.successResultOf(self.ask(uri, default, **options))
        return [(target.transport, target.host, target.port) for target in found]

    def test_addresses_ask_nobody(self) -> None:
        """
        An address goes as it is, with the transport and the port that URI, scheme or default give.
        """
        for uri, default, expected in [
            ("sip:1005@10.0.0.2", None, ("UDP", "10.0.0.2", 5060)),
            ("sip:1005@10.0.0.2:5070", "TCP", ("TCP", "10.0.0.2", 5070)),
            ("sip:10.0.0.2;transport=tls", None, ("TLS", "10.0.0.2", 5061)),
            ("sip:[2001:db8::2]:5062;transport=TCP", None, ("TCP", "2001:db8::2", 5062)),
            ("sips:10.0.0.2", None, ("TLS", "10.0.0.2", 5061)),
            ("sips:10.0.0.2;transport=tcp", None, ("TLS", "10.0.0.2", 5061)),
            ("sip:carrier.example;maddr=10.0.0.9", None, ("UDP", "10.0.0.9", 5060)),
        ]:
            self.assertEqual(self.resolve(uri, default), [expected], uri)
        self.assertEqual(self.zone.asked, [])

    def test_unknown_transport(self) -> None:
        """
        A transport we do not speak is an error.
        """
        self.failureResultOf(self.ask("sip:10.0.0.2;transport=sctp"), ResolveError)

    def test_name_with_port(self) -> None:
        """
        A name with a port is a host: all its addresses, IPv4 first.
        """
        self.zone.add("sip.example", a("192.0.2.1"), a("192.0.2.2"))
        self.zone.add("sip.example", dns.Record_AAAA("2001:db8::1", 300))
        self.assertEqual(self.resolve("sip:sip.example:5080"), [
            ("UDP", "192.0.2.1", 5080), ("UDP", "192.0.2.2", 5080), ("UDP", "2001:db8::1", 5080),
        ])  # fmt: skip
        self.assertEqual({kind for _, kind in self.zone.asked}, {dns.A, dns.AAAA})
        self.assertEqual(len(self.resolve("sip:sip.example:5080", ipv6=lambda: False)), 2)

    def test_naptr(self) -> None:
        """
        NAPTR says which transports, in its order, and where their servers are listed; what we do not speak is left out.
        """
        self.zone.add("example", naptr(20, 1, "SIP+D2U", "_sip._udp.example"), naptr(10, 2, "SIP+D2T", "t.example"),
                      naptr(10, 1, "SIPS+D2T", "s.example"), naptr(1, 1, "SIP+D2S", "x.example"),
                      naptr(1, 1, "SIP+D2T", "x.example", flags="a"))
        for name, port in (("_sip._udp.example", 5060), ("t.example", 5062), ("s.example", 5061)):
            self.zone.add(name, srv(1, 1, port, "host.example"))
        self.zone.add("host.example", a("192.0.2.1"))
        tls, tcp, udp = ("TLS", "192.0.2.1", 5061), ("TCP", "192.0.2.1", 5062), ("UDP", "192.0.2.1", 5060)
        self.assertEqual(self.resolve("sip:example"), [tls, tcp, udp])
        self.assertEqual(self.resolve("sip:example", tls=False), [tcp, udp])
        self.assertEqual(self.resolve("sips:example"), [tls])

    def test_srv_without_naptr(self) -> None:
        """
        Without NAPTR the preferred transport with an SRV record is taken; a transport in the URI asks for that alone.
        """
        self.zone.add("_sip._tcp.example", srv(1, 1, 5060, "host.example"))
        self.zone.add("host.example", a("192.0.2.1"))
        self.assertEqual(self.resolve("sip:example", tls=False), [("TCP", "192.0.2.1", 5060)])
        self.zone.add("_sips._tcp.example", srv(1, 1, 5061, "host.example"))
        self.assertEqual(self.resolve("sip:example"), [("TLS", "192.0.2.1", 5061)])
        self.assertEqual(self.resolve("sip:example", "TCP"), [("TCP", "192.0.2.1", 5060)])
        self.assertEqual(self.resolve("sip:example;transport=tcp"), [("TCP", "192.0.2.1", 5060)])
        self.assertEqual(self.resolve("sips:example"), [("TLS", "192.0.2.1", 5061)])

    def test_names_for_certificates(self) -> None:
        """
        The name a certificate must bear is the domain that was asked for, not that of its server.
        """
        self.zone.add("_sips._tcp.example", srv(1, 1, 5061, "host.other"))
        self.zone.add("host.other", a("192.0.2.1"))
        (target,) = self.successResultOf(self.ask("sip:example;transport=tls"))
        self.assertEqual((target.name, target.verify), ("example", True))

    def test_priority_and_weight(self) -> None:
        """
        Lower priority goes first; within one priority chance picks by weight, each server once.
        """
        self.zone.add("_sip._udp.example", srv(2, 0, 4, "four.example"), srv(1, 10, 1, "one.example"),
                      srv(1, 30, 3, "three.example"), srv(1, 0, 2, "two.example"))
        for number, name in enumerate(("one", "two", "three", "four"), 1):
            self.zone.add(f"{name}.example", a(f"192.0.2.{number}"))
        self.assertEqual([port for _, _, port in self.resolve("sip:example;transport=udp")], [2, 1, 3, 4])
        self.chance = 0.99
        self.assertEqual([port for _, _, port in self.resolve("sip:example;transport=udp")], [3, 1, 2, 4])
        self.chance = 0.2
        self.assertEqual([port for _, _, port in self.resolve("sip:example;transport=udp")][:1], [1])

    def test_no_service(self) -> None:
        """
        A domain that says it has no such service, by a lone ".", is asked for as a host then.
        """
        self.zone.add("_sip._udp.example", srv(0, 0, 0, ""))
        self.zone.add("example", a("192.0.2.1"))
        self.assertEqual(self.resolve("sip:example"), [("UDP", "192.0.2.1", 5060)])

    def test_bare_host(self) -> None:
        """
        A name with neither NAPTR nor SRV is a host at the default port.
        """
        self.zone.add("pbx.example", a("192.0.2.1"))
        self.assertEqual(self.resolve("sip:pbx.example."), [("UDP", "192.0.2.1", 5060)])
        self.assertEqual(self.resolve("sip:pbx.example", "TLS"), [("TLS", "192.0.2.1", 5061)])
        self.failureResultOf(self.ask("sip:nothing.example"), ResolveError)

    def test_one_server_cannot_be_looked_up(self) -> None:
        """
        The other servers serve; only when none is left is it an error.
        """
        self.zone.add("_sip._udp.example", srv(1, 1, 1, "one.example"), srv(2, 1, 2, "two.example"))
        self.zone.errors["one.example", dns.A] = self.zone.errors["one.example", dns.AAAA] = DNSServerError("x")
        self.zone.add("two.example", a("192.0.2.2"))
        self.assertEqual(self.resolve("sip:example;transport=udp"), [("UDP", "192.0.2.2", 2)])
        del self.zone.records["two.example", dns.A]
        self.clock.advance(3600)
        self.failureResultOf(self.ask("sip:example;transport=udp"), ResolveError)

    def test_failed_srv_is_no_host(self) -> None:
        """
        When the servers of a domain cannot be learnt, its own address is not taken for one.
        """
        self.zone.add("example", a("192.0.2.1"))
        self.zone.errors["_sip._udp.example", dns.SRV] = DNSServerError("x")
        self.failureResultOf(self.ask("sip:example"), ResolveError)

    def test_old_name_servers(self) -> None:
        """
        A name server that does not know NAPTR or SRV at all has none.
        """
        self.zone.add("example", a("192.0.2.1"))
        self.zone.errors["example", dns.NAPTR] = DNSServerError("x")
        self.zone.errors["_sip._udp.example", dns.SRV] = DNSNotImplementedError("x")
        self.assertEqual(self.resolve("sip:example"), [("UDP", "192.0.2.1", 5060)])

    def test_bounded(self) -> None:
        """
        However many servers a zone lists, 32 places are enough.
        """
        self.zone.add("_sip._udp.example", *(srv(1, 1, port, "host.example") for port in range(200)))
        self.zone.add("host.example", a("192.0.2.1"))
        self.assertEqual(len(self.resolve("sip:example;transport=udp")), MOST_TARGETS)
        self.zone.add("many.example", *(a(f"192.0.2.{number}") for number in range(200)))
        self.assertEqual(len(self.resolve("sip:many.example:5060")), MOST_TARGETS)


class LookupTests(SynchronousTestCase):
    """
    The memory in front of the name servers.
    """

    def setUp(self) -> None:
        self.zone = Zone()
        self.clock = Clock()
        self.lookup = Lookup(self.zone, self.clock)

    def find(self, name: str) -> Deferred[list[Any]]:
        """
        The A records of a name.
        """
        return Deferred.fromCoroutine(self.lookup.records(name, dns.A))

    def test_remembered_as_long_as_it_is_good(self) -> None:
        """
        An answer serves for its time to live, without case, and at most an hour; that there is none, for a minute.
        """
        self.zone.add("a", a("192.0.2.1", ttl=30))
        self.zone.add("b", a("192.0.2.2", ttl=1_000_000))
        for name in ("a", "A", "b", "none", "none"):
            self.successResultOf(self.find(name))
        self.assertEqual([name for name, _ in self.zone.asked], ["a", "b", "none"])
        self.clock.advance(30)
        for name in ("a", "b", "none"):
            self.successResultOf(self.find(name))
        self.assertEqual(len(self.zone.asked), 4)
        self.clock.advance(3600)
        for name in ("a", "b", "none"):
            self.successResultOf(self.find(name))
        self.assertEqual(len(self.zone.asked), 7)

    def test_old_answers_serve_while_the_servers_are_away(self) -> None:
        """
        When no name server answers, what was learnt before serves for a day; what was never learnt fails.
        """
        self.zone.add("a", a("192.0.2.1", ttl=30))
        self.successResultOf(self.find("a"))
        for error in (TimeoutError(), DNSServerError("x"), OSError("unreachable")):
            self.zone.down = error
            self.clock.advance(3600)
            self.assertEqual(len(self.successResultOf(self.find("a"))), 1)
            self.failureResultOf(self.find("b"), LookupFailed)
        self.clock.advance(86_400)
        self.failureResultOf(self.find("a"), LookupFailed)

    def test_bounded(self) -> None:
        """
        Only so many answers are remembered.
        """
        self.patch(lookup, "MOST_ENTRIES", 10)
        for number in range(50):
            self.successResultOf(self.find(str(number)))
        self.assertEqual(len(self.lookup._answers), 10)


class SystemResolverTests(SynchronousTestCase):
    """
    The machine's own resolver, on a network in memory.
    """

    def test_hosts_file_then_name_server(self) -> None:
        """
        The hosts file answers first, then the name server of resolv.conf, which is given up after some seconds.
        """
        network = Network(delay=0.01)
        hosts, conf = self.mktemp(), self.mktemp()
        with open(hosts, "w") as file:  # noqa: PTH123
            file.write("192.0.2.7 phone.example\n")
        with open(conf, "w") as file:  # noqa: PTH123
            file.write("nameserver 10.0.0.53\n")
        reactor = network.reactor("10.0.0.1")
        look = Lookup(system_resolver(reactor, conf, hosts.encode()), network.clock)
        (record,) = self.successResultOf(Deferred.fromCoroutine(look.records("phone.example", dns.A)))
        self.assertEqual(record.dottedQuad(), "192.0.2.7")
        pending = Deferred.fromCoroutine(look.records("other.example", dns.A))
        network.advance(3.5)
        self.failureResultOf(pending, LookupFailed)

    def test_name_servers_of_the_configuration(self) -> None:
        """
        Name servers that are given are asked in place of those of resolv.conf.
        """
        network = Network(delay=0.01)
        asked: list[str] = []
        reactor = network.reactor("10.0.0.1")

        class NameServer(DatagramProtocol):
            def __init__(self, name: str) -> None:
                self.name = name

            def datagramReceived(self, datagram: bytes, address: Any) -> None:
                asked.append(self.name)

        network.reactor("10.0.0.53").listenUDP(53, NameServer("listed"))
        network.reactor("10.0.0.54").listenUDP(5353, NameServer("given"))
        conf = self.mktemp()
        with open(conf, "w") as file:  # noqa: PTH123
            file.write("nameserver 10.0.0.53\n")
        look = Lookup(system_resolver(reactor, conf, servers=[("10.0.0.54", 5353)]), network.clock)
        pending = Deferred.fromCoroutine(look.records("other.example", dns.A))
        network.advance(3.5)
        self.failureResultOf(pending, LookupFailed)
        self.assertEqual(set(asked), {"given"})
