"""
The exchange put together: the only file that knows every class, and the only one that imports the reactor.
"""

from __future__ import annotations

import atexit
import gc
import os
import secrets
import signal
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.application.service import MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from pbx.calls.record import Recorder
from pbx.calls.switchboard import Switchboard
from pbx.calls.trace import CallTrace
from pbx.dialog.useragent import UserAgentCore, UserAgentSettings
from pbx.directory.directory import Directory
from pbx.directory.forwarding import forwarding_fault
from pbx.furniture import Furniture
from pbx.lamps import Lamps
from pbx.lines import Lines
from pbx.mailroom import Mailroom
from pbx.media.engine import InProcessEngine
from pbx.media.poller import RtpPoller
from pbx.ops import settings as configuration
from pbx.ops.banner import Facts, banner
from pbx.ops.below import (
    PAIRS_PER_CALL,
    authenticator_settings,
    call_settings,
    capacity,
    external_settings,
    guard_settings,
    media_settings,
    name_servers,
    registrar_settings,
    transport_settings,
)
from pbx.ops.certificate import ForeignCertificateError
from pbx.ops.lag import LoopLag
from pbx.ops.lock import AlreadyRunningError, Lock
from pbx.ops.logs import LogFile, capture_standard_logging
from pbx.ops.manhole import Manhole, host_keys
from pbx.ops.options import Options as Options
from pbx.registrar.authenticator import Authenticator
from pbx.registrar.keepalive import KeepAlive
from pbx.registrar.location import Location
from pbx.registrar.registrar import Registrar
from pbx.reloading import Reloading, first_certificate, ground, upper
from pbx.status import ExchangeStatus
from pbx.store.bindings import Bindings
from pbx.store.cdr import Cdr
from pbx.store.database import Database, DatabaseDown, DatabaseTimeout
from pbx.store.embedded import EmbeddedError, EmbeddedPostgres
from pbx.store.extensions import Extensions
from pbx.store.migrate import DatabaseTooNew, MigrationError, migrate
from pbx.store.system import System
from pbx.tasks import Tasks
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transport.doorstep import Doorstep
from pbx.transport.guard import Guard
from pbx.transport.layer import ListenError, TransportLayer
from pbx.transport.lookup import Lookup, system_resolver
from pbx.transport.stun import External
from pbx.transport.tls import CertificateError
from pbx.web.destinations import Numbers
from pbx.web.presence import LivePresence
from pbx.web.server import ServerError, WebServer
from pbx.web.site import WebSite
from pbx.web.starting import Starting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pbx.directory.decision import Destination
    from pbx.ops.settings import Settings

T = TypeVar("T")

VERSION = version("pbx")

REFUSED = (
    configuration.SettingsError, AlreadyRunningError, ForeignCertificateError, CertificateError, ListenError,
    ServerError, OSError,
)
"""What the first steps of a start may fail with that its words explain to the operator."""

FAILED = (EmbeddedError, DatabaseTooNew, MigrationError, CannotListenError, OSError)
"""The same for the steps that take their time."""

AGAIN = 0.5
"""Seconds between two tries to read from a database that is away at the start."""

FAREWELL = 1.0
"""Seconds that the phones have at the end to answer our BYEs."""


def makeService(options: Options) -> MultiService:
    """
    Build the exchange; called by ``twistd pbx``.

    Raises:
        SystemExit: With a message for the operator, when the configuration is wrong or another one is running.
    """
    from twisted.internet import reactor

    # An NTP step would fire every timer at once, or none: the reactor's clock is one that only runs forward. Boot time
    # counts the time a machine was suspended as well.
    reactor.seconds = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)  # type: ignore[method-assign]
    failures: list[str] = []
    # Registered before all others, so that it runs after them: twistd has no other way to tell that it failed.
    atexit.register(lambda: os._exit(1) if failures else None)
    try:
        settings = configuration.load(options["config"], os.environ, options["data"])
        lock = Lock(settings.data)
        lock.acquire()
        log_file = LogFile(settings.log_file, settings.logging.level)
        root = MultiService()
        root.addService(log_file)
        reloading = Reloading(
            reactor, settings, lambda: configuration.load(settings.file, os.environ, options["data"])
        )
        root.addService(Exchange(reactor, settings, lock, lambda: failures.append("start"), reloading, log_file))
    except REFUSED as error:
        raise SystemExit(str(error)) from error
    return root


class Exchange(Service):
    """
    Everything between the first socket and the last.

    Attributes:
        switchboard: All calls.
        location: All bindings.
        trace: The last SIP messages.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, settings: Settings, lock: Lock, failed: Callable[[], None], reloading: Reloading,
        log_file: LogFile,
    ) -> None:
        self.reactor = reactor
        self.failed = failed
        self.settings = settings
        self.reloading = reloading
        self.wall = time.time
        self.started_at = self.wall()
        self.began = reactor.seconds()
        self._lock = lock
        self._undo_logging = capture_standard_logging()
        self.tasks = Tasks()
        self.directory = Directory()
        self.lag = LoopLag(reactor)
        room = capacity(settings)
        self.max_calls = room.calls
        self.certificate = first_certificate(settings)
        self.guard = Guard(reactor, guard_settings(settings))
        self.trace = CallTrace(self.wall)
        self.transport = TransportLayer(
            reactor, transport_settings(settings, room.connections), self.guard, self.trace, self.certificate
        )
        self.lookup = Lookup(system_resolver(reactor, servers=name_servers(settings)), reactor)
        self.external = External(reactor, self.transport, self.lookup, external_settings(settings))
        timers = Timers()
        self.transactions = TransactionLayer(reactor, timers, self.transport, Limits())
        self.doorstep = self.transport.receiver = Doorstep()
        self.core = UserAgentCore(reactor, timers, self.transactions, self.tasks, UserAgentSettings())
        self.web = WebServer(
            reactor, settings.api.host, settings.api.port, self.certificate, Starting(lambda: self._waits_for),
            room.pages,
        )
        self._waits_for = "The exchange is starting."
        self.engine = InProcessEngine(
            reactor, media_settings(settings), RtpPoller(reactor), most_pairs=room.calls * PAIRS_PER_CALL
        )
        reloading.add(*ground(log_file, self.certificate, self.guard, self.external, self.engine))
        self.embedded: EmbeddedPostgres | None = None
        self.database: Database | None = None
        self.switchboard: Switchboard | None = None
        self.location: Location | None = None
        self.extensions: Extensions | None = None
        self.cdr: Cdr | None = None
        self.furniture: Furniture | None = None
        self.lamps: Lamps | None = None
        self.mailroom: Mailroom | None = None
        self.lines: Lines | None = None
        self._stopping: list[Any] = []
        self._starting: Deferred[Any] | None = None
        self._ending = False
        self._bindings: Bindings | None = None
        self._keepalive: KeepAlive | None = None

    # Start, from the ground floor up.

    def startService(self) -> None:
        """
        Start; a failure is logged and ends the process.

        Raises:
            SystemExit: A port is taken: when that is so, nothing else needs to be started.
        """
        Service.startService(self)
        try:
            self.transport.start()
            self.web.startService()
        except REFUSED as error:
            raise SystemExit(str(error)) from error
        self._stopping += [self.transport.stop, self.external.stop, self.transactions.stop, self.web.stopService]
        self.external.start()
        signal.signal(signal.SIGHUP, lambda *_: self.reactor.callFromThread(self._hung_up))
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(self._start_failed)

    async def _start(self) -> None:
        settings = self.settings
        dsn = settings.database.url
        if dsn == "embedded":
            self.embedded = EmbeddedPostgres(self.reactor, settings.data)
            dsn = await self.embedded.start()
        database = self.database = Database(self.reactor, dsn, prepare=migrate)
        await database.start()
        system = System(database)
        # Without it no phone can prove who it is.
        realm = await self._read(system.realm)
        cdr = self.cdr = Cdr(self.reactor, database, settings.data / "spool", self.wall)
        await cdr.start()
        bindings = Bindings(self.reactor, database, self.wall)
        extensions = self.extensions = Extensions(self.reactor, database, self.directory, realm)
        await extensions.start()
        lines = self.lines = Lines(
            self.core, self.transport, self.reactor, settings, self.directory, database, self.tasks, self.wall, cdr,
            self.lookup,
        )
        self.guard.is_trunk = lines.trunks.is_trunk
        await lines.start()
        await self._read(lines.load)
        mailroom = self.mailroom = Mailroom(
            self.reactor, settings, self.directory, database, self.tasks, self.wall, self._lead
        )
        furniture = self.furniture = Furniture(
            self.reactor, settings, self.directory, self.engine, self.tasks, self.wall, database, extensions, mailroom,
            self.lines.kinds, self._fault,
        )
        await furniture.start()
        self._bindings = bindings
        location = self.location = Location(self.reactor, self.wall, bindings)
        lamps = self.lamps = Lamps(self.core, settings, self.directory, location, self.wall, database, self.lines.lamps)
        mailroom.messages.on_counts(lamps.mwi.counted)
        await mailroom.start()
        registered, subscribed = await self._read(bindings.load), await self._read(lamps.load)
        self._serve(realm, cdr, location, registered, furniture, lamps, subscribed)
        link = await self._read(self._open_web(system).first.offer)
        if settings.manhole is not None:
            self._manhole(settings)
        self.lag.start()
        # What was loaded stays: the collector need not look at it again and again (77 ms for 250,000 objects).
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 1000)
        for line in banner(self._facts(link)):
            self.log.info("{line}", line=line, terminal=True)
        self.log.info("The exchange has started")
        self.reloading.begin()

    def _serve(
        self, realm: str, cdr: Cdr, location: Location, registered: list[dict[str, Any]], furniture: Furniture,
        lamps: Lamps, subscribed: list[dict[str, Any]],
    ) -> None:
        settings = self.settings
        self.guard.has_registration = location.registered_from
        restored = location.restore(registered, self.transport.udp_flow)
        if restored:
            self.log.info("{count} registrations were taken up again", count=restored)
        authenticator = Authenticator(
            self.directory, realm, self.reactor, self.guard, authenticator_settings(settings)
        )
        registrar = Registrar(self.reactor, location, registrar_settings(settings))
        self.switchboard = Switchboard(
            self.core, self.engine, self.directory, location, authenticator, registrar, self.tasks, self.wall,
            call_settings(settings, self.max_calls), furniture.features,
            self.lines.outside if self.lines is not None else None,
        )
        self.switchboard.on_event(Recorder(cdr).event)
        if self.lines is not None:
            self.lines.watch(self.switchboard)
        self.directory.on_change(self._extension_changed)
        if self.mailroom is not None and self.lines is not None:
            self.reloading.add(*upper(
                authenticator, registrar, self.switchboard, self.max_calls, furniture, lamps, self.mailroom, self.lines
            ))
        self._keepalive = KeepAlive(self.reactor, location)
        self.trace.leave_out(self._keepalive.mark)
        location.start()
        self._keepalive.start()
        self.switchboard.start()
        # Before anybody is let in: who refreshes a subscription of before is to find it.
        lamps.watch(self.switchboard, subscribed, self.transport)
        self.transport.receiver = self.transactions
        self.doorstep.hand_over(self.transactions)
        if self.lines is not None:
            self.lines.open()

    def _lead(self, number: str, owner: str) -> Destination | None:
        if self.furniture is None or self.switchboard is None:
            return None
        return self.furniture.find(number) or self.switchboard.router.lead(number, owner)

    def _fault(self, number: str, extension: str) -> str:
        if self.switchboard is None:
            return "the exchange has not started"
        return forwarding_fault(number, extension, self.switchboard.router.situation)

    def _open_web(self, system: System) -> WebSite:
        extensions, cdr, location, furniture = self.extensions, self.cdr, self.location, self.furniture
        lamps, mailroom, lines, switchboard = self.lamps, self.mailroom, self.lines, self.switchboard
        if extensions is None or cdr is None or location is None or furniture is None or lamps is None or not mailroom:
            raise RuntimeError("the floors below have not started")
        if lines is None or switchboard is None:
            raise RuntimeError("the floors below have not started")
        return WebSite(
            self.reactor, self.web, exchange=ExchangeStatus(self, VERSION), switchboard=switchboard,
            extensions=extensions, cdr=cdr, location=location, guard=self.guard, system=system,
            tasks=self.tasks, wall=self.wall,
            numbers=Numbers(
                self.directory, furniture.places, mailroom.mailboxes, lambda: lines.book.plan,
                lambda: switchboard.router.situation,
            ),
            places=furniture.stored, rooms=furniture.rooms,
            prompts=furniture.prompts, music=furniture.pieces, mailboxes=mailroom.mailboxes,
            messages=mailroom.messages, mails=mailroom.mails, sender=mailroom.sender, directory=self.directory,
            alerts=lines.alerts, usage=lines.usage, situation=lambda: switchboard.router.situation,
            presence=LivePresence(lamps.presence, lamps.notifier, self.reactor.seconds, self.wall),
            reloading=self.reloading, book=lines.book, plan=lines.stored, rates=lines.rates,
            switches=lines.switches, moved=lines.moved, trunks=lines.trunks,
        )

    def _facts(self, link: str | None) -> Facts:
        settings = self.settings
        return Facts(
            version=VERSION,
            sockets=self.transport.sockets,
            server_name=settings.server_name,
            api_port=settings.api.port,
            database="embedded" if self.embedded is not None else "external",
            data=settings.data,
            log_file=settings.log_file,
            rtp_ports=(settings.server.rtp_port_range_start, settings.server.rtp_port_range_end),
            max_calls=self.max_calls,
            extensions=len(self.directory),
            first_link=link,
            own_certificate=settings.own_certificate,
            passwords=(secrets.token_urlsafe(12), secrets.token_urlsafe(12)),
            manhole_port=None if settings.manhole is None else settings.manhole.port,
        )

    async def _read(self, what: Callable[[], Awaitable[T]]) -> T:
        """
        What the database says, as soon as it can be asked: an external server may come up after us.
        """
        said = False
        while not self._ending:
            try:
                return await what()
            except (DatabaseDown, DatabaseTimeout):
                if self.database is not None and self.database.unusable is not None:
                    raise self.database.unusable from None
            if not said:
                said = True
                self._waits_for = "The exchange waits for its database."
                self.doorstep.send_away()
                self.log.warn("Waiting for the database: no phone can be served before it is there")
            await deferLater(self.reactor, AGAIN)
        raise CancelledError

    def _manhole(self, settings: Settings) -> None:
        if settings.manhole is None:
            return
        switchboard = self.switchboard
        namespace: dict[str, object] = {
            "exchange": self,
            "switchboard": switchboard,
            "calls": lambda: list(switchboard.calls.values()) if switchboard is not None else [],
            "trace": lambda text: print(self.trace.about(text)),  # noqa: T201 - it is typed at a prompt
            "registrations": lambda: self.location.all() if self.location is not None else [],
        }
        keys = host_keys(settings.data / "ssh")
        manhole = Manhole(self.reactor, settings.manhole.port, settings.file.parent / settings.manhole.authorized_keys,
                          keys, namespace)
        manhole.startService()
        self._stopping.append(manhole.stopService)

    def _extension_changed(self, before: Any, after: Any) -> None:
        # One that was removed or disabled is not reachable any more.
        if before is not None and (after is None or not after.enabled) and self.location is not None:
            self.location.replace(before.number, ())

    def _start_failed(self, failure: Any) -> None:
        if failure.check(CancelledError) is not None and self._ending:
            return
        if failure.check(*FAILED) is not None:
            reason = " ".join(failure.getErrorMessage().split())
            self.log.critical("The exchange could not start: {reason}", reason=reason)
        else:
            self.log.failure("The exchange could not start", failure=failure)
        self.failed()
        if not self._ending:
            self.reactor.callWhenRunning(self.reactor.stop)

    def _hung_up(self) -> None:
        """
        SIGHUP: the terminal was closed, or the operator wants the files read again.
        """
        if sys.stdin is not None and sys.stdin.isatty():
            self.reactor.stop()
        else:
            self.reloading.hung_up()

    # Stop, from the top floor down.

    def stopService(self) -> Deferred[None]:
        """
        End all calls, tell the phones, write everything down, close.
        """
        Service.stopService(self)
        self._ending = True
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Who presses Ctrl-C once more: it ends already, within seconds.
            signal.signal(number, lambda *_: None)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await self._starting
        if self.switchboard is not None:
            self.switchboard.stop()
            if self.furniture is not None:
                self.furniture.rooms.stop()
            until = self.reactor.seconds() + FAREWELL
            while self.core.dialogs and self.reactor.seconds() < until:
                await deferLater(self.reactor, 0.02)
            if self.lines is not None:
                await self.lines.close()
        parts: list[Any] = [self.location, self._keepalive, self.lag, self.engine]
        stores: list[Any] = [
            self._bindings, self.lamps, self.mailroom, self.furniture, self.lines, self.extensions, self.cdr,
            self.database, self.embedded,
        ]
        stops = [part.stop for part in parts if part is not None]
        stops += [*reversed(self._stopping), self.tasks.stop]
        stops += [_coroutine(store.stop) for store in stores if store is not None]
        for stop in stops:
            try:
                await maybeDeferred(stop)
            except Exception:  # noqa: BLE001 - the border: what is left must be stopped all the same
                self.log.failure("A part could not be stopped")
        self._undo_logging()
        self._lock.release()
        # twistd would end the process by the signal that stopped it, and the last lines of the log were not written.
        self.reactor._exitSignal = None
        self.log.info("The exchange has stopped")


def _coroutine(stop: Callable[[], Any]) -> Callable[[], Deferred[Any]]:
    return lambda: Deferred.fromCoroutine(stop())
