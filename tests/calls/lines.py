"""
What tests of trunks stand on: the lines of an exchange at 10.0.0.1, a name server, and providers.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pbx.calls.alerts import IAlerts
from pbx.calls.trunk_line import TrunkLine
from pbx.calls.trunks import TrunkLines
from pbx.dialog.useragent import UserAgentCore, UserAgentSettings
from pbx.directory.plan import Plan, Site
from pbx.directory.trunk import Trunk, TrunkState
from pbx.sip.message import Headers, Request
from pbx.tasks import Tasks
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.layer import TransportLayer
from pbx.transport.lookup import Lookup
from pbx.transport.resolver import Resolver
from pbx.transport.settings import TransportSettings
from pbx.transport.trace import NoTrace
from tests.calls.provider import ACCOUNT, SECRET, Provider
from tests.dialog.stage import Owner
from tests.network import Network
from tests.transport.test_resolver import Zone, a, srv

HERE = "10.0.0.1"
NAME = "Provider One"


@implementer(IAlerts)
class Told:
    """
    Who is told, and what.
    """

    def __init__(self) -> None:
        self.open: dict[tuple[str, str], str] = {}
        self.history: list[tuple[str, str, str]] = []

    def alert(self, kind: str, subject: str, text: str) -> None:
        self.open[kind, subject] = text
        self.history.append(("alert", subject, text))

    def settled(self, kind: str, subject: str, text: str) -> None:
        if self.open.pop((kind, subject), None) is not None:
            self.history.append(("settled", subject, text))


class LinesCase(SynchronousTestCase):
    """
    The lines of an exchange, and nothing left afterwards.

    Attributes:
        chance: What chance always says.
    """

    chance = 0.5

    def setUp(self) -> None:
        self.logged: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self._logged)
        self.network = Network(delay=0.005)
        self.zone = Zone()
        self.tasks = Tasks()
        self.alerts = Told()
        self.providers: list[Provider] = []
        reactor: Any = self.network.reactor(HERE)
        self.guard = Guard(reactor, GuardSettings())
        options = TransportSettings(sip_hosts=(HERE,), sip_port=5060)
        self.transport = TransportLayer(reactor, options, self.guard, NoTrace())
        self.layer = TransactionLayer(reactor, Timers(), self.transport, Limits())
        self.transport.receiver = self.layer
        self.core = UserAgentCore(reactor, Timers(), self.layer, self.tasks, UserAgentSettings())
        self.core.owner = Owner()
        self.resolver = Resolver(Lookup(self.zone, reactor), chance=lambda: self.chance, ipv6=lambda: False)
        self.transport.start()
        self.changes: list[tuple[str, str, str]] = []
        self.plan = Plan()
        self.lines = TrunkLines(
            self.core, self.resolver, self.wall, self.alerts, chance=lambda: self.chance
        )

    def tearDown(self) -> None:
        """
        Stopped, nothing is left.
        """
        done: Deferred[Any] = Deferred.fromCoroutine(self.lines.stop())
        self.wait(2)
        self.successResultOf(done)
        for ended in (self.layer.stop(), self.transport.stop(), self.tasks.stop()):
            self.wait(0.1)
            self.successResultOf(ended)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual([text for level, text in self.logged if level is LogLevel.critical], [])
        globalLogPublisher.removeObserver(self._logged)

    def wall(self) -> float:
        """
        The wall clock.
        """
        return 1_700_000_000.0 + self.network.clock.seconds()

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.network.advance(seconds)

    @property
    def now(self) -> float:
        """
        The clock's time.
        """
        return float(self.network.clock.seconds())

    # What there is.

    def provider(self, address: str = "192.0.2.1", port: int = 5060, secret: str | None = SECRET) -> Provider:
        """
        Put a machine of the provider's on the network.
        """
        self.providers.append(Provider(self.network, address, port, secret))
        return self.providers[-1]

    def names(self, *addresses: str, host: str = "sip.provider.example") -> None:
        """
        Have the provider's domain lead to these addresses by SRV, in this order of priority.
        """
        self.zone.records.clear()
        for place, address in enumerate(addresses, 1):
            self.zone.add(f"_sip._udp.{host}", srv(place, 0, 5060, f"node{place}.{host}"))
            self.zone.add(f"node{place}.{host}", a(address, 30))

    def trunk(self, **options: Any) -> Trunk:
        """
        A trunk at 192.0.2.1 that registers, and is not asked for its health.
        """
        usual: dict[str, Any] = {
            "name": NAME, "host": "192.0.2.1", "username": ACCOUNT, "password": SECRET, "options_interval": 0,
        }
        return Trunk(**{**usual, **options})

    def use(self, *trunks: Trunk, **site: Any) -> None:
        """
        Go by a plan with these trunks.
        """
        before, self.plan = self.plan, Plan(site=Site(**site), trunks={trunk.name: trunk for trunk in trunks})
        self.lines.plan_changed(before, self.plan)

    def start(self, *trunks: Trunk, wait: float = 0.1, **site: Any) -> TrunkLine:
        """
        Start with these trunks; the line of the first.
        """
        self.lines.on_change(self._changed)
        self.use(*trunks, **site)
        self.lines.start()
        self.wait(wait)
        return self.line(trunks[0].name)

    def line(self, name: str = NAME) -> TrunkLine:
        """
        A line.
        """
        line = self.lines.line(name)
        assert line is not None
        return line

    # What is seen.

    def health(self, name: str = NAME) -> str:
        """
        How a trunk is.
        """
        return self.lines.get(name, TrunkState("down", "there is none")).health

    def reason(self, name: str = NAME) -> str:
        """
        Why.
        """
        return self.lines.get(name, TrunkState("down", "there is none")).reason

    def said(self, *words: str) -> list[str]:
        """
        The lines of the log above debug with all these words, as grep finds them.
        """
        return [text for level, text in self.logged if all(word in text for word in words) and level > LogLevel.debug]

    def invite(
        self, uri: str = "sip:123@10.0.0.1", to: str = "<sip:123@10.0.0.1>", sender: str = "<sip:456@192.0.2.1>",
        headers: Any = (), method: str = "INVITE",
    ) -> Request:
        """
        A request that comes in.
        """
        fields = Headers()
        for name, value in (
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKin"), ("From", f"{sender};tag=theirs"), ("To", to),
            ("Call-ID", "call-in"), ("CSeq", f"1 {method}"), ("Contact", "<sip:456@192.0.2.1>"), *headers,
        ):
            fields.add(name, value)
        return Request(method, uri, fields)

    def recognised(self, address: str = "192.0.2.1", port: int = 5060, **options: Any) -> str | None:
        """
        The trunk that a request comes over.
        """
        line = self.lines.recognise(self.transport.udp_flow((address, port)), self.invite(**options))
        return None if line is None else line.trunk.name

    def _changed(self, line: TrunkLine, before: TrunkState) -> None:
        self.changes.append((line.trunk.name, before.health, line.state.health))

    def _logged(self, event: Any) -> None:
        if str(event.get("log_namespace", "")).startswith("pbx."):
            self.logged.append((event["log_level"], formatEvent(event)))
