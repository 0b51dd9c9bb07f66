"""
Tests for :mod:`pbx.calls.trunk_targets`: a provider of several machines, and where requests go.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.calls.health import MOST_ASKED
from pbx.calls.register import PATIENCE
from pbx.calls.registration import MOST_TRIED
from pbx.calls.trunk_line import TrunkLine
from pbx.calls.trunk_targets import AVOIDED, KNOWN, MOST_ADDRESSES, TrunkTargets, host_and_port
from pbx.directory.trunk import Trunk
from pbx.sip.message import ParseError
from pbx.sip.uri import URI
from pbx.transport.resolver import ResolveError, Target
from tests.calls.lines import LinesCase
from tests.calls.provider import ACCOUNT


class PlacesTests(LinesCase):
    """
    A provider of several machines.
    """

    def setUp(self) -> None:
        super().setUp()
        self.first, self.second = self.provider("192.0.2.1"), self.provider("192.0.2.2")
        self.names("192.0.2.1", "192.0.2.2")
        self.domain = self.trunk(host="sip.provider.example", register_expires=120)

    def counts(self) -> tuple[int, int]:
        """
        How many REGISTERs each has heard since the last look, besides those that take one back.
        """
        first, second = ([each for each in provider.requests() if each.expires]
                         for provider in (self.first, self.second))
        found = len(first), len(second)
        for provider in (self.first, self.second):
            provider.forget()
        return found

    def test_next(self) -> None:
        """
        Silence, 503 and other failures of one machine lead to the next in the same attempt; a refusal does not.
        """
        self.lines.start()
        for status, seconds in ((None, PATIENCE), (503, 0.0), (500, 0.0), (408, 0.0)):
            with self.subTest(status=status):
                self.first.always["REGISTER"] = status
                name = f"with {status}"
                self.use(self.trunk(name=name, host="sip.provider.example"))
                self.wait(seconds + 0.2)
                self.assertEqual(self.counts(), (1, 2))
                self.assertEqual(self.health(name), "up")
        self.first.always["REGISTER"] = 403
        self.use(self.trunk(name="refused", host="sip.provider.example"))
        self.wait(1)
        self.assertEqual(self.counts(), (1, 0))

    def test_stays(self) -> None:
        """
        It stays where it is registered, and goes on when that fails.
        """
        self.first.always["REGISTER"] = 503
        self.start(self.domain)
        del self.first.always["REGISTER"]
        self.counts()
        self.wait(400)
        self.assertEqual(self.counts()[0], 0)
        self.second.always["REGISTER"] = 503
        self.wait(60)
        self.assertGreater(self.counts()[0], 0)
        self.assertEqual(self.health(), "up")

    def test_name_leads_elsewhere(self) -> None:
        """
        Each time the name is looked up anew: a provider that has moved is followed.
        """
        self.start(self.domain)
        self.counts()
        self.names("192.0.2.2")
        self.wait(500)
        self.assertGreater(self.counts()[1], 2)
        self.assertEqual(self.health(), "up")

    def test_calls_go_where_it_is_registered(self) -> None:
        """
        The places for calls begin with the one it is registered at.
        """
        self.first.always["REGISTER"] = 503
        self.names("192.0.2.1", "192.0.2.2", "192.0.2.3")
        line = self.start(self.domain)
        self.assertEqual(self.hosts(line), ["192.0.2.2", "192.0.2.3", "192.0.2.1"])
        # It moves back when the other fails, and what works again is not avoided any more.
        del self.first.always["REGISTER"]
        self.second.always["REGISTER"] = 503
        self.provider("192.0.2.3").always["REGISTER"] = 503
        self.wait(60)
        self.assertEqual(self.hosts(line), ["192.0.2.1", "192.0.2.2", "192.0.2.3"])

    def test_not_all_of_very_many(self) -> None:
        """
        A zone that names very many machines is not gone through to its end in one attempt, nor by OPTIONS.
        """
        addresses = [f"198.51.100.{n}" for n in range(1, 13)]
        many = [self.provider(address) for address in addresses]
        for provider in many:
            provider.always.update({"REGISTER": 503, "OPTIONS": 503})
        self.names(*addresses)
        self.start(self.trunk(host="sip.provider.example", options_interval=3600), wait=1)
        for method, most in (("REGISTER", MOST_TRIED), ("OPTIONS", MOST_ASKED)):
            self.assertEqual(sum(bool(provider.requests(method)) for provider in many), most)

    def test_another_attempt_replaces_the_one_under_way(self) -> None:
        """
        An attempt that is replaced goes no further.
        """
        self.first.always["REGISTER"] = None
        self.start(self.domain, wait=1)
        self.first.always["REGISTER"] = 503
        self.lines.address_changed()
        self.wait(20)
        self.assertEqual(self.counts()[1], 2)

    def test_calls_by_the_service_route(self) -> None:
        """
        Where the registrar named a route, calls go to its first hop (RFC 3608 6.1), if that can be found.
        """
        self.names("192.0.2.1", "192.0.2.2")
        self.lines.start()
        for route, expected in (("<sip:192.0.2.9;lr>", "192.0.2.9"), ("<sip:inside.invalid;lr>", "192.0.2.1")):
            self.first.script["REGISTER"] = [401, (200, (("Service-Route", route),))]
            name = f"by {route}"
            self.use(self.trunk(name=name, host="sip.provider.example"))
            self.wait(0.2)
            self.assertEqual(self.hosts(self.line(name))[0], expected)

    def test_no_service_route_past_the_proxy(self) -> None:
        """
        A proxy that the operator names goes before a route of the registrar's.
        """
        self.first.script["REGISTER"] = [(200, (("Service-Route", "<sip:192.0.2.9;lr>"),))]
        line = self.start(self.trunk(host="sip.provider.example", outbound_proxy="192.0.2.1"))
        self.assertEqual((self.hosts(line), len(line.routes)), (["192.0.2.1"], 1))

    def test_proxy(self) -> None:
        """
        An outbound proxy is where all is sent; what is asked for stays the domain.
        """
        self.start(self.trunk(host="sip.provider.example", outbound_proxy="192.0.2.2:5060"))
        request = self.second.requests()[-1]
        self.assertEqual((request.uri, self.counts()[0]), ("sip:sip.provider.example", 0))
        self.assertEqual(str(request.to.uri), f"sip:{ACCOUNT}@sip.provider.example")
        self.assertEqual(self.hosts(self.line()), ["192.0.2.2"])

    def hosts(self, line: TrunkLine) -> list[str]:
        """
        Where calls over a line go.
        """
        return [target.host for target in self.successResultOf(Deferred.fromCoroutine(line.targets()))]


class Book:
    """
    A resolver that knows what it is told.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[Target]] = {}

    async def resolve(self, uri: URI, default_transport: str | None = None) -> list[Target]:
        """
        What it was told.
        """
        self.asked.append(str(uri))
        if str(uri) not in self.answers:
            raise ResolveError(f"{uri.host} has no address")
        return self.answers[str(uri)]


class TargetsTests(SynchronousTestCase):
    """
    The places of one trunk.
    """

    def setUp(self) -> None:
        self.book, self.clock = Book(), Clock()

    def targets(self, **options: Any) -> TrunkTargets:
        """
        Where a trunk is.
        """
        return TrunkTargets(self.book, self.clock, Trunk(**{"name": "T", "host": "p.example", **options}))

    def look(self, targets: TrunkTargets) -> None:
        """
        Look its addresses up.
        """
        self.successResultOf(Deferred.fromCoroutine(targets.look_again()))

    def test_what_is_asked(self) -> None:
        """
        The host with its port and transport, or the proxy; for the addresses the whole domain as well.
        """
        for options, expected in (
            ({}, ["sip:p.example"]),
            ({"port": 5080}, ["sip:p.example:5080", "sip:p.example"]),
            ({"transport": "tls"}, ["sip:p.example;transport=tls", "sip:p.example"]),
            ({"outbound_proxy": "x.example:5070", "transport": "tcp"},
             ["sip:x.example:5070;transport=tcp", "sip:p.example", "sip:p.example;transport=tcp"]),
            ({"outbound_proxy": "x.example", "port": 5080}, ["sip:x.example", "sip:p.example", "sip:p.example:5080"]),
            ({"host": "2001:db8::1", "port": 5080}, ["sip:[2001:db8::1]:5080", "sip:[2001:db8::1]"]),
            ({"host": "[2001:db8::1]"}, ["sip:[2001:db8::1]"]),
        ):
            self.book.asked.clear()
            self.look(self.targets(**options))
            self.assertEqual(self.book.asked, expected)

    def test_order(self) -> None:
        """
        The current place first, those that failed of late last; in time they are tried as before.
        """
        places = [Target("UDP", f"192.0.2.{n}", 5060, "p.example") for n in range(3)]
        self.book.answers["sip:p.example"] = places
        targets = self.targets()

        def order() -> list[int]:
            found = self.successResultOf(Deferred.fromCoroutine(targets.best_first()))
            return [places.index(place) for place in found]

        self.assertEqual(order(), [0, 1, 2])
        targets.current = places[2]
        self.assertEqual(order(), [2, 0, 1])
        targets.failed(places[0])
        self.assertEqual(order(), [2, 1, 0])
        targets.failed(places[2])
        self.assertEqual(order(), [1, 0, 2])
        targets.works(places[0])
        self.assertEqual(order(), [0, 1, 2])
        self.clock.advance(AVOIDED)
        self.assertEqual(order(), [0, 1, 2])
        self.assertIsNone(targets.current)

    def test_addresses(self) -> None:
        """
        An address is the trunk's at any port, and for an hour after its name led there; nothing is forgotten while no
        name server answers.
        """
        self.book.answers["sip:p.example:5080"] = [Target("UDP", "192.0.2.1", 5080)]
        self.book.answers["sip:p.example"] = [Target("TCP", "192.0.2.2", 5060)]
        targets = self.targets(port=5080)
        self.assertFalse(targets.has("192.0.2.1", 5080))
        self.look(targets)
        for address in ("192.0.2.1", "192.0.2.2"):
            self.assertTrue(targets.has(address, 40_000))
        self.assertFalse(targets.has("192.0.2.3", 5080))
        self.book.answers.clear()
        self.clock.advance(KNOWN - 1)
        self.look(targets)
        self.assertEqual(targets.trouble, "p.example has no address")
        self.assertTrue(targets.has("192.0.2.1", 1))
        self.clock.advance(1)
        self.assertFalse(targets.has("192.0.2.1", 1))

    def test_trouble_passes(self) -> None:
        """
        Trouble with the name is over when it leads somewhere.
        """
        targets = self.targets()
        self.failureResultOf(Deferred.fromCoroutine(targets.best_first()), ResolveError)
        self.assertEqual(targets.trouble, "p.example has no address")
        self.book.answers["sip:p.example"] = [Target("UDP", "192.0.2.1", 5060)]
        self.look(targets)
        self.assertEqual(targets.trouble, "")

    def test_loopback(self) -> None:
        """
        On this machine everything speaks from the same address: a trunk there is known by its port.
        """
        self.book.answers["sip:127.0.0.1:5070"] = [Target("UDP", "127.0.0.1", 5070)]
        self.book.answers["sip:127.0.0.1"] = [Target("UDP", "127.0.0.1", 5060)]
        targets = self.targets(host="127.0.0.1", port=5070)
        self.look(targets)
        self.assertEqual([targets.has("127.0.0.1", port) for port in (5070, 5060, 0)], [True, False, False])

    def test_nothing_grows(self) -> None:
        """
        A zone that names ever new addresses fills nothing.
        """
        targets = self.targets()
        for count in range(MOST_ADDRESSES + 10):
            self.book.answers["sip:p.example"] = [Target("UDP", f"10.{count // 250}.0.{count % 250}", 5060)]
            self.look(targets)
            if count == 20:
                # One that is still named stays.
                self.book.answers["sip:p.example"] = [Target("UDP", "10.0.0.5", 5060)]
                self.look(targets)
        self.assertEqual(len(targets._addresses), MOST_ADDRESSES)
        known = [n for n in range(20) if targets.has(f"10.0.0.{n}", 1)]
        self.assertEqual(known, [5, *range(11, 20)])

    def test_host_and_port(self) -> None:
        """
        As people write it.
        """
        for text, expected in (
            ("p.example", ("p.example", None)), ("p.example:5070", ("p.example", 5070)),
            ("192.0.2.1:5070", ("192.0.2.1", 5070)), ("2001:db8::1", ("2001:db8::1", None)),
            ("[2001:db8::1]", ("2001:db8::1", None)), ("[2001:db8::1]:5070", ("2001:db8::1", 5070)),
        ):
            self.assertEqual(host_and_port(text), expected)
        for text in ("p example", "[x]:1", "a:b"):
            self.assertRaises(ParseError, host_and_port, text)

    def test_no_host(self) -> None:
        """
        What is no host leads nowhere, and that is said.
        """
        self.failureResultOf(Deferred.fromCoroutine(self.targets(host="p example").best_first()), ResolveError)
