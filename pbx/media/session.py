"""
One leg's media: two ports, what comes in, what goes out, and the reports about both.
"""

from __future__ import annotations

from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from twisted.logger import Logger, LogLevel

from pbx.media import srtp
from pbx.media.incoming import NOTHING, Buffer, Incoming
from pbx.media.latch import Latch
from pbx.media.outgoing import Outgoing
from pbx.media.quality import LegQuality
from pbx.media.reports import Reports
from pbx.sdp.mapping import codec_of, paired

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IReactorTime

    from pbx.media.incoming import IListener
    from pbx.media.pacer import Pacer
    from pbx.media.poller import IRtpPoller
    from pbx.media.sockets import Address, DatagramSocket
    from pbx.sdp.audio import Audio, Crypto, Format

SENDING: Final = frozenset({"sendrecv", "sendonly"})
RECEIVING: Final = frozenset({"sendrecv", "recvonly"})


class RtpSession:
    """
    The media of one leg.

    Attributes:
        call_id: The leg's Call-ID, for the log.
        host: The address that SDP names.
        port: The RTP port.
        rtcp_port: The RTCP port.
        incoming: What is received.
        outgoing: What is sent.
        reports: RTCP.
        pacer: The tick for sound of our own.
        agreed: The formats of both directions.
        direction: Ours: what we may send and receive.
        on_latched: Called with the session when its packets come from another address than before.
        on_configured: Called when :meth:`configure` is done; the bridge's.
        on_closed: Called once when the session closes; the engine's.
        report_due: When the next report is to be sent; 0 until configured.
    """

    log = Logger()

    def __init__(
        self,
        host: str,
        port: int,
        sockets: tuple[DatagramSocket, DatagramSocket],
        *,
        clock: IReactorTime,
        poller: IRtpPoller,
        pacer: Pacer,
        buffer: Buffer,
        strict: bool = False,
        call_id: str = "",
    ) -> None:
        """
        Hold two bound sockets, RTP and RTCP; nothing is read or sent before :meth:`configure`.
        """
        self.call_id = call_id
        self.host = host
        self.port = port
        self.rtcp_port = port + 1
        self.pacer = pacer
        self.agreed = paired((), ())
        self.direction = "inactive"
        self.on_latched: Callable[[RtpSession], object] | None = None
        self.on_configured: Callable[[], object] | None = None
        self.on_closed: Callable[[RtpSession], object] | None = None
        self.report_due = 0.0
        self._listener: IListener | None = None
        self.clock = clock
        self._poller = poller
        self._rtp, self._rtcp = sockets
        self._buffer = buffer
        self._opened = clock.seconds()
        self._remote: Audio | None = None
        self._mux = False
        self._rtcp_source: Address | None = None
        self._codec = ""
        self._quality: LegQuality | None = None
        self.outgoing = Outgoing(self._rtp)
        self.incoming = Incoming(
            self._rtp,
            buffer,
            Latch(strict),
            self.outgoing,
            self._rtcp_arrived,
            self._latch_moved,
            partial(poller.change, self._rtp),
        )
        self.reports = Reports(self.incoming, self.outgoing)

    @property
    def closed(self) -> bool:
        """
        Whether the ports were given back.
        """
        return self._quality is not None

    @property
    def sockets(self) -> tuple[DatagramSocket, DatagramSocket]:
        """
        RTP and RTCP.
        """
        return self._rtp, self._rtcp

    @property
    def latched(self) -> tuple[str, int] | None:
        """
        The address that the peer's packets come from, once that is sure.
        """
        latch = self.incoming.latch
        return latch.source[:2] if latch.latched and latch.source is not None else None

    @property
    def last_heard(self) -> float:
        """
        When RTP or RTCP came last, in seconds of the clock; before any did, when the session was opened.
        """
        return max(self.incoming.last_heard, self.reports.heard, self._opened)

    def configure(
        self,
        remote: Audio,
        formats: Sequence[Format],
        receive_formats: Sequence[Format],
        crypto_local: Crypto | None = None,
        crypto_remote: Crypto | None = None,
        direction: str = "sendrecv",
        *,
        peer_host: str | None = None,
        rtcp_mux: bool | None = None,
    ) -> None:
        """
        Take what offer and answer came to; once, or again after each further one.

        Args:
            remote: The peer's description. With a new one, or another ``peer_host``, its packets may come from
                elsewhere; the same again, as in a session refresh, changes nothing about that.
            formats: What we may send, with the payload types the peer expects; the preferred first.
            receive_formats: What the peer may send, with the payload types we told it.
            crypto_local: The key that we send under.
            crypto_remote: The key that the peer sends under.
            direction: Ours: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``.
            peer_host: The address its signalling comes from: media from there are taken at once, which saves a phone
                behind NAT the two seconds that a stranger waits.
            rtcp_mux: Whether RTCP goes to the RTP port; by default as the peer says.

        Raises:
            ValueError: There is one key without the other, or a suite that is not served.
        """
        if (crypto_local is None) != (crypto_remote is None):
            raise ValueError("SRTP needs the keys of both sides")
        now = self.clock.seconds()
        before, self._remote = self._remote, remote
        first = before is None
        if before is None or (remote.rtcp_host, remote.rtcp_port) != (before.rtcp_host, before.rtcp_port):
            self._rtcp_source = None
        self._mux = remote.rtcp_mux if rtcp_mux is None else rtcp_mux
        self.direction = direction
        self.agreed = paired(tuple(receive_formats), tuple(formats))
        self._secure(crypto_local, crypto_remote)
        incoming, outgoing = self.incoming, self.outgoing
        signalling = peer_host and _normal(peer_host)
        relearn = remote != before or signalling != incoming.latch.peer_host
        incoming.latch.expect(_normal(remote.host), remote.port, signalling, now, relearn=relearn)
        if not incoming.latch.latched:
            # Whoever comes next is looked at.
            incoming.source = None
        if not incoming.latch.firm:
            incoming.disconnect()
        codec = self.agreed.codec
        if codec is not None:
            self._codec = codec.name
            outgoing.clock_rate = codec.clock
        received = codec_of(receive_formats)
        if received is not None:
            incoming.clock_rate = received.clock
        incoming.enabled = True
        self._aim()
        self._lend_ear()
        if first:
            self._poller.add(self._rtp, incoming.readable)
            self._poller.add(self._rtcp, self._rtcp_readable)
        if self.on_configured is not None:
            self.on_configured()

    def relay_into(
        self, other: RtpSession | None, payload_types: Sequence[int], translations: dict[int, bytes] | None = None
    ) -> None:
        """
        Send what comes in here out of another session from now on.

        Args:
            other: The session, or ``None`` for none.
            payload_types: By second byte of a packet, the one to send it with; -1 for not.
            translations: By payload type, a table for the bytes of the payload.
        """
        incoming = self.incoming
        incoming.leave_express()
        sink = None if other is None or self.direction not in RECEIVING else other.outgoing
        if incoming.sink is not None and incoming.sink is not sink:
            incoming.sink.release()
        incoming.sink = sink
        incoming.payload_types = payload_types
        incoming.translations = translations or None

    def listen(self, listener: IListener | None, *, relayed: bool = False) -> None:
        """
        Let somebody hear every packet from now on that is relayed to nobody, as long as the direction lets us receive.

        Args:
            listener: In place of the one before; ``None`` for nobody.
            relayed: Whether it hears what is relayed, too.
        """
        self._listener = listener
        self.incoming.overheard = relayed and listener is not None
        if relayed:
            self.incoming.leave_express()
        self._lend_ear()

    @property
    def listener(self) -> IListener | None:
        """
        Who listens.
        """
        return self._listener

    def send_report(self, now: float, *, goodbye: bool = False) -> None:
        """
        Send an RTCP report.
        """
        destination = self._rtcp_destination()
        if destination is None:
            return
        compound: bytes | None = self.reports.compose(now, goodbye=goodbye)
        if self.outgoing.protector is not None and compound is not None:
            compound = self.outgoing.protector.rtcp(compound)
        if compound is None:
            return
        try:
            (self._rtp if self._mux else self._rtcp).sendto(compound, destination)
        except OSError:
            # As if lost on the way: the next report says the same and more.
            return

    def quality(self) -> LegQuality:
        """
        How well both directions came through so far.
        """
        if self._quality is not None:
            return self._quality
        self.incoming.settle()
        self.outgoing.settle()
        reception, reports, outgoing = self.incoming.reception, self.reports, self.outgoing
        lost_out, jitter_out = reports.lost_out, reports.jitter_out
        protector = outgoing.protector
        return LegQuality(
            codec=self._codec,
            srtp=None if protector is None else protector.crypto.suite,
            packets_in=reception.packets,
            packets_out=outgoing.packets,
            bytes_in=self.incoming.octets,
            bytes_out=outgoing.octets,
            lost_in=reception.lost,
            lost_out=lost_out,
            loss_percent=reception.loss_percent,
            loss_percent_out=None if lost_out is None else min(100.0, 100.0 * lost_out / max(1, outgoing.packets)),
            jitter_ms=reception.jitter_ms,
            jitter_ms_out=None if jitter_out is None else jitter_out * 1000.0,
            rtt_ms=None if reports.rtt is None else reports.rtt * 1000.0,
        ).rated()

    def close(self) -> LegQuality:
        """
        Say goodbye and give the ports back: their sockets are the engine's again, watched or not.

        Returns:
            The quality to its end; the same when closed again.
        """
        if self._quality is not None:
            return self._quality
        # RFC 3550 6.3.7: who never sent anything does not say goodbye.
        self.outgoing.settle()
        if self._remote is not None and (self.outgoing.packets or self.reports.sent):
            self.send_report(self.clock.seconds(), goodbye=True)
        quality = self._quality = self.quality()
        self.relay_into(None, NOTHING)
        self.listen(None)
        self.outgoing.release()
        self.outgoing.destination = None
        self.incoming.disconnect()
        self.incoming.close()
        told, self.on_closed, self.on_latched = self.on_closed, None, None
        if told is not None:
            told(self)
        return quality

    def _secure(self, local: Crypto | None, remote: Crypto | None) -> None:
        # The same key keeps its context: the rollover counter and the replay window live there.
        if local is None or remote is None:
            self.outgoing.protector = None
            self.incoming.opener = None
            return
        if self.outgoing.protector is None or self.outgoing.protector.crypto != local:
            self.outgoing.protector = srtp.Protector(local)
        if self.incoming.opener is None or self.incoming.opener.crypto != remote:
            self.incoming.opener = srtp.Opener(remote)

    def _lend_ear(self) -> None:
        self.incoming.listener = self._listener if self.direction in RECEIVING else None

    def _aim(self) -> None:
        self.outgoing.changed()
        may = self._remote is not None and not self._remote.held_by_address and self.direction in SENDING
        self.outgoing.destination = self._rtp_destination() if may else None

    def _rtp_destination(self) -> Address | None:
        latch = self.incoming.latch
        if self._remote is None:
            return None
        return latch.source if latch.source is not None else latch.sdp

    def _rtcp_destination(self) -> Address | None:
        remote = self._remote
        if remote is None or remote.held_by_address:
            return None
        if self._mux:
            return self._rtp_destination()
        if self._rtcp_source is not None:
            return self._rtcp_source
        source = self.incoming.latch.source
        if source is not None and source[0] != self.incoming.latch.sdp[0]:
            # Behind NAT the SDP's RTCP address is as wrong as its RTP address was; the next port is a good guess.
            return (source[0], min(65_535, source[1] + 1), *source[2:])
        return remote.rtcp_host, remote.rtcp_port

    def _latch_moved(self, before: Address | None) -> None:
        source = self.incoming.source
        # Where the reports of whoever was heard before came from is nothing to go by any more.
        self._rtcp_source = None
        self._aim()
        if source is None:
            return
        old = before or self.incoming.latch.sdp
        # A phone behind NAT that is heard where its signalling comes from is nothing special.
        ordinary = before is None and self.incoming.latch.firm
        self.log.emit(
            LogLevel.info if ordinary else LogLevel.warn,
            "media latched to {host}:{port}, not {old_host}:{old_port} any more (call {call_id})",
            host=source[0],
            port=source[1],
            old_host=old[0],
            old_port=old[1],
            call_id=self.call_id,
        )
        if self.on_latched is not None:
            self.on_latched(self)

    def _rtcp_readable(self, now: float) -> bool:
        try:
            length, source = self._rtcp.recvfrom_into(self._buffer.bytes)
        except OSError:
            return False
        if self._rtcp_arrived(bytes(self._buffer.view[:length]), source, now):
            self._rtcp_source = source
        return True

    def _rtcp_arrived(self, data: bytes, source: Address, now: float) -> bool:
        """
        Take a compound that came to either port; whether it was the peer's.
        """
        remote, latch = self._remote, self.incoming.latch
        if remote is None:
            return False
        known = {latch.sdp[0], _normal(remote.rtcp_host), latch.peer_host, latch.source and latch.source[0]}
        if source[0] not in known:
            return False
        opener = self.incoming.opener
        compound = data if opener is None else opener.rtcp(data)
        if compound is None:
            self.incoming.forged += 1
            return False
        try:
            self.reports.received(compound, now)
        except ValueError:
            # Not RTCP: keep-alives and probes of NAT come here too.
            return False
        return True


def _normal(host: str) -> str:
    """
    An address as the kernel writes it; what is none stays as it is.
    """
    try:
        return str(ip_address(host)) if ":" in host else host
    except ValueError:
        return host
