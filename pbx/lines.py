"""
What leads beyond the house put together: the plan, from the configuration and the database, the lines to its trunks,
and its night switches.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pbx.audio.codec import spoken
from pbx.calls.beyond import Outside
from pbx.calls.callbacks import Callbacks
from pbx.calls.emergency import HEEDED, NO_LINE, Emergencies
from pbx.calls.trunks import TrunkLines
from pbx.calls.usage import COUNTED, TollWatch, UsageCounters
from pbx.directory.plan import PlanBook
from pbx.directory.plan_uses import unknown
from pbx.directory.switches import Switches
from pbx.directory.trunk import IDLE
from pbx.features.emergency import NoEmergencyLine
from pbx.features.night_switch import NightLamps, NightSwitch
from pbx.ops.alerts import RECENT, Alerts
from pbx.store.alerts import StoredAlerts
from pbx.store.plan import StoredPlan
from pbx.store.rates import StoredRates
from pbx.store.secrets import SecretKey
from pbx.store.switches import StoredSwitches
from pbx.transport.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.switchboard import Switchboard
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.directory import Directory
    from pbx.ops.settings import Settings
    from pbx.store.cdr import Cdr
    from pbx.store.database import Database
    from pbx.tasks import Tasks
    from pbx.transport.layer import TransportLayer
    from pbx.transport.lookup import Lookup


ADDS = {
    "trunk": "to config.yml or by pbxctl trunks add", "time condition": "to config.yml or by pbxctl conditions add",
    "extension": "by pbxctl extensions add",
}
"""What makes one."""

MOST = 100
"""Names of nothing that are told at a time: of a plan that is another altogether nobody reads more."""


class Lines:
    """
    Everything about calls beyond the house.

    Args:
        core: Sends and receives.
        transport: Our sockets.
        reactor: Time, threads and connections.
        settings: What the operator decided.
        directory: The extensions.
        database: Where what the API makes is kept.
        tasks: Where what nobody awaits runs.
        wall: The wall clock.
        cdr: The call records, which say what was used today.
        lookup: Looks names up.

    Attributes:
        book: The plan as it is now.
        stored: What the database has of it.
        trunks: The lines to its trunks.
        rates: What calls over its trunks cost, in the database.
        switches: Where the night switches stand that were moved by hand.
        moved: The same in the database: who moves one does it here.
        alerts: What somebody must see to.
        usage: What each extension has used of its limits.
        toll: Who is told when one of these was reached.
        callbacks: Who is called back by the emergency centre.
        emergencies: Sees to emergency calls.
        kinds: By kind of destination, who serves it.
        lamps: What lamps show of the night switches.
    """

    log = Logger()

    def __init__(
        self,
        core: UserAgentCore,
        transport: TransportLayer,
        reactor: Any,
        settings: Settings,
        directory: Directory,
        database: Database,
        tasks: Tasks,
        wall: Callable[[], float],
        cdr: Cdr,
        lookup: Lookup,
    ) -> None:
        self._directory = directory
        self.book = PlanBook(settings.plan)
        self._key = SecretKey(settings.data / "secret.key")
        self.rates = StoredRates(reactor, database, self.book)
        self.switches = Switches()
        self.moved = StoredSwitches(reactor, database, self.switches)
        self._cdr = cdr
        self._stored_alerts = StoredAlerts(reactor, database)
        self.alerts = Alerts(
            reactor, wall, self._stored_alerts, mail=settings.alerts.mail,
            can_mail=settings.voicemail.smtp.host is not None, name=settings.server_name,
        )
        self.stored = StoredPlan(reactor, database, self.book, self._key, self.alerts)
        resolver = Resolver(lookup, ipv6=lambda: any(":" in host for _, host, _ in transport.sockets))
        self.trunks = TrunkLines(core, resolver, wall, self.alerts, self.book.plan)
        self.book.on_change(self.trunks.plan_changed)
        transport.on_external_change(self.trunks.address_changed)
        self.usage = UsageCounters(reactor, wall, self.book)
        self.toll = TollWatch(reactor, self.alerts, self.usage)
        self.callbacks = Callbacks(wall)
        self.emergencies = Emergencies(self.alerts, self.callbacks, settings.server_name)
        self.lamps = NightLamps(self.book, self.switches, settings.star_codes)
        self.kinds: dict[str, Any] = {
            "night_switch": NightSwitch(self.book, self.switches, self.moved.move, directory),
            NO_LINE: NoEmergencyLine(),
        }

    @property
    def outside(self) -> Outside:
        """
        What the calls need of it.
        """
        return Outside(
            self.book, self.trunks, usage=self.usage, switches=self.switches, callbacks=self.callbacks,
            alerts=self.alerts, limited=self.toll.refused, searching=self.usage.searching, emergencies=self.emergencies,
        )

    def counts(self) -> dict[str, int]:
        """
        How many trunks are up, degraded and down, of those that are to be used.
        """
        counts = {"up": 0, "degraded": 0, "down": len(self.stored.lost)}
        for trunk in self.book.plan.trunks.values():
            if trunk.enabled:
                counts[self.trunks.get(trunk.name, IDLE).health] += 1
        return counts

    def reconfigure(self, settings: Settings) -> None:
        """
        Go by other settings from the next call on; what the database has stays beside them.
        """
        self.book.configure(settings.plan)
        self._warn()
        self.lamps.reconfigure(settings.star_codes)
        self.emergencies.name = settings.server_name
        self.alerts.reconfigure(
            mail=settings.alerts.mail, can_mail=settings.voicemail.smtp.host is not None, name=settings.server_name
        )

    async def start(self) -> None:
        """
        Read what is kept, and keep it fresh.
        """
        self._key.load()
        await self.stored.start()
        await self.rates.start()
        await self.moved.start()
        self._warn()

    def doubts(self) -> list[str]:
        """
        What somebody should look at, in words: names of nothing in the plan, which is no mistake of the configuration
        alone, since what they name may have been removed from the database; codecs of trunks that were made while
        PyAV was installed; and what is there twice.
        """
        if not self.stored.loaded:
            # Nobody can know yet.
            return []
        doubts = [
            f"{who} names the {what} {name!r}, which there is not: add it {ADDS[what]}, or change {who}"
            for who, what, name in islice(unknown(self.book.plan, self._directory.all()), MOST)
        ]
        doubts += [
            f"trunk {trunk.name} is to have {' and '.join(trunk.codecs)}, not spoken without PyAV: add PCMU or PCMA, or"
            " pip install 'pbx[codecs]' and restart the exchange"
            for trunk in self.book.plan.trunks.values()
            if trunk.codecs and not any(spoken(codec) for codec in trunk.codecs)
        ]
        return [*doubts, *(
            f"The {kind.replace('_', ' ')} {name!r} that was made over the API is not used, since config.yml has one"
            " of that name: rename that one"
            for kind, name in islice(self.book.hidden(), MOST)
        )]

    def _warn(self) -> None:
        for doubt in self.doubts():
            self.log.warn("{doubt}", doubt=doubt)

    async def load(self) -> None:
        """
        Take up what was open, and what was used today, before a restart.

        Raises:
            DatabaseDown: The database is away; nothing was taken up.
        """
        alerts = await self._stored_alerts.load(RECENT)
        used = await self._cdr.outside_since(self.usage.day_began)
        self.alerts.restore(alerts)
        self.stored.tell()
        for alert in alerts:
            if alert.kind == "emergency":
                self.callbacks.restore(alert.detail, alert.began)
        self.usage.restore(used)

    def open(self) -> None:
        """
        Register with the trunks, and ask for their health: calls can be served.
        """
        self.book.plan.prepare()
        self.trunks.start()

    async def close(self) -> None:
        """
        Take leave of the trunks.
        """
        await self.trunks.stop()

    def watch(self, switchboard: Switchboard) -> None:
        """
        Take from now on what happens to calls.
        """
        switchboard.on_event(self.usage.event, *COUNTED)
        switchboard.on_event(self.emergencies.event, *HEEDED)

    async def stop(self) -> None:
        """
        Write what waits, and keep nothing fresh any more.
        """
        await self._stored_alerts.stop()
        await self.moved.stop()
        await self.rates.stop()
        await self.stored.stop()
