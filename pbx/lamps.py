"""
What phones and the API are told put together: who is on the phone, and how many messages wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.dialog.notifier import Notifier, NotifierSettings
from pbx.features.blf import Blf
from pbx.features.mwi import Mwi
from pbx.features.pidf import Pidf
from pbx.features.presence import Presence
from pbx.store.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.switchboard import Switchboard
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.directory import Directory
    from pbx.features.blf import OtherLamps
    from pbx.ops.settings import Settings
    from pbx.registrar.location import Location
    from pbx.store.database import Database
    from pbx.transport.layer import TransportLayer


class Lamps:
    """
    Subscriptions, and all that can be subscribed to.

    Args:
        core: The user agent core.
        settings: What the operator decided.
        directory: The extensions.
        location: Their phones.
        wall: The wall clock.
        database: Where subscriptions are kept over a restart.
        switches: The lamps of switches.

    Attributes:
        notifier: Who wants to be told.
        presence: What each extension does.
        mwi: How many messages wait.
    """

    def __init__(
        self,
        core: UserAgentCore,
        settings: Settings,
        directory: Directory,
        location: Location,
        wall: Callable[[], float],
        database: Database,
        switches: OtherLamps | None = None,
    ) -> None:
        self._stored = Subscriptions(core.clock, database, wall)
        blf = settings.blf
        self.notifier = Notifier(core, wall, self._stored, NotifierSettings(total=blf.max_subscriptions))
        self.presence = Presence(directory, location, wall)
        self.mwi = Mwi(self.notifier, location, directory)
        self._blf = Blf(self.notifier, self.presence, directory, blf.unregistered, switches)
        Pidf(self.notifier, self.presence, directory)

    def reconfigure(self, settings: Settings) -> None:
        """
        Go by other settings; those who have subscribed stay, and are told of what shows otherwise now.
        """
        self.notifier.settings = NotifierSettings(total=settings.blf.max_subscriptions)
        self._blf.reconfigure(settings.blf.unregistered)

    async def load(self) -> list[dict[str, Any]]:
        """
        The subscriptions that were kept.

        Raises:
            DatabaseDown: The database is away.
        """
        return await self._stored.load()

    def watch(self, switchboard: Switchboard, rows: list[dict[str, Any]], transport: TransportLayer) -> int:
        """
        Begin to tell, also those who had subscribed before; how many these are.
        """
        switchboard.on_event(self.presence.event)
        switchboard.subscriptions = self.notifier
        return self.notifier.restore(rows, transport.udp_flow)

    async def stop(self) -> None:
        """
        Tell nobody any more, and write down who wants to be told.
        """
        self.mwi.stop()
        self.notifier.stop()
        await self._stored.stop()
