"""
What leads beyond the house put together: the plan, from the configuration and the database, the lines to its trunks,
and its night switches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.calls.beyond import Outside
from pbx.calls.trunks import TrunkLines
from pbx.calls.usage import TollWatch, UsageCounters
from pbx.directory.plan import PlanBook
from pbx.directory.switches import Switches
from pbx.features.night_switch import NightLamps, NightSwitch
from pbx.ops.alerts import RECENT, Alerts
from pbx.ops.below import name_servers
from pbx.store.alerts import StoredAlerts
from pbx.store.plan import StoredPlan
from pbx.store.rates import StoredRates
from pbx.store.secrets import SecretKey
from pbx.store.switches import StoredSwitches
from pbx.transport.lookup import Lookup, system_resolver
from pbx.transport.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.directory import Directory
    from pbx.ops.settings import Settings
    from pbx.store.cdr import Cdr
    from pbx.store.database import Database
    from pbx.tasks import Tasks
    from pbx.transport.layer import TransportLayer


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
        kinds: By kind of destination, who serves it.
        lamps: What lamps show of the night switches.
    """

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
    ) -> None:
        self.book = PlanBook(settings.plan)
        self._key = SecretKey(settings.data / "secret.key")
        self.stored = StoredPlan(reactor, database, self.book, self._key)
        self.rates = StoredRates(reactor, database, self.book)
        self.switches = Switches()
        self.moved = StoredSwitches(reactor, database, self.switches)
        self._cdr = cdr
        self._stored_alerts = StoredAlerts(reactor, database)
        self.alerts = Alerts(
            reactor, wall, self._stored_alerts, mail=settings.alerts.mail,
            can_mail=settings.voicemail.smtp.host is not None, name=settings.server_name,
        )
        resolver = Resolver(
            Lookup(system_resolver(reactor, servers=name_servers(settings)), reactor),
            ipv6=lambda: any(":" in host for _, host, _ in transport.sockets),
        )
        self.trunks = TrunkLines(core, resolver, wall, self.alerts, self.book.plan)
        self.book.on_change(self.trunks.plan_changed)
        transport.on_external_change(self.trunks.address_changed)
        self.usage = UsageCounters(reactor, wall, self.book)
        self.toll = TollWatch(reactor, self.alerts, self.usage)
        self.lamps = NightLamps(self.book, self.switches, settings.star_codes)
        self.kinds: dict[str, Any] = {
            "night_switch": NightSwitch(self.book, self.switches, self.moved.move, directory),
        }

    @property
    def outside(self) -> Outside:
        """
        What the calls need of it.
        """
        return Outside(
            self.book, self.trunks, usage=self.usage, switches=self.switches, alerts=self.alerts,
            limited=self.toll.refused,
        )

    def reconfigure(self, settings: Settings) -> None:
        """
        Go by other settings from the next call on; what the database has stays beside them.
        """
        self.book.configure(settings.plan)
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

    async def load(self) -> None:
        """
        Take up what was open, and what was used today, before a restart.

        Raises:
            DatabaseDown: The database is away; nothing was taken up.
        """
        alerts = await self._stored_alerts.load(RECENT)
        used = await self._cdr.outside_since(self.usage.day_began)
        self.alerts.restore(alerts)
        self.usage.restore(used)

    def open(self) -> None:
        """
        Register with the trunks, and ask for their health: calls can be served.
        """
        self.trunks.start()

    async def close(self) -> None:
        """
        Take leave of the trunks.
        """
        await self.trunks.stop()

    async def stop(self) -> None:
        """
        Write what waits, and keep nothing fresh any more.
        """
        await self._stored_alerts.stop()
        await self.moved.stop()
        await self.rates.stop()
        await self.stored.stop()
