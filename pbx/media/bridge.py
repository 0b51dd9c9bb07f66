"""
Two sessions joined: what comes in at one goes out at the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pbx.audio.g711 import ALAW_TO_MULAW, MULAW_TO_ALAW
from pbx.media.comfort import ComfortNoise
from pbx.media.incoming import NOTHING
from pbx.rtp.packet import MARKER
from pbx.sdp.mapping import is_relayable, payload_types

if TYPE_CHECKING:
    from pbx.media.session import RtpSession
    from pbx.sdp.audio import Format
    from pbx.sdp.mapping import Agreed

CONVERSIONS = {("pcmu", "pcma"): MULAW_TO_ALAW, ("pcma", "pcmu"): ALAW_TO_MULAW}
"""Codecs whose payloads become each other's byte by byte."""


class Bridge:
    """
    Two sessions whose sound goes to each other, until :meth:`stop`.

    It follows when one of them is configured anew. A side can be held: the other hears comfort noise then.

    Attributes:
        state: ``relay`` when packets are forwarded as they are, ``transcode`` when their payload is converted,
            ``none`` when one side's codec can't become one that the other understands.
        reason: Why, in words; also where somebody hears silence while held.
    """

    def __init__(self, a: RtpSession, b: RtpSession) -> None:
        self.a = a
        self.b = b
        self.state: Literal["relay", "transcode", "kernel", "none"] = "relay"
        self.reason = ""
        self._held: set[RtpSession] = set()
        self._noise: dict[RtpSession, ComfortNoise] = {}
        self._stopped = False
        for session in (a, b):
            session.on_configured = self._refresh
        self._refresh()

    def hold(self, side: RtpSession) -> None:
        """
        Let the other side hear comfort noise in place of this one.
        """
        self._held.add(side)
        self._refresh()

    def resume(self, side: RtpSession) -> None:
        """
        Let the other side hear this one again.
        """
        self._held.discard(side)
        self._refresh()

    def held(self, side: RtpSession) -> bool:
        """
        Whether a side is held.
        """
        return side in self._held

    def stop(self) -> None:
        """
        Part the two sessions; both stay open.
        """
        if self._stopped:
            return
        self._stopped = True
        for session in (self.a, self.b):
            session.on_configured = None
            session.relay_into(None, NOTHING)
            self._quieten(session)

    def _refresh(self) -> None:
        if self._stopped:
            return
        for source, target in ((self.a, self.b), (self.b, self.a)):
            if source in self._held:
                source.relay_into(None, NOTHING)
                self._play_noise(target)
            else:
                self._quieten(target)
                table, translations = tables(source.agreed, target.agreed)
                source.relay_into(target, table, translations)
        self._describe()

    def _play_noise(self, session: RtpSession) -> None:
        # A re-INVITE may have changed the codec: the player begins anew, the stream goes on.
        self._quieten(session)
        noise = None if session.closed else ComfortNoise.into(session.outgoing, session.agreed)
        if noise is not None:
            self._noise[session] = noise
            session.pacer.start(noise)

    def _quieten(self, session: RtpSession) -> None:
        noise = self._noise.pop(session, None)
        if noise is not None:
            session.pacer.stop(noise)

    def _describe(self) -> None:
        one, other = self.a.agreed.codec, self.b.agreed.codec
        if one is None or other is None:
            self.state, self.reason = "relay", "not every side has told its codec yet"
        elif is_relayable(self.a.agreed, self.b.agreed):
            self.state, self.reason = "relay", f"both sides have {one.name}"
        elif _reaches(self.a.agreed, self.b.agreed) and _reaches(self.b.agreed, self.a.agreed):
            self.state, self.reason = "transcode", f"one side has {one.name}, the other {other.name}"
        else:
            self.state = "none"
            self.reason = f"one side has {one.name}, the other {other.name}, and these can't be converted"
        for source, target in ((self.a, self.b), (self.b, self.a)):
            if source in self._held and target not in self._noise and target.agreed.codec is not None:
                self.reason += f"; who waits hears silence, for there is no comfort noise in {target.agreed.codec.name}"


def tables(source: Agreed, target: Agreed) -> tuple[list[int], dict[int, bytes]]:
    """
    How packets of one session become packets of another.

    Returns:
        By second byte (marker and payload type) the one to send, -1 for not; by payload type, what the payload's bytes
        become where that is not themselves.
    """
    mapping = payload_types(source.receive, target.send)
    translations = {}
    for own in source.receive:
        if own.payload_type not in mapping:
            found = _conversion(own, target)
            if found is not None:
                mapping[own.payload_type], translations[own.payload_type] = found
    table = list(NOTHING)
    for received, sent in mapping.items():
        table[received] = sent
        table[received | MARKER] = sent | MARKER
    return table, translations


def _reaches(source: Agreed, target: Agreed) -> bool:
    """
    Whether the codec that one peer prefers, and so sends, gets to the other.
    """
    preferred = source.codec
    if preferred is None:
        return False
    table, _ = tables(source, target)
    return any(own.matches(preferred) and table[own.payload_type] >= 0 for own in source.receive)


def _conversion(own: Format, target: Agreed) -> tuple[int, bytes] | None:
    for theirs in target.send:
        conversion = CONVERSIONS.get((own.codec, theirs.codec))
        if conversion is not None and (own.clock, own.channels) == (theirs.clock, theirs.channels):
            return theirs.payload_type, conversion
    return None
