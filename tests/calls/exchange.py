"""
The exchange on a network in memory, in virtual time: everything from the sockets to the records, and no database.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

import pbx
from pbx.calls.beyond import Outside
from pbx.calls.callbacks import Callbacks
from pbx.calls.emergency import HEEDED, Emergencies
from pbx.calls.record import IRecords, Recorder
from pbx.calls.switchboard import Switchboard
from pbx.calls.tools import CallSettings, Features
from pbx.calls.trace import CallTrace
from pbx.calls.trunks import TrunkLines
from pbx.calls.usage import COUNTED, TollWatch, UsageCounters
from pbx.dialog.useragent import UserAgentCore, UserAgentSettings
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.plan import NO_PLAN, Plan, PlanBook
from pbx.media.music import Music
from pbx.media.settings import MediaSettings
from pbx.media.sounds import Sounds
from pbx.registrar.authenticator import Authenticator, AuthenticatorSettings
from pbx.registrar.location import IBindingStore, Location
from pbx.registrar.registrar import Registrar, RegistrarSettings
from pbx.sip.digest import ha1
from pbx.tasks import Tasks
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.layer import TransportLayer
from pbx.transport.lookup import Lookup
from pbx.transport.resolver import Resolver
from pbx.transport.settings import TransportSettings
from tests.calls.alerted import Alerted
from tests.calls.fake_lines import FakeLines
from tests.media.memory import memory_engine
from tests.media.threads import VirtualThreads
from tests.network import Network
from tests.transport.test_resolver import Zone

REALM = "pbx-test"
ADDRESS = "10.0.0.1"
SOUNDS = Path(pbx.__file__).parent / "sounds"


def password(number: str) -> str:
    """
    The password of an extension.
    """
    return f"secret of {number}"


@implementer(IRecords, IBindingStore)
class Kept:
    """
    What would be stored.

    Attributes:
        records: The CDRs in order.
        bindings: The rows of each extension.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.bindings: dict[str, list[dict[str, Any]]] = {}

    def add(self, record: Callable[[], dict[str, Any]]) -> None:
        """
        Keep a record.
        """
        self.records.append(record())

    def save(self, aor: str, rows: list[dict[str, Any]]) -> None:
        """
        Keep bindings.
        """
        self.bindings[aor] = rows


class MemoryExchange:
    """
    An exchange at 10.0.0.1, with the extensions 1001 to 1009.

    Args:
        network: The network it is on.
        media: Its media settings.
        calls: Its call settings.
        extensions: The numbers there are.
    """

    def __init__(
        self,
        network: Network,
        *,
        media: MediaSettings | None = None,
        calls: CallSettings | None = None,
        registrar: RegistrarSettings | None = None,
        authenticator: AuthenticatorSettings | None = None,
        agent: UserAgentSettings | None = None,
        transport: TransportSettings | None = None,
        features: dict[str, Any] | None = None,
        plan: Plan | None = None,
        real_lines: bool = False,
        address: str = ADDRESS,
        extensions: tuple[str, ...] = tuple(f"100{n}" for n in range(1, 10)),
    ) -> None:
        self.network = network
        self.address = address
        self.clock = network.clock
        self.wall_offset = 1_700_000_000.0
        self.kept = Kept()
        self.tasks = Tasks()
        reactor = network.reactor(address)
        self.directory = Directory(
            Extension(
                number=number, name=f"Phone {number}",
                digests={a: ha1(number, REALM, password(number), a) for a in ("MD5", "SHA-256")},
            )
            for number in extensions
        )
        self.guard = Guard(reactor, GuardSettings())
        self.trace = CallTrace(self.wall)
        settings = transport or TransportSettings(sip_hosts=(address,), sip_port=5060)
        self.transport = TransportLayer(reactor, settings, self.guard, self.trace)
        timers = Timers()
        self.transactions = TransactionLayer(reactor, timers, self.transport, Limits())
        self.transport.receiver = self.transactions
        self.core = UserAgentCore(reactor, timers, self.transactions, self.tasks, agent or UserAgentSettings())
        self.engine = memory_engine(network, media or MediaSettings(port_range_start=20_000, port_range_end=20_999))
        self.location = Location(reactor, self.wall, self.kept)
        self.guard.has_registration = self.location.registered_from
        self.authenticator = Authenticator(
            self.directory, REALM, reactor, self.guard, authenticator or AuthenticatorSettings()
        )
        self.registrar = Registrar(reactor, self.location, registrar or RegistrarSettings())
        self.threads = VirtualThreads(network.clock)
        self.sounds = Sounds(self.threads, [SOUNDS])
        self.music = Music(self.sounds, self.engine.pacer, self.tasks)
        self.book = PlanBook(plan or NO_PLAN)
        self.alerts = Alerted()
        self.usage = UsageCounters(network.clock, self.wall, self.book)
        self.callbacks = Callbacks(self.wall)
        self.emergencies = Emergencies(self.alerts, self.callbacks, "pbx.example.com")
        self.lines: Any = FakeLines(self.book.plan, self.transport, network.clock)
        if real_lines:
            self.lines = TrunkLines(
                self.core, Resolver(Lookup(Zone(), reactor)), self.wall, self.alerts, self.book.plan, lambda: 0.5
            )
        self.book.on_change(self.lines.plan_changed)
        self.switchboard = Switchboard(
            self.core, self.engine, self.directory, self.location, self.authenticator, self.registrar, self.tasks,
            self.wall, calls or CallSettings(), Features(self.sounds, self.music, **(features or {})),
            Outside(
                self.book, self.lines, usage=self.usage, callbacks=self.callbacks, alerts=self.alerts,
                limited=TollWatch(network.clock, self.alerts, self.usage).refused, emergencies=self.emergencies,
                searching=self.usage.searching,
            ),
        )
        self.recorder = Recorder(self.kept)
        self.switchboard.on_event(self.recorder.event)
        self.switchboard.on_event(self.usage.event, *COUNTED)
        self.switchboard.on_event(self.emergencies.event, *HEEDED)
        self.transport.start()
        self.location.start()
        self.switchboard.start()
        self.real_lines = real_lines
        if real_lines:
            self.lines.start()

    def wall(self) -> float:
        """
        The wall clock; move it by :attr:`wall_offset`.
        """
        return self.wall_offset + self.clock.seconds()

    @property
    def records(self) -> list[dict[str, Any]]:
        """
        The CDRs so far.
        """
        return self.kept.records

    def left(self) -> dict[str, int]:
        """
        What is there that should be gone when no call is: sessions, dialogs, INVITEs, calls, open records, tasks.
        """
        return {
            "media": self.engine.sessions,
            "dialogs": len(self.core.dialogs),
            "subscriptions": len(self.core.subscriptions),
            "invites": len(self.core.invites),
            "calls": len(self.switchboard.calls),
            "records": len(self.recorder),
            "transactions": self.transactions.active,
            "tasks": len(self.tasks),
            "notifications": len(self.emergencies.notifications),
        }

    def stop(self) -> None:
        """
        Stop, and let the network run until nothing moves.
        """
        self.switchboard.stop()
        if self.real_lines:
            Deferred.fromCoroutine(self.lines.stop())
            self.network.advance(2)
        self.network.advance(1)
        self.location.stop()
        self.engine.stop()
        ended: list[Deferred[Any]] = [self.transactions.stop(), self.transport.stop(), self.tasks.stop()]
        self.network.advance(1)
        for deferred in ended:
            deferred.addErrback(lambda failure: failure.raiseException())
