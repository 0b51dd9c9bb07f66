"""
Many sessions that hear the same frames at the same time, for as little as a datagram can cost.

Who has been sent a frame in the ordinary way goes the short way from then on: all there is for it is a row of values in
a list, and a header made of them. What it was sent is counted when somebody asks. When anything changes about its
stream (address, keys, a key pressed into it) the stream says so, and its next frame goes the ordinary way again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.rtp.packet import HEADER, PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.media.outgoing import Outgoing
    from pbx.media.session import RtpSession
    from pbx.media.sound import Frames
    from pbx.sdp.audio import Format
    from pbx.sdp.mapping import Agreed

Row = tuple["Callable[[bytes, Any], object]", Any, int, int, int, int, "Listener"]
"""How to send, where to (or flags), the header's second byte, what to add to the channel's numbers for sequence number
and timestamp, the SSRC, and who it is."""


class Listener:
    """
    One session that hears what many hear, until :meth:`stop`.

    Attributes:
        session: The session.
        agreed: What its payload type was taken from.
        payload_type: Under which it gets the frames.
        first: Whether its next frame is its first.
        channel: With whom it hears, ``None`` when it can't be spoken to.
    """

    __slots__ = ("_counted", "_on_stop", "_position", "_start", "agreed", "channel", "first", "payload_type", "session")

    def __init__(self, session: RtpSession, on_stop: Callable[[Listener], object]) -> None:
        self.session = session
        self.agreed: Agreed | None = None
        self.payload_type = -1
        self.first = True
        self.channel: Channel | None = None
        self._on_stop: Callable[[Listener], object] | None = on_stop
        self._start = (0, 0, 0)
        self._counted = (0, 0)
        self._position = (0, 0, 0.0)

    @property
    def playing(self) -> bool:
        """
        Whether it was not stopped.
        """
        return self._on_stop is not None

    def stop(self) -> None:
        """
        Hear it no more.
        """
        on_stop, self._on_stop = self._on_stop, None
        if on_stop is not None:
            on_stop(self)

    def follow(self, on_stop: Callable[[Listener], object]) -> None:
        """
        Tell somebody else when it is stopped.
        """
        self._on_stop = on_stop

    def row(self, channel: Channel, outgoing: Outgoing) -> Row | None:
        """
        What it takes to send to it the short way; ``None`` while it must be the ordinary one.
        """
        sequence, timestamp, _ = self._position = outgoing.position()
        if not outgoing.lend(self):
            return None
        self._start = (sequence, timestamp, channel.sent)
        self._counted = (channel.sent, channel.octets)
        # To a connected socket the kernel knows the way; the 0 stands for no flags.
        send: Callable[[bytes, Any], object] = outgoing.socket.send if outgoing.connected else outgoing.socket.sendto
        return (
            send,
            0 if outgoing.connected else outgoing.destination,
            self.payload_type,
            sequence - channel.sent,
            timestamp - channel.sent * channel.step,
            outgoing.ssrc,
            self,
        )

    # What its outgoing stream asks of whoever sends in its place (pbx.media.outgoing.Carried).

    def position(self) -> tuple[int, int, float]:
        """
        Sequence number and timestamp of its latest packet, and when that was sent.
        """
        channel = self.channel
        if channel is None or self not in channel.rows:
            return self._position
        sequence, timestamp, start = self._start
        gone = channel.sent - start
        return (sequence + gone) & 0xFFFF, (timestamp + gone * channel.step) & 0xFFFFFFFF, channel.time

    def missing(self) -> int:
        """
        Nothing: what we say ourselves has no gaps.
        """
        return 0

    def settle(self) -> None:
        """
        Count what it was sent the short way.
        """
        channel = self.channel
        if channel is not None and self in channel.rows:
            outgoing = self.session.outgoing
            packets, octets = self._counted
            outgoing.packets += channel.sent - packets
            outgoing.octets += channel.octets - octets
            self._counted = (channel.sent, channel.octets)

    def leave_express(self) -> None:
        """
        Send to it the ordinary way again.
        """
        channel = self.channel
        if channel is not None and self in channel.rows:
            self.settle()
            self._position = self.position()
            del channel.rows[self]
            channel.waiting[self] = None


class Channel:
    """
    Those who hear the same in one codec.

    Attributes:
        codec: The codec.
        frames: What is played now, in that codec.
        rows: Who is sent to the short way.
        waiting: Who gets the next frame the ordinary way.
        sent: Frames sent so far.
        octets: Bytes in them.
        step: Timestamp units a frame.
        time: When the latest was sent.
    """

    __slots__ = ("codec", "frames", "octets", "rows", "sent", "step", "time", "waiting")

    def __init__(self, codec: Format) -> None:
        self.codec = codec
        self.frames: Frames | None = None
        self.rows: dict[Listener, Row] = {}
        self.waiting: dict[Listener, None] = {}
        self.sent = self.octets = 0
        self.step = codec.clock // 50
        self.time = 0.0

    @property
    def listeners(self) -> list[Listener]:
        """
        Who hears it.
        """
        return [*self.rows, *self.waiting]

    def add(self, listener: Listener, payload_type: int) -> None:
        """
        Let somebody hear it, beginning with the next frame.
        """
        listener.channel, listener.payload_type = self, payload_type
        self.waiting[listener] = None

    def remove(self, listener: Listener) -> None:
        """
        Let somebody hear it no more.
        """
        if listener in self.rows:
            # The stream takes its numbers back.
            listener.session.outgoing.release()
        self.waiting.pop(listener, None)
        listener.channel = None

    def send(self, payload: bytes, now: float) -> list[Listener]:
        """
        Send a frame to all of them.

        Returns:
            Those for whom something else was agreed meanwhile, who did not get it.
        """
        self.sent += 1
        self.octets += len(payload)
        self.time = now
        sent, gone = self.sent, self.sent * self.step
        pack, plain = HEADER.pack, PLAIN
        for send, address, second, sequence, timestamp, ssrc, listener in self.rows.values():
            try:
                send(
                    pack(plain, second, (sequence + sent) & 0xFFFF, (timestamp + gone) & 0xFFFFFFFF, ssrc) + payload,
                    address,
                )
            except OSError:
                # It can't be reached now, or the send buffer is full: as if lost on the way.
                listener.session.outgoing.dropped += 1
        return self._send_to_waiting(payload, now) if self.waiting else []

    def _send_to_waiting(self, payload: bytes, now: float) -> list[Listener]:
        changed = []
        for listener in list(self.waiting):
            session = listener.session
            if session.agreed is not listener.agreed:
                changed.append(listener)
                continue
            outgoing = session.outgoing
            outgoing.take_back(listener)
            outgoing.send_frame(listener.payload_type, payload, now, first=listener.first)
            listener.first = False
            row = listener.row(self, outgoing)
            if row is not None:
                del self.waiting[listener]
                self.rows[listener] = row
        return changed
