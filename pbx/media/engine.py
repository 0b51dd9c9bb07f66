"""
All media of the process: opens sessions on free ports, reports for them, and ends with them.
"""

from __future__ import annotations

import errno
import random
from typing import TYPE_CHECKING, Final

from twisted.logger import Logger
from zope.interface import Attribute, Interface, implementer

from pbx.media.incoming import Buffer
from pbx.media.kept import KeptPairs
from pbx.media.pacer import Pacer
from pbx.media.ports import PortPool, PortsExhausted
from pbx.media.session import RtpSession
from pbx.media.sockets import open_socket as open_kernel_socket

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from pbx.media.poller import IRtpPoller
    from pbx.media.settings import MediaSettings
    from pbx.media.sockets import DatagramSocket, OpenSocket

ATTEMPTS: Final = 32
"""Pairs tried for a session: another program may have taken some of the range."""

LOOK: Final = 0.5
"""Seconds between looks at every session: packets to be counted, silence, reports that are due."""

EXHAUSTION_LOGGED: Final = 60.0
"""Seconds between two log lines about exhausted ports."""


class IMediaEngine(Interface):
    """
    Where media is carried.
    """

    sessions: int = Attribute("How many sessions are open.")

    def open(host: str, advertised: str, *, call_id: str) -> RtpSession:  # noqa: N805 - an interface has no self
        """
        Open a session.

        Args:
            host: The numeric address of this machine to bind.
            advertised: The address that SDP names.
            call_id: The leg's Call-ID, for the log.

        Raises:
            PortsExhausted: No port is free.
            OSError: The address is not ours.
        """

    def stop() -> None:
        """
        Close every session and watch no socket any more.
        """


@implementer(IMediaEngine)
class InProcessEngine:
    """
    Media carried by this process.

    Attributes:
        pool: The ports.
        pacer: The tick for sound of our own.
        refused: How often no port was free.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        settings: MediaSettings,
        poller: IRtpPoller,
        *,
        open_socket: OpenSocket = open_kernel_socket,
        most_pairs: int = 0,
    ) -> None:
        """
        Carry nothing yet.

        Args:
            clock: The time.
            settings: Ports, latch and marks.
            poller: Watches the sockets.
            open_socket: Makes a bound socket of address, port and DSCP.
            most_pairs: Pairs of sockets open at once, some of them kept for the next session; with 0 none is kept.
        """
        self.pool = PortPool(settings.port_range_start, settings.port_range_end)
        self.pacer = Pacer(clock)
        self.refused = 0
        self._clock = clock
        self._settings = settings
        self._poller = poller
        self._open_socket = open_socket
        self._buffer = Buffer()
        self._kept = KeptPairs(poller, most_pairs)
        # Each with the address its sockets are bound to.
        self._sessions: dict[RtpSession, str] = {}
        self._logged: float | None = None
        self._look: IDelayedCall | None = None
        self._chance = random.Random()  # noqa: S311 - it spreads reports in time

    @property
    def sessions(self) -> int:
        """
        How many sessions are open.
        """
        return len(self._sessions)

    def open(self, host: str, advertised: str, *, call_id: str) -> RtpSession:
        """
        Open a session.
        """
        port, sockets = self._bind(host)
        session = RtpSession(
            advertised,
            port,
            sockets,
            clock=self._clock,
            poller=self._poller,
            pacer=self.pacer,
            buffer=self._buffer,
            strict=self._settings.latch == "strict",
            call_id=call_id,
        )
        session.on_closed = self._closed
        interval = self._settings.report_interval
        # RFC 3550 6.2: the first report after half the interval.
        session.report_due = self._clock.seconds() + interval * self._chance.uniform(0.25, 0.75)
        self._sessions[session] = host
        if self._look is None:
            self._look = self._clock.callLater(LOOK, self._report)
        return session

    def reconfigure(self, settings: MediaSettings) -> None:
        """
        Open sessions by other settings from now on. The ports stay those of the start.
        """
        self._settings = settings

    def stop(self) -> None:
        """
        Close every session and watch no socket any more.
        """
        self._kept.stop()
        for session in list(self._sessions):
            session.close()
        self._rest()
        self._poller.stop()

    def _bind(self, host: str) -> tuple[int, tuple[DatagramSocket, DatagramSocket]]:
        dscp = self._settings.dscp
        for _ in range(min(ATTEMPTS, len(self.pool))):
            port = self.pool.take()
            kept = self._kept.take(host, port)
            if kept is not None:
                return port, kept
            self._kept.make_room(self.pool.in_use)
            try:
                rtp = self._open_socket(host, port, dscp)
            except OSError as error:
                self.pool.give_back(port)
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            try:
                return port, (rtp, self._open_socket(host, port + 1, dscp))
            except OSError as error:
                rtp.close()
                self.pool.give_back(port)
                if error.errno != errno.EADDRINUSE:
                    raise
        raise self._exhausted()

    def _exhausted(self) -> PortsExhausted:
        self.refused += 1
        now = self._clock.seconds()
        pool = self.pool
        if self._logged is None or now - self._logged >= EXHAUSTION_LOGGED:
            self._logged = now
            self.log.error(
                "no media port is free ({in_use} of {pairs} pairs in use, {refused} calls refused so far): widen "
                "server.rtp_port_range_start ({start}) to server.rtp_port_range_end ({end}); a call takes four ports",
                in_use=pool.in_use,
                pairs=pool.pairs,
                refused=self.refused,
                start=pool.start,
                end=pool.end,
            )
        return PortsExhausted(f"no media port is free between {pool.start} and {pool.end}")

    def _closed(self, session: RtpSession) -> None:
        host = self._sessions.pop(session)
        self._kept.keep(host, session.port, session.sockets, self._clock.seconds())
        self.pool.give_back(session.port)
        self._kept.make_room(self.pool.in_use)
        self._rest()

    def _rest(self) -> None:
        """
        Look at nothing any more when there is nothing.
        """
        if not self._sessions and not self._kept and self._look is not None:
            self._look.cancel()
            self._look = None

    def _report(self) -> None:
        now = self._clock.seconds()
        self._kept.expire(now)
        self._look = self._clock.callLater(LOOK, self._report) if self._sessions or self._kept else None
        interval = self._settings.report_interval
        for session in list(self._sessions):
            session.incoming.look(now)
            if session.report_due <= now:
                session.send_report(now)
                # RFC 3550 6.3.1: between half and one and a half times the interval.
                session.report_due = now + interval * self._chance.uniform(0.5, 1.5)
