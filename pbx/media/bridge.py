"""
Two sessions joined: what comes in at one goes out at the other, as it is, converted, or in place of it music.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

from attrs import frozen

from pbx.audio.g711 import ALAW_TO_MULAW, MULAW_TO_ALAW
from pbx.media import transcoder
from pbx.media.comfort import ComfortNoise
from pbx.media.dtmf import KeyListener, KeySender
from pbx.media.ear import Ear, ToneListener
from pbx.media.incoming import NOTHING
from pbx.media.transcoder import Transcoder
from pbx.rtp.packet import MARKER
from pbx.sdp.mapping import KNOWN, is_relayable, payload_types

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.media.session import RtpSession
    from pbx.sdp.audio import Format
    from pbx.sdp.mapping import Agreed

CONVERSIONS = {("pcmu", "pcma"): MULAW_TO_ALAW, ("pcma", "pcmu"): ALAW_TO_MULAW}
"""Codecs whose payloads become each other's byte by byte."""


class Playing(Protocol):
    """
    Something that is being played to a session, and follows when that is configured anew.
    """

    def stop(self) -> None:
        """
        Play no more.
        """


class Bridge:
    """
    Two sessions whose sound goes to each other, until :meth:`stop`.

    It follows when one of them is configured anew. A side can be held: the other hears music then, or comfort noise.
    Keys that one side sends as events, and the other does not know as such, become tones, or what ``on_key`` makes of
    them; those that one side can send as tones only become events for a side that knows these.

    Attributes:
        state: ``relay`` when packets are forwarded as they are, ``transcode`` when their payload is converted,
            ``none`` when one side's codec can't become one that the other understands.
        reason: Why, in words; also where somebody hears silence while held.
        music: Starts music for a session that waits; ``None`` from it, or in its place, is comfort noise.
        on_key: Called with a session and a key that is to be told to it, when it knows no telephone events; returns
            whether that was done, else it gets the tones.
    """

    def __init__(
        self,
        a: RtpSession,
        b: RtpSession,
        *,
        music: Callable[[RtpSession], Playing | None] | None = None,
        on_key: Callable[[RtpSession, str], bool] | None = None,
    ) -> None:
        self.a = a
        self.b = b
        self.music = music
        self.on_key = on_key
        self.state: Literal["relay", "transcode", "kernel", "none"] = "relay"
        self.reason = ""
        self._held: set[RtpSession] = set()
        self._noise: dict[RtpSession, ComfortNoise] = {}
        self._playing: dict[RtpSession, Playing] = {}
        self._transcoders: dict[RtpSession, tuple[object, Transcoder]] = {}
        self._listeners: dict[RtpSession, KeyListener | ToneListener] = {}
        self._senders: dict[RtpSession, KeySender] = {}
        self._stopped = False
        for session in (a, b):
            session.on_configured = self._refresh
        self._refresh()

    def hold(self, side: RtpSession) -> None:
        """
        Let the other side hear music, or comfort noise, in place of this one.
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

    def press(self, source: RtpSession, digit: str, milliseconds: int = 160) -> None:
        """
        Tell the other side that a key was pressed at this one: what came by SIP INFO, or as tones.

        Raises:
            ValueError: There is no such key.
        """
        if self._stopped or source in self._held:
            return
        target = self.b if source is self.a else self.a
        if not _knows_events(target) and self.on_key is not None and self.on_key(target, digit):
            return
        if target not in self._senders:
            self._senders[target] = KeySender(target)
        self._senders[target].send(digit, milliseconds)

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
            self._part(session)
            self._quieten(session)
            sender = self._senders.pop(session, None)
            if sender is not None:
                sender.stop()

    def _refresh(self) -> None:
        if self._stopped:
            return
        for source, target in ((self.a, self.b), (self.b, self.a)):
            if source in self._held:
                self._part(source)
                source.relay_into(None, NOTHING)
                self._entertain(target)
            else:
                self._quieten(target)
                self._join(source, target)
        self._describe()

    def _join(self, source: RtpSession, target: RtpSession) -> None:
        way = way_between(source.agreed, target.agreed)
        if not way.reaches and transcoder.possible(source, target):
            # Nothing is relayed: keys too go by the converter, or two streams would be mixed into one.
            source.relay_into(None, NOTHING)
            self._transcode(source, target)
            return
        self._part(source)
        source.relay_into(target, way.table, way.translations)
        if target.agreed.codec is None:
            return
        if way.loses_keys:
            listener = self._listeners[source] = KeyListener(source, self._key_of(source))
            listener.start()
        elif Ear.needed(source) and _knows_events(target) and transcoder.possible(source, target):
            ear = self._listeners[source] = ToneListener(source, self._key_of(source))
            ear.start()

    def _transcode(self, source: RtpSession, target: RtpSession) -> None:
        # Tones of who has no events become events for who has; without either they simply go through.
        tones = _knows_events(target)
        means = (source.agreed.codec, target.agreed.codec, tones)
        kept = self._transcoders.get(source)
        if kept is not None and kept[0] == means:
            return
        self._part(source)
        converter = Transcoder(source, target, self._key_of(source), detect_inband=tones)
        self._transcoders[source] = means, converter
        converter.start()

    def _part(self, source: RtpSession) -> None:
        """
        Convert nothing of a session any more.
        """
        kept = self._transcoders.pop(source, None)
        if kept is not None:
            kept[1].stop()
        listener = self._listeners.pop(source, None)
        if listener is not None:
            listener.stop()

    def _key_of(self, source: RtpSession) -> Callable[[str, float], None]:
        return lambda digit, seconds: self.press(source, digit, round(seconds * 1000))

    def _entertain(self, session: RtpSession) -> None:
        # Music follows a re-INVITE by itself. Noise begins anew in the codec that was agreed; the stream goes on.
        if session in self._playing:
            return
        self._quieten(session)
        if session.closed:
            return
        playing = self.music(session) if self.music is not None else None
        if playing is not None:
            self._playing[session] = playing
            return
        noise = ComfortNoise.into(session.outgoing, session.agreed)
        if noise is not None:
            self._noise[session] = noise
            session.pacer.start(noise)

    def _quieten(self, session: RtpSession) -> None:
        playing = self._playing.pop(session, None)
        if playing is not None:
            playing.stop()
        noise = self._noise.pop(session, None)
        if noise is not None:
            session.pacer.stop(noise)

    def _describe(self) -> None:
        one, other = self.a.agreed.codec, self.b.agreed.codec
        if one is None or other is None:
            self.state, self.reason = "relay", "not every side has told its codec yet"
        elif is_relayable(self.a.agreed, self.b.agreed):
            self.state, self.reason = "relay", f"both sides have {one.name}"
        elif _goes(self.a, self.b) and _goes(self.b, self.a):
            self.state, self.reason = "transcode", f"one side has {one.name}, the other {other.name}"
        else:
            self.state = "none"
            self.reason = f"one side has {one.name}, the other {other.name}, and these can't be converted"
        for source, target in ((self.a, self.b), (self.b, self.a)):
            silent = target not in self._noise and target not in self._playing
            if source in self._held and silent and target.agreed.codec is not None:
                self.reason += f"; who waits hears silence, for there is no comfort noise in {target.agreed.codec.name}"


def _knows_events(session: RtpSession) -> bool:
    return any(item.is_telephone_event for item in session.agreed.send)


def _goes(source: RtpSession, target: RtpSession) -> bool:
    return way_between(source.agreed, target.agreed).reaches or transcoder.possible(source, target)


@frozen
class Way:
    """
    How packets of one session become packets of another.

    Attributes:
        table: By second byte (marker and payload type) the one to send, -1 for not.
        translations: By payload type, what the payload's bytes become where that is not themselves.
        reaches: Whether the codec that one peer prefers, and so sends, gets to the other.
        loses_keys: Whether one side sends keys as events, and none of them reach the other.
    """

    table: Sequence[int]
    translations: dict[int, bytes]
    reaches: bool
    loses_keys: bool


@lru_cache(maxsize=KNOWN)
def way_between(source: Agreed, target: Agreed) -> Way:
    """
    How packets of one session become packets of another; nobody changes what this returns, for others have it too.
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
    preferred = source.codec
    reaches = preferred is not None and any(
        own.matches(preferred) and table[own.payload_type] >= 0 for own in source.receive
    )
    events = [item for item in source.receive if item.is_telephone_event]
    loses_keys = bool(events) and all(table[item.payload_type] < 0 for item in events)
    return Way(tuple(table), translations, reaches, loses_keys)


def _conversion(own: Format, target: Agreed) -> tuple[int, bytes] | None:
    for theirs in target.send:
        conversion = CONVERSIONS.get((own.codec, theirs.codec))
        if conversion is not None and (own.clock, own.channels) == (theirs.clock, theirs.channels):
            return theirs.payload_type, conversion
    return None
