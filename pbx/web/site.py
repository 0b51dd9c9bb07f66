"""
The web side put together: what the resources ask for, fetched from the floors below.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from pbx.calls.record import stamp
from pbx.store.database import DatabaseDown, DatabaseTimeout, Duplicate
from pbx.store.extensions import UnknownExtensionError
from pbx.web.alerts import AlertsResource
from pbx.web.app import WebApp
from pbx.web.blocks import Blocks, IBlocks
from pbx.web.calls import CallRecords, Calls, ICdr, IRegistrations, Registrations
from pbx.web.conferences import Conferences
from pbx.web.extensions import (
    ExtensionExistsError,
    ExtensionGoneError,
    Extensions,
    IExtensions,
    NumberOfPlaceError,
)
from pbx.web.first_admin import FirstAdministrator
from pbx.web.handling import HandlingOfExtensions
from pbx.web.hashing import SlowHashes
from pbx.web.identity import LogAudit
from pbx.web.inbound_routes import InboundRoutes
from pbx.web.local_operator import LocalOperator
from pbx.web.mail import MailResource
from pbx.web.menus import Menus
from pbx.web.music import Music
from pbx.web.outbound_routes import OutboundRoutes
from pbx.web.permissions import PermissionsOfExtensions
from pbx.web.places import KeptPlaces
from pbx.web.plan import KeptPlan
from pbx.web.presence import Presence
from pbx.web.prompts import PromptsResource
from pbx.web.rates import Rates
from pbx.web.reload import Reload
from pbx.web.ring_groups import RingGroups
from pbx.web.route import Routing
from pbx.web.status import Status
from pbx.web.time_conditions import TimeConditions
from pbx.web.transfers import Transfers
from pbx.web.trunks import LiveTrunks, Trunks
from pbx.web.usage import UsageResource
from pbx.web.voicemail import VoicemailResource

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pbx.calls.usage import UsageCounters
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.directory.plan import PlanBook
    from pbx.directory.situation import Situation
    from pbx.directory.switches import Switches
    from pbx.features.conference.rooms import Rooms
    from pbx.features.music import MusicOnHold
    from pbx.features.prompts import Prompts
    from pbx.ops.alerts import Alerts
    from pbx.ops.mail import MailSender
    from pbx.registrar.location import Location
    from pbx.store.cdr import Cdr
    from pbx.store.extensions import Extensions as StoredExtensions
    from pbx.store.mail import MailOutbox
    from pbx.store.mailboxes import Mailboxes
    from pbx.store.places import Places as StoredPlaces
    from pbx.store.plan import StoredPlan
    from pbx.store.rates import StoredRates
    from pbx.store.switches import StoredSwitches
    from pbx.store.system import System
    from pbx.store.voicemail import Voicemail
    from pbx.tasks import Tasks
    from pbx.transport.guard import Guard
    from pbx.web.destinations import Numbers
    from pbx.web.presence import LivePresence
    from pbx.web.server import WebServer


@implementer(IExtensions)
class KeptExtensions:
    """
    The extensions of the database as the resource wants them.
    """

    def __init__(self, stored: StoredExtensions) -> None:
        self._stored = stored

    async def list(self) -> Sequence[Extension]:
        """
        Every extension.
        """
        return await self._stored.list()

    async def get(self, number: str) -> Extension | None:
        """
        One of them.
        """
        return await self._stored.get(number)

    async def add(self, extension: Extension, password: str) -> None:
        """
        Keep a new one.
        """
        try:
            await self._stored.add(
                extension.number,
                extension.name,
                password,
                email=extension.email,
                allow_external=extension.allow_external,
                is_admin=extension.is_admin,
                enabled=extension.enabled,
            )
        except Duplicate as error:
            if error.constraint == "number_of_place":
                raise NumberOfPlaceError(extension.number) from error
            raise ExtensionExistsError(extension.number) from error

    async def update(self, extension: Extension, password: str | None) -> None:
        """
        Change one.
        """
        try:
            await self._stored.update(
                extension.number,
                password=password,
                name=extension.name,
                email=extension.email,
                allow_external=extension.allow_external,
                is_admin=extension.is_admin,
                enabled=extension.enabled,
            )
        except UnknownExtensionError as error:
            raise ExtensionGoneError(extension.number) from error

    async def change_handling(self, number: str, changes: Mapping[str, Any]) -> Extension:
        """
        Change how one is handled.
        """
        try:
            return await self._stored.change_handling(number, **changes)
        except UnknownExtensionError as error:
            raise ExtensionGoneError(number) from error

    async def change_permissions(self, number: str, changes: Mapping[str, Any]) -> Extension:
        """
        Change what one may do beyond the house.
        """
        try:
            return await self._stored.change_permissions(number, **changes)
        except UnknownExtensionError as error:
            raise ExtensionGoneError(number) from error

    async def remove(self, number: str) -> bool:
        """
        Forget one.
        """
        return await self._stored.remove(number)


@implementer(ICdr)
class KeptRecords:
    """
    The call records of the database as the resource wants them.
    """

    def __init__(self, cdr: Cdr) -> None:
        self._cdr = cdr

    async def list(
        self,
        limit: int,
        before: dt.datetime | None,
        caller: str | None,
        callee: str | None,
        disposition: str | None,
        direction: str | None,
        trunk: str | None,
    ) -> list[dict[str, Any]]:
        """
        The newest first.
        """
        records = await self._cdr.list(
            limit=limit,
            before=None if before is None else before.isoformat(),
            caller=caller,
            callee=callee,
            disposition=disposition,
            direction=direction,
            trunk=trunk,
        )
        return [*records]


@implementer(IRegistrations)
class LiveRegistrations:
    """
    The location table as the resource wants it.
    """

    def __init__(self, location: Location) -> None:
        self._location = location

    def list(self) -> Iterable[dict[str, Any]]:
        """
        Every live binding.
        """
        return [binding.as_row() for binding in self._location.all()]


@implementer(IBlocks)
class GuardBlocks:
    """
    The blocks of the guard as the resource wants them.
    """

    def __init__(self, guard: Guard, seconds: Callable[[], float], wall: Callable[[], float]) -> None:
        self._guard = guard
        self._seconds = seconds
        self._wall = wall

    def list(self) -> Iterable[dict[str, Any]]:
        """
        Every block in force.
        """
        began = self._wall() - self._seconds()
        return [
            {"address": block.address, "user": block.user, "until": stamp(began + block.until)}
            for block in self._guard.blocks()
        ]

    def unblock(self, address: str) -> bool:
        """
        Lift one.
        """
        return self._guard.unblock(address)


class WebSite:
    """
    Every resource behind one https server.

    Args:
        reactor: What listens, with its threads.
        server: What listens; from now on it serves them.
        exchange: An :class:`~pbx.web.status.IStatus`.
        switchboard: An :class:`~pbx.web.calls.ICalls`.
        extensions: The stored extensions.
        cdr: The stored records; it counts them as well.
        location: The bindings.
        guard: The blocks.
        system: Where the first administrator is kept.
        tasks: Where writes run.
        wall: The wall clock in seconds.
        places: The stored places.
        numbers: Every number that can be called.
        rooms: The conferences.
        prompts: What is said.
        music: What is played to those who wait.
        presence: What each extension does, and who wants to be told.
        mailboxes: The mailboxes.
        messages: The messages in them.
        mails: The mail about them.
        sender: What sends it.
        directory: The extensions, each of which has a mailbox.
        alerts: What somebody must see to.
        usage: What each extension has used of its limits.
        reloading: An :class:`~pbx.web.reload.IReloading`.
        situation: Tells what the dialplan goes by.
        book: What decides about calls beyond the house.
        plan: What the database has of it.
        rates: What such calls cost.
        switches: Where the night switches stand.
        moved: Where they are moved.
        trunks: The :class:`~pbx.calls.trunks.TrunkLines`, ``None`` where nobody looks after trunks.
    """

    def __init__(
        self,
        reactor: Any,
        server: WebServer,
        *,
        exchange: Any,
        switchboard: Any,
        extensions: StoredExtensions,
        cdr: Cdr,
        location: Location,
        guard: Guard,
        system: System,
        tasks: Tasks,
        wall: Callable[[], float],
        places: StoredPlaces | None = None,
        numbers: Numbers | None = None,
        rooms: Rooms | None = None,
        prompts: Prompts | None = None,
        music: MusicOnHold | None = None,
        presence: LivePresence | None = None,
        mailboxes: Mailboxes | None = None,
        messages: Voicemail | None = None,
        mails: MailOutbox | None = None,
        sender: MailSender | None = None,
        directory: Directory | None = None,
        alerts: Alerts | None = None,
        usage: UsageCounters | None = None,
        reloading: Any = None,
        situation: Callable[[], Situation] | None = None,
        book: PlanBook | None = None,
        plan: StoredPlan | None = None,
        rates: StoredRates | None = None,
        switches: Switches | None = None,
        moved: StoredSwitches | None = None,
        trunks: Any = None,
    ) -> None:
        threads = reactor.getThreadPool()
        audit = LogAudit()
        self.first = FirstAdministrator(system, SlowHashes(reactor, threads).hash, wall, audit)
        kept = KeptExtensions(extensions)
        resources: list[Any] = [
            Status(exchange, cdr),
            Extensions(kept, audit, numbers),
            Calls(switchboard, audit), Transfers(switchboard, audit),
            CallRecords(KeptRecords(cdr)),
            Registrations(LiveRegistrations(location)),
            Blocks(GuardBlocks(guard, reactor.seconds, wall), audit),
            self.first,
        ]
        if places is not None and numbers is not None:
            kept_places = KeptPlaces(places)
            resources += [
                HandlingOfExtensions(kept, numbers, audit, situation),
                RingGroups(kept_places, numbers, audit),
                Menus(kept_places, numbers, audit),
            ]
            if rooms is not None:
                resources.append(Conferences(kept_places, rooms, audit, numbers))
        if prompts is not None:
            resources.append(PromptsResource(prompts, audit))
        if music is not None:
            resources.append(Music(music, audit))
        if presence is not None:
            resources.append(Presence(presence))
        if mailboxes is not None and messages is not None and mails is not None and directory is not None:
            resources.append(VoicemailResource(mailboxes, messages, mails, directory, audit))
        if mails is not None and sender is not None:
            resources.append(MailResource(mails, sender, audit))
        if situation is not None:
            resources.append(Routing(situation, lambda: deferLater(reactor, 0)))
        if alerts is not None:
            resources.append(AlertsResource(alerts, audit))
        if usage is not None:
            resources.append(UsageResource(usage))
        if reloading is not None:
            resources.append(Reload(reloading, audit))
        if book is not None and plan is not None and numbers is not None:
            kept_plan = KeptPlan(book, plan)
            resources += [
                Trunks(kept_plan, LiveTrunks(trunks), audit),
                OutboundRoutes(kept_plan, audit),
                InboundRoutes(kept_plan, numbers, audit),
                PermissionsOfExtensions(kept, kept_plan, audit),
            ]
            if rates is not None:
                resources.append(Rates(kept_plan, rates, partial(deferToThreadPool, reactor, threads), audit))
            if switches is not None and moved is not None and directory is not None:
                resources.append(TimeConditions(kept_plan, switches, moved, directory, wall, audit))
        local = LocalOperator(lambda work, uid: deferToThreadPool(reactor, threads, work, uid))
        app = WebApp(
            [route for resource in resources for route in resource.routes()],
            local,
            tasks,
            unavailable=(DatabaseDown, DatabaseTimeout),
        )
        server.serve(app.resource(), app)
