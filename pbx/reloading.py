"""
Reloading: a changed configuration put into effect in the running exchange.

The whole file is read and checked, and every part of the exchange gets ready to go by it, in a thread; only when that
has succeeded everywhere do all of them go over to it, in one turn of the reactor. So a bad file, or a certificate that
can't be read, changes nothing. Calls and registrations go on with what they began with.
"""

from __future__ import annotations

import datetime as dt
import gc
from typing import TYPE_CHECKING, Any, Protocol

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pbx.ops import below
from pbx.ops.certificate import ForeignCertificateError, OwnCertificate
from pbx.ops.reload import report
from pbx.ops.settings import SettingsError, effective, lines_of
from pbx.ops.strict import Mistake
from pbx.transport.interfaces import KernelInterfaces
from pbx.transport.tls import CertificateError, ServerCertificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.calls.switchboard import Switchboard
    from pbx.media.engine import InProcessEngine
    from pbx.ops.logs import LogFile
    from pbx.ops.reload import Report
    from pbx.ops.settings import Settings
    from pbx.registrar.authenticator import Authenticator
    from pbx.registrar.registrar import Registrar
    from pbx.transport.guard import Guard
    from pbx.transport.stun import External

LISTED = 200
"""Changes that the log lists at the most: with them it tells who changed what, and stays readable."""

UNUSABLE = (CertificateError, ForeignCertificateError, OSError, ValueError)
"""What getting ready may fail with that its words explain to the operator."""


@frozen
class Part:
    """
    Something that goes by the configuration.

    Attributes:
        key: Where in the file to look when it can't be gone by.
        prepare: Gets ready to go by other settings, and gives what goes over to them, which must not fail. It runs in a
            thread, must change nothing yet, and raises one of :data:`UNUSABLE`.
        doubts: What somebody should look at once it has gone over; it is logged already.
    """

    key: str
    prepare: Callable[[Settings], Callable[[], object]]
    doubts: Callable[[], Iterable[str]] = tuple


class Reconfigured(Protocol):
    """
    What goes by other settings at once.
    """

    def reconfigure(self, settings: Settings) -> None:
        """
        Go by them.
        """


class Doubting(Reconfigured, Protocol):
    """
    What finds things that somebody should look at.
    """

    def doubts(self) -> list[str]:
        """
        Name them, in words.
        """


class Prepared(Protocol):
    """
    What has to get ready first, since it reads files.
    """

    def prepare(self, settings: Settings) -> Callable[[], object]:
        """
        Get ready, as :attr:`Part.prepare` has it.
        """


class Reloading:
    """
    Reads the configuration again when it is asked to, one time after the other.

    Args:
        reactor: Its threads.
        settings: What the exchange started with.
        read: Reads and checks the whole of the file; raises :class:`~pbx.ops.settings.SettingsError`.
    """

    log = Logger()

    def __init__(self, reactor: Any, settings: Settings, read: Callable[[], Settings]) -> None:
        self._reactor = reactor
        self._started = settings
        self._settings = settings
        self._read = read
        self._parts: list[Part] = []
        self._one = DeferredLock()
        self._begun = False
        self._asked = False

    def add(self, *parts: Part) -> None:
        """
        Have these go by what is read from now on.
        """
        self._parts += parts

    def begin(self) -> None:
        """
        Everything is there. Who asked before is served now.
        """
        self._begun = True
        if self._asked:
            self.hung_up()

    def hung_up(self) -> Deferred[None]:
        """
        Read again, as SIGHUP asks for it: what comes of it stands in the log.
        """
        return Deferred.fromCoroutine(self._hung_up())

    async def _hung_up(self) -> None:
        if not self._begun:
            self._asked = True
            return
        try:
            await self.reload("SIGHUP")
        except SettingsError:
            # It was logged.
            return

    async def reload(self, actor: str) -> Report:
        """
        Read the file, and go by it.

        Args:
            actor: Who asks for it, for the log.

        Returns:
            What is in effect now, and what waits for a restart.

        Raises:
            SettingsError: The file, or something that it names, can't be used: all of what is wrong. Nothing changed.
        """
        await self._one.acquire()
        try:
            pool = self._reactor.getThreadPool()
            try:
                read, ready, told = await deferToThreadPool(self._reactor, pool, self._prepared)
            except SettingsError as error:
                self._refused(actor, error)
                raise
            self._settings = read
            for put in ready:
                try:
                    put()
                except Exception:  # noqa: BLE001 - the border: the others are to go over all the same
                    self.log.failure("A part of the exchange could not go over to the new configuration")
            told = evolve(told, doubts=tuple(doubt for part in self._parts for doubt in part.doubts()))
            self._told(actor, told)
        finally:
            self._one.release()
        return told

    def _prepared(self) -> tuple[Settings, list[Callable[[], object]], Report]:
        # Thousands of routes are hundreds of thousands of objects that stay: to look at them again and again while they
        # come would stop the whole process each time.
        collects = gc.isenabled()
        gc.disable()
        try:
            return self._ready()
        finally:
            if collects:
                gc.enable()

    def _ready(self) -> tuple[Settings, list[Callable[[], object]], Report]:
        read = self._read()
        settings = effective(read, self._started)
        ready: list[Callable[[], object]] = []
        mistakes: list[Mistake] = []
        for part in self._parts:
            try:
                ready.append(part.prepare(settings))
            except UNUSABLE as error:
                mistakes.append(Mistake(part.key, " ".join(str(error).split())))
        if mistakes:
            raise SettingsError(read.file, mistakes, lines_of(read.file))
        return read, ready, report(self._started.written, self._settings.written, read.written)

    def _refused(self, actor: str, error: SettingsError) -> None:
        first, *rows = str(error).splitlines()
        self.log.error("{actor} asked to reload; nothing was changed: {first}", actor=actor, first=first)
        for row in rows:
            self.log.error("reload: {row}", row=row.strip())

    def _told(self, actor: str, told: Report) -> None:
        self.log.info(
            "The configuration was read again for {actor}: {count} keys changed", actor=actor,
            count=len(told.changed) + told.more,
        )
        for change in told.changed[:LISTED]:
            self.log.info("reload: {change}", change=str(change))
        if len(told.changed) > LISTED:
            self.log.info("reload: and more")
        for change in told.waiting:
            self.log.warn(
                "reload: {change} waits for a restart: {reason}", change=str(change), reason=change.reason
            )


def ensure_certificate(settings: Settings, *, is_checked: bool = False) -> bool:
    """
    See to it that there is a certificate, where the operator named none: one of our own making.

    Args:
        settings: The configuration.
        is_checked: Whether it is known that there is one with its key, which at most lacks a name.

    Returns:
        Whether one was made.

    Raises:
        ForeignCertificateError: Somebody else's is there, and can't be used.
        OSError: It can't be written.
    """
    if not settings.own_certificate:
        return False
    reached = below.certificate_addresses(settings, KernelInterfaces().local_addresses())
    own = OwnCertificate(settings.cert_file, settings.key_file, settings.server_name, reached)
    now = dt.datetime.now(dt.UTC)
    return not (is_checked and own.is_current(now)) and own.ensure(now, is_checked=is_checked)


def first_certificate(settings: Settings) -> ServerCertificate:
    """
    The certificate that is shown from the start on.

    Raises:
        SettingsError: The one that the operator named can't be used.
        CertificateError: Our own can't be used.
        ForeignCertificateError: Somebody else's is where ours would be, and can't be used.
        OSError: It can't be written.
    """
    ensure_certificate(settings)
    try:
        return ServerCertificate(settings.cert_file, settings.key_file)
    except CertificateError as error:
        if settings.own_certificate:
            raise
        raise SettingsError(settings.file, [Mistake("api.ssl", str(error))], lines_of(settings.file)) from error


def ground(
    log_file: LogFile, certificate: ServerCertificate, guard: Guard, external: External, engine: InProcessEngine
) -> list[Part]:
    """
    What is there before the database.

    Args:
        log_file: The log.
        certificate: What is shown to whoever connects.
        guard: Who is let in.
        external: Our address outside.
        engine: The media.
    """
    def show(settings: Settings) -> Callable[[], object]:
        put = certificate.prepare(settings.cert_file, settings.key_file)
        # Only then: one that is damaged is a mistake to be told, and phones may know its key.
        made = ensure_certificate(settings, is_checked=True)
        return certificate.prepare(settings.cert_file, settings.key_file) if made else put

    def let_in(settings: Settings) -> Callable[[], object]:
        wanted = below.guard_settings(settings)
        return lambda: guard.reconfigure(wanted)

    def name(settings: Settings) -> Callable[[], object]:
        wanted = below.external_settings(settings)
        return lambda: external.reconfigure(wanted)

    def carry(settings: Settings) -> Callable[[], object]:
        wanted = below.media_settings(settings)
        return lambda: engine.reconfigure(wanted)

    return [
        Part("logging", lambda settings: log_file.prepare(settings.log_file, settings.logging.level)),
        Part("api.ssl", show), Part("security", let_in), Part("server", name), Part("media", carry),
    ]


def upper(
    authenticator: Authenticator, registrar: Registrar, switchboard: Switchboard, max_calls: int,
    furniture: Reconfigured, lamps: Reconfigured, mailroom: Prepared, lines: Doubting,
) -> list[Part]:
    """
    What serves phones and callers.

    Args:
        authenticator: Who they are.
        registrar: Where they are.
        switchboard: The calls.
        max_calls: Calls at once, as they were reckoned at the start.
        furniture: The places.
        lamps: What is shown.
        mailroom: The messages.
        lines: What leads beyond the house.
    """
    def ask(settings: Settings) -> Callable[[], object]:
        wanted = below.authenticator_settings(settings)
        return lambda: authenticator.reconfigure(wanted)

    def register(settings: Settings) -> Callable[[], object]:
        wanted = below.registrar_settings(settings)
        return lambda: registrar.reconfigure(wanted)

    def call(settings: Settings) -> Callable[[], object]:
        wanted = below.call_settings(settings, max_calls)
        return lambda: switchboard.reconfigure(wanted, settings.star_codes)

    def lead(settings: Settings) -> Callable[[], object]:
        # Thousands of routes are taken apart here, and not at the first call.
        settings.plan.prepare()
        return lambda: lines.reconfigure(settings)

    return [
        Part("security", ask), Part("registration", register), Part("star_codes", call),
        Part("media", lambda settings: lambda: furniture.reconfigure(settings)),
        Part("blf", lambda settings: lambda: lamps.reconfigure(settings)),
        Part("voicemail.smtp", mailroom.prepare),
        Part("sip_trunks", lead, lines.doubts),
    ]
