"""
What calls may count on of the lines to providers: of :class:`pbx.calls.trunks.TrunkLines` on the network in memory, and
of the fake on which the other tests of calls over trunks stand.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from pbx.dialog.useragent import contact_of
from pbx.directory.trunk import Trunk, TrunkState
from pbx.sip.address import NameAddr
from pbx.sip.digest import Challenge, Credentials, ha1
from pbx.sip.message import response_to
from pbx.transport.flow import FlowClosed
from pbx.transport.resolver import ResolveError, Target
from tests.calls.fake_lines import FakeLines
from tests.calls.lines import NAME, LinesCase

GONE = TrunkState("down", "there is none")

OTHER = "Provider Two"


class ContractTests:
    """
    What all lines do; :class:`RealLinesTests` and :class:`FakeLinesTests` say how they come to be as a test wants them.
    """

    def trunk(self, **options: Any) -> Trunk:
        """
        A trunk that does not register.
        """
        return super().trunk(**{"register": False, **options})  # type: ignore[misc]

    def two(self, **options: Any) -> list[Trunk]:
        """
        Two trunks, of which the first is tried first.
        """
        return [
            self.trunk(priority=1, **options), self.trunk(name=OTHER, host="192.0.2.2", priority=2, **options),
        ]

    def targets(self, name: str = NAME) -> list[Target]:
        """
        Where calls are sent.
        """
        found: Deferred[Any] = Deferred.fromCoroutine(self.line(name).targets())
        self.wait(0.1)
        return self.successResultOf(found)

    def way(self, target: Target) -> Deferred[Any]:
        """
        The way there.
        """
        way: Deferred[Any] = Deferred.fromCoroutine(self.line().flow(target))
        self.wait(0.1)
        return way

    # All of them.

    def test_there_is_none(self) -> None:
        """
        A name that no trunk has: there is no line, and its state is what was given for that case.
        """
        self.start(self.trunk())
        self.assertIsNone(self.lines.line("Nobody"))
        self.assertIs(self.lines.get("Nobody", GONE), GONE)

    def test_each_has_its_own(self) -> None:
        """
        Each trunk has one line, the same whenever it is asked for.
        """
        self.start(*self.two())
        for name, host in ((NAME, "192.0.2.1"), (OTHER, "192.0.2.2")):
            self.assertEqual(self.line(name).trunk.host, host)
            self.assertIs(self.line(name), self.line(name))

    # How they are.

    def test_up(self) -> None:
        """
        A trunk of which nothing bad is known is up; its state says how many calls are over it.
        """
        line = self.start(self.trunk())
        self.assertEqual((line.state, self.lines.get(NAME, GONE)), (TrunkState(), TrunkState()))
        self.assertEqual(list(line.routes), [])
        line.take("leg")
        self.assertEqual(self.lines.get(NAME, GONE), TrunkState(channels=1))

    def test_switched_off(self) -> None:
        """
        One that is switched off is down.
        """
        self.start(self.trunk(enabled=False))
        self.assertEqual(self.line().state, TrunkState("down", "it is switched off"))

    def test_down_and_up(self) -> None:
        """
        What changes is told once, when it is so already, with the state before; calls over it go on.
        """
        line = self.start(*self.two(options_interval=5))
        line.take("leg")
        told: list[Any] = []
        self.lines.on_change(lambda line, before: told.append((line.trunk.name, before.health, line.state.health)))
        self.change(self.line(), "down")
        self.assertEqual(told, [(NAME, "up", "down")])
        self.assertEqual((line.state.channels, bool(line.state.reason)), (1, True))
        self.assertEqual(self.lines.get(NAME, GONE).health, "down")
        self.assertEqual(self.lines.get(OTHER, GONE).health, "up")
        self.change(self.line(), "up")
        self.assertEqual((told[1:], line.state), ([(NAME, "down", "up")], TrunkState(channels=1)))

    def test_state_before(self) -> None:
        """
        The state before, as it is told, counts no calls.
        """
        self.start(self.trunk(options_interval=5)).take("leg")
        told: list[TrunkState] = []
        self.lines.on_change(lambda line, before: told.append(before))
        self.change(self.line(), "down")
        self.assertEqual(told, [TrunkState()])

    def test_failing_observer(self) -> None:
        """
        One that fails when it is told keeps no other from it.
        """
        self.start(self.trunk(options_interval=5))
        told: list[str] = []

        def fails(line: Any, before: TrunkState) -> None:
            raise ZeroDivisionError

        self.lines.on_change(fails)
        self.lines.on_change(lambda line, before: told.append(line.state.health))
        self.change(self.line(), "down")
        self.assertEqual(told, ["down"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.logged.clear()

    # Their calls.

    def test_channels(self) -> None:
        """
        It is full when as many calls are over it as it takes, and not when one has ended.
        """
        line = self.start(self.trunk(max_channels=2))
        for leg, full in (("one", False), ("two", True)):
            line.take(leg)
            self.assertIs(line.full, full)
        self.assertEqual(set(line.channels), {"one", "two"})
        line.release("one")
        self.assertEqual((set(line.channels), line.full, line.state.channels), ({"two"}, False, 1))

    def test_no_limit(self) -> None:
        """
        Without a limit it is never full; with none allowed always.
        """
        line = self.start(self.trunk())
        for leg in range(1000):
            line.take(leg)
        self.assertFalse(line.full)
        self.use(self.trunk(max_channels=0))
        self.assertTrue(line.full)

    # Where they are.

    def test_targets(self) -> None:
        """
        A call goes to the trunk's port over its transport, to the usual one of it where none is set, and to the proxy
        that the operator has named.
        """
        for options, expected in (
            ({}, Target("UDP", "192.0.2.1", 5060)),
            ({"port": 5080}, Target("UDP", "192.0.2.1", 5080)),
            ({"transport": "tcp"}, Target("TCP", "192.0.2.1", 5060)),
            ({"transport": "tls"}, Target("TLS", "192.0.2.1", 5061)),
            ({"outbound_proxy": "192.0.2.9"}, Target("UDP", "192.0.2.9", 5060)),
            ({"outbound_proxy": "192.0.2.9:5070", "port": 5080}, Target("UDP", "192.0.2.9", 5070)),
        ):
            self.start(self.trunk(**options))
            found = [(target.transport, target.host, target.port) for target in self.targets()]
            self.assertEqual(found, [(expected.transport, expected.host, expected.port)], options)

    def test_several_servers(self) -> None:
        """
        Its servers are tried in order; one from which nothing came is tried last, until five minutes have passed.
        """
        self.lead_to("192.0.2.1", "192.0.2.2", "192.0.2.3")
        self.start(self.trunk(host="sip.provider.example"))
        hosts = [target.host for target in self.targets()]
        self.assertEqual(hosts, ["192.0.2.1", "192.0.2.2", "192.0.2.3"])
        self.line().failed(self.targets()[0])
        self.wait(290)
        self.assertEqual([target.host for target in self.targets()], [*hosts[1:], hosts[0]])
        self.wait(15)
        self.assertEqual([target.host for target in self.targets()], hosts)

    def test_leads_nowhere(self) -> None:
        """
        Its name leads nowhere: the error says so.
        """
        self.lead_to()
        line = self.start(self.trunk(host="sip.provider.example"))
        self.assertTrue(str(self.failureResultOf(Deferred.fromCoroutine(line.targets()), ResolveError).value))

    def test_way(self) -> None:
        """
        Over UDP there is always a way; over TCP it is a connection, and where none comes about the error says so.
        """
        provider = self.provider()
        line = self.start(self.trunk())
        (target,) = self.targets()
        flow = self.successResultOf(self.way(target))
        self.assertEqual((flow.remote, flow.reliable), (("192.0.2.1", 5060), False))
        tcp = Target("TCP", target.host, target.port)
        flow = self.successResultOf(self.way(tcp))
        self.assertEqual((flow.remote, flow.reliable, len(provider.connections)), (("192.0.2.1", 5060), True, 1))
        self.assertIs(self.successResultOf(self.way(tcp)), flow)
        provider.refuse()
        self.wait(0.1)
        self.assertTrue(str(self.failureResultOf(self.way(tcp), FlowClosed).value))
        self.assertIs(self.line(), line)

    # Who is called there, and who we are.

    def test_names(self) -> None:
        """
        A number is called at the provider's host, and at its port where it is an unusual one; we are known at its
        domain. What a URI can't contain is escaped.
        """
        line = self.start(self.trunk(port=5080, from_domain="provider.example"))
        self.assertEqual(line.request_uri("+4930123"), "sip:+4930123@192.0.2.1:5080")
        self.assertEqual(line.request_uri("*21#"), "sip:*21%23@192.0.2.1:5080")
        self.assertEqual(line.from_uri("1 0"), "sip:1%200@provider.example")
        for port in (None, 5060, 5061):
            line = self.start(self.trunk(port=port, host="2001:db8::1"))
            self.assertEqual(line.request_uri("123"), "sip:123@[2001:db8::1]")
            self.assertEqual(line.from_uri("123"), "sip:123@[2001:db8::1]")

    def test_contact(self) -> None:
        """
        Our Contact is where the flow comes from, under the account or what is set instead, with a mark of its own.
        """
        flow = self.transport.udp_flow(("192.0.2.1", 5060))
        marks = set()
        for options, user in (
            ({}, "account"), ({"contact_user": "+4930 1"}, "+4930%201"), ({"username": ""}, "pbx"),
        ):
            line = self.start(self.trunk(name=f"as {user}", **options))
            self.assertEqual(line.contact(flow), line.contact(flow))
            address = NameAddr.parse(line.contact(flow))
            expected = NameAddr.parse(contact_of(flow, user))
            self.assertEqual(evolve(address.uri, params=()), evolve(expected.uri, params=()))
            marks.add(str(address.uri.param("line")))
        self.assertEqual(len(marks - {"None"}), 3)

    def test_credentials(self) -> None:
        """
        A challenge is answered with the password of the account, under the name that is set for it.
        """
        for options, user in (({}, "account"), ({"auth_username": "digest"}, "digest")):
            line = self.start(self.trunk(name=f"as {user}", **options))
            request = self.invite()
            response = response_to(request, 401, to_tag="theirs")
            response.headers.add("WWW-Authenticate", str(Challenge("provider", "nonce")))
            self.assertTrue(line.credentials.challenged(request, response))
            line.credentials.authorize(request)
            given = Credentials.parse(request.headers.get("Authorization") or "")
            self.assertEqual(given.username, user)
            self.assertTrue(given.verifies(ha1(user, "provider", "s3cret", "MD5"), "INVITE", b""))

    # Whose request it is.

    def test_recognised(self) -> None:
        """
        A provider is recognised by its address, whatever the port, or by one that is set; nobody else is.
        """
        self.start(*self.two(inbound_ips=()), self.trunk(name="Three", host="192.0.2.3", inbound_ips=("10.7.0.0/16",)))
        for address, port, name in (
            ("192.0.2.1", 5060, NAME), ("192.0.2.2", 1234, OTHER), ("192.0.2.3", 5060, "Three"),
            ("10.7.8.9", 5060, "Three"), ("192.0.2.4", 5060, None),
        ):
            self.assertEqual(self.recognised(address, port), name)

    def test_behind_a_proxy(self) -> None:
        """
        Calls may come from the proxy that is set, and from the provider's own host.
        """
        self.start(self.trunk(outbound_proxy="192.0.2.9"))
        self.assertEqual((self.recognised("192.0.2.9"), self.recognised("192.0.2.1")), (NAME, NAME))

    def test_phones(self) -> None:
        """
        Whoever registers is a phone, wherever it is; and nothing comes over a trunk that is switched off.
        """
        self.start(self.trunk(), self.trunk(name=OTHER, host="192.0.2.2", enabled=False))
        self.assertIsNone(self.recognised(method="REGISTER"))
        self.assertIsNone(self.recognised("192.0.2.2"))

    def test_several_trunks_of_one_provider(self) -> None:
        """
        Of several trunks at one address it is that with the account or number called, else the first to be tried.
        """
        self.start(
            self.trunk(priority=2, username="one", dids=("1XX",)),
            self.trunk(name=OTHER, priority=1, username="two", dids=("2XX",)),
        )
        for uri, name in (
            ("sip:one@10.0.0.1", NAME), ("sip:two@10.0.0.1", OTHER), ("sip:123@10.0.0.1", NAME),
            ("sip:234@10.0.0.1", OTHER), ("sip:345@10.0.0.1", OTHER),
        ):
            self.assertEqual(self.recognised(uri=uri, to="<sip:x@10.0.0.1>"), name)

    def test_our_contact(self) -> None:
        """
        Within a call it is recognised by our Contact, wherever it comes from; that is no way to begin one.
        """
        line = self.start(self.trunk())
        contact = NameAddr.parse(line.contact(self.transport.udp_flow(("192.0.2.1", 5060))))
        within = "<sip:123@10.0.0.1>;tag=ours"
        self.assertEqual(self.recognised("192.0.2.4", uri=str(contact.uri), to=within, method="INFO"), NAME)
        self.assertIsNone(self.recognised("192.0.2.4", uri=str(contact.uri)))
        self.assertIsNone(self.recognised("192.0.2.4", uri="sip:pbx@10.0.0.1", to=within, method="INFO"))

    # Another plan.

    def test_another_plan(self) -> None:
        """
        A trunk that stays keeps its line and its calls, as the plan has it now; one that is new has a line at once.
        """
        line = self.start(self.trunk())
        line.take("leg")
        self.use(self.trunk(max_channels=1), self.trunk(name=OTHER, host="192.0.2.2"))
        self.wait(0.1)
        self.assertIs(self.line(), line)
        self.assertEqual((line.trunk.max_channels, line.full, line.state.channels), (1, True, 1))
        self.assertEqual(self.lines.get(OTHER, GONE), TrunkState())
        self.assertEqual(self.recognised("192.0.2.2"), OTHER)

    def test_removed(self) -> None:
        """
        A trunk that is gone has no line and recognises nobody; calls over it end as ever, and nobody is told of it.
        """
        line = self.start(*self.two(options_interval=5))
        told: list[str] = []
        self.lines.on_change(lambda line, before: told.append(line.trunk.name))
        line.take("leg")
        self.use(self.two(options_interval=5)[1])
        self.wait(0.1)
        self.assertIsNone(self.lines.line(NAME))
        self.assertIs(self.lines.get(NAME, GONE), GONE)
        self.assertIsNone(self.recognised("192.0.2.1"))
        self.assertEqual(line.state.channels, 1)
        self.change(line, "down")
        line.release("leg")
        self.assertEqual((line.state.channels, told), (0, []))

    def test_switched_off_by_a_plan(self) -> None:
        """
        One that is switched off by a new plan is down from then on, which is told.
        """
        self.start(self.trunk())
        told: list[Any] = []
        self.lines.on_change(lambda line, before: told.append((before.health, line.state)))
        self.use(self.trunk(enabled=False))
        self.wait(0.1)
        self.assertEqual(told, [("up", TrunkState("down", "it is switched off"))])
        self.assertIsNone(self.recognised())

    def test_moved_by_a_plan(self) -> None:
        """
        One that moves by a new plan is called, and known, where it is now.
        """
        line = self.start(self.trunk())
        self.use(self.trunk(host="192.0.2.7", auth_username="other"))
        self.wait(0.1)
        self.assertIs(self.line(), line)
        self.assertEqual([target.host for target in self.targets()], ["192.0.2.7"])
        self.assertEqual(line.request_uri("1"), "sip:1@192.0.2.7")
        self.assertEqual((self.recognised("192.0.2.7"), self.recognised("192.0.2.1")), (NAME, None))


class RealLinesTests(ContractTests, LinesCase):
    """
    The real ones: asked by OPTIONS, and looked up.
    """

    def start(self, *trunks: Trunk, **options: Any) -> Any:
        """
        Start with these trunks, or go on with them.
        """
        if any(trunk.options_interval for trunk in trunks):
            for trunk in trunks:
                self.provider(trunk.host)
        if self.plan.trunks:
            self.use(*trunks)
            self.wait(0.1)
            return self.line(trunks[0].name)
        return super().start(*trunks, **options)

    def change(self, line: Any, health: str) -> None:
        """
        Let the provider say that it takes nothing, or that it does.
        """
        (provider,) = [one for one in self.providers if one.address == line.trunk.host]
        self.wait(6)
        provider.always["OPTIONS"] = 503 if health == "down" else 200
        self.wait(60)

    def lead_to(self, *hosts: str) -> None:
        """
        Let the provider's domain lead to these addresses, before it is looked up.
        """
        self.names(*hosts)


class FakeLinesTests(ContractTests, LinesCase):
    """
    The fake.
    """

    def setUp(self) -> None:
        super().setUp()
        self.real, self.lines = self.lines, FakeLines(self.plan, self.transport, self.network.clock)
        self.hosts: list[str] | None = None

    def tearDown(self) -> None:
        self.lines = self.real
        super().tearDown()

    def start(self, *trunks: Trunk, **options: Any) -> Any:
        """
        Go by these trunks.
        """
        self.use(*trunks)
        line: Any = self.line(trunks[0].name)
        if self.hosts is not None:
            line.hosts = self.hosts
        return line

    def change(self, line: Any, health: str) -> None:
        """
        Let it be so.
        """
        line.set(health, "" if health == "up" else "no answer")

    def lead_to(self, *hosts: str) -> None:
        """
        Let the provider have these servers.
        """
        self.hosts = [*hosts]
