"""
The mixer: everybody in a room hears all the others and not themselves.

One pass over all rooms a tick. Who is silent is not in the mix, so that all silent ones of a room hear the very same:
that is encoded once for each codec, and a listener costs little more than a packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from twisted.logger import Logger

from pbx.audio.limiter import limited
from pbx.audio.polyphase import Polyphase
from pbx.media import room_sound
from pbx.media.mixing import Crossing, Hiss, Plane
from pbx.media.room import Member, MixedRoom

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pbx.audio.g711 import Samples
    from pbx.audio.polyphase import Frames
    from pbx.media.mixing import Heard
    from pbx.media.pacer import Pacer
    from pbx.media.room import IEncoder, ISpeaking
    from pbx.sdp.audio import Format

Rows: TypeAlias = "dict[int, list[tuple[Heard, Hashable, object, bool]]]"
"""By rate, what :class:`~pbx.media.mixing.Plane` is made of."""


class Mixer:
    """
    All rooms, mixed at every tick of the pacer as long as somebody is in one.
    """

    log = Logger()

    def __init__(self, pacer: Pacer, encoder: Callable[[Format, int], IEncoder | None]) -> None:
        """
        A mixer without rooms.

        Args:
            pacer: The one tick.
            encoder: A new encoder for a format that takes so many samples a second, ``None`` where there is none.
        """
        self._pacer = pacer
        self._encoder = encoder
        self._rooms: dict[Hashable, MixedRoom] = {}
        self._planes: dict[int, Plane] = {}
        self._crossings: dict[tuple[int, int], Crossing] = {}
        self._hiss: dict[int, Hiss] = {}
        self._stale = True

    def __len__(self) -> int:
        return len(self._rooms)

    def room(self, key: Hashable) -> MixedRoom | None:
        """
        A room that somebody is in.
        """
        return self._rooms.get(key)

    def join(self, key: Hashable, hearing: Heard, speaking: ISpeaking, *, muted: bool = False) -> Member:
        """
        Let somebody into a room.

        Args:
            key: The room.
            hearing: What comes from it; it is asked for a frame at every tick.
            speaking: Where it hears the room.
            muted: Whether it is muted from the first.
        """
        room = self._rooms.setdefault(key, MixedRoom(self, key))
        member = Member(self, room, hearing, speaking)
        member.muted = muted
        room.members[member] = None
        self.rearrange()
        self._pacer.start(self)
        return member

    def part(self, member: Member) -> None:
        """
        Let somebody out; one that has left already is ignored.
        """
        room = member.room
        if member not in room.members:
            return
        del room.members[member]
        member.place.plane = member.place.target = None
        self.rearrange()
        if room.members:
            return
        self._rooms.pop(room.key, None)
        if not self._rooms:
            # Somebody may leave in the middle of a tick: what that tick works on stays as it is.
            self._planes, self._crossings = {}, {}
            self._pacer.stop(self)

    def rearrange(self) -> None:
        """
        Lay everything out anew before the next tick.
        """
        self._stale = True

    def tick(self, now: float, frames: int) -> None:
        """
        Mix the frames that are due.
        """
        for _ in range(frames):
            if self._stale:
                self._lay_out()
            self._mix(now)

    def _lay_out(self) -> None:
        self._stale = False
        rows: Rows = {}
        wanted: dict[int, dict[MixedRoom, None]] = {}
        crossing: dict[tuple[int, int], dict[MixedRoom, None]] = {}
        for room in self._rooms.values():
            sources, targets = self._enter(room, rows)
            for rate in sources | targets:
                wanted.setdefault(rate, {})[room] = None
            for pair in [(source, target) for source in sources for target in targets if source != target]:
                crossing.setdefault(pair, {})[room] = None
        before = self._planes
        self._planes = {
            rate: Plane(rate, list(rooms), rows.get(rate, ()), before.get(rate)) for rate, rooms in wanted.items()
        }
        self._crossings = {
            pair: Crossing(self._planes[pair[0]], self._planes[pair[1]], list(rooms), self._crossings.get(pair))
            for pair, rooms in crossing.items()
        }
        for plane in self._planes.values():
            for row, owner in enumerate(plane.owners):
                if isinstance(owner, Member):
                    owner.place.plane, owner.place.row = plane, row
        for room in self._rooms.values():
            for member in room.members:
                self._place(member)

    def _enter(self, room: MixedRoom, rows: Rows) -> tuple[set[int], set[int]]:
        """
        Add a room's streams to the rows of each rate; at which rates it is heard, and at which it hears.
        """
        sources: set[int] = set()
        targets: set[int] = set()
        for member in room.members:
            rate = member.hearing.rate
            rows.setdefault(rate, []).append((member.hearing, room, member, member.muted or member.away))
            sources.add(rate)
            if member.speaking.format is not None:
                targets.add(member.speaking.rate)
        sounds: list[Heard] = [room.announcements] if room.announcements else []
        if room.music is not None:
            sounds.append(room.music)
        for sound in sounds:
            rows.setdefault(sound.rate, []).append((sound, room, None, False))
            sources.add(sound.rate)
        if room.recorder is not None:
            targets.add(room.recorder.rate)
        return sources, targets

    def _place(self, member: Member) -> None:
        place, speaking = member.place, member.speaking
        place.format = speaking.format
        place.target = None if place.format is None else self._planes.get(speaking.rate)
        plane, target = place.plane, place.target
        if plane is None or target is None or place.format is None:
            return
        place.position = target.position[member.room]
        place.key = (place.format.codec, place.format.clock, place.format.channels, target.rate)
        crosses = plane is not target
        if not crosses:
            place.crossing = None
        elif place.crossing is None or (place.crossing.source, place.crossing.target) != (plane.rate, target.rate):
            place.crossing = Polyphase(plane.rate, target.rate, 1)
        place.alone = bool(member.deaf or member.volume or member.whispers or crosses)

    def _mix(self, now: float) -> None:
        planes = self._planes
        for plane in planes.values():
            if not plane.hear():
                self._stale = True
            if plane.failed:
                self._drop(plane)
        for crossing in self._crossings.values():
            crossing.convert()
        for crossing in self._crossings.values():
            crossing.add()
        for room in list(self._rooms.values()):
            recorder = room.recorder
            if recorder is not None and recorder.rate in planes:
                plane = planes[recorder.rate]
                recorder.write(limited(plane.mix[plane.position[room]]))
        own: dict[object, Samples] = {}
        shared: dict[Plane, Samples] = {}
        for plane in planes.values():
            plane.mix += self._noise(plane.rate)
            shared[plane] = limited(plane.mix)
            if plane.loud.size:
                frames = limited(plane.others(plane.loud))
                for row, frame in zip(plane.loud, frames, strict=True):
                    own[plane.owners[row]] = frame
        for room in list(self._rooms.values()):
            self._send(room, shared, own, now)
        for plane in planes.values():
            for owner, talks in plane.turns():
                if isinstance(owner, Member) and owner.on_talking is not None:
                    owner.on_talking(talks)

    def _send(self, room: MixedRoom, shared: dict[Plane, Samples], own: dict[object, Samples], now: float) -> None:
        payloads: dict[Hashable, bytes | None] = {}
        failed: list[Member] = []
        for member in room.members:
            speaking, place = member.speaking, member.place
            if speaking.format is not place.format:
                # Offered and answered anew: it gets its place before the next tick.
                self._stale = True
                continue
            target = place.target
            if target is None or member.away:
                continue
            try:
                if place.alone:
                    speaking.say(self._heard_alone(member, target), now)
                    continue
                frame = own.get(member)
                if frame is not None:
                    speaking.say(frame, now)
                    continue
                key = place.key
                if key not in payloads:
                    payloads[key] = self._encoded(room, member, shared[target][place.position])
                payload = payloads[key]
                if payload is not None:
                    speaking.say_frame(payload, now)
            except Exception:  # noqa: BLE001 - the others are to hear, whatever is wrong with this one
                self.log.failure("{speaking} failed, and hears no more", speaking=speaking)
                failed.append(member)
        for member in failed:
            self.part(member)

    def _drop(self, plane: Plane) -> None:
        """
        Let those out whose streams have failed.
        """
        for row in plane.failed:
            owner, room = plane.owners[row], plane.room_of(row)
            if isinstance(owner, Member):
                self.part(owner)
            elif isinstance(room, MixedRoom):
                room.hush()
        plane.failed.clear()

    def _heard_alone(self, member: Member, target: Plane) -> Samples:
        """
        What a member hears that has settings or sounds of its own.
        """
        place = member.place
        frame: Frames = target.mix[place.position].copy()
        plane = place.plane
        if plane is not None:
            voice = plane.voice(place.row)
            frame -= voice if place.crossing is None else place.crossing.convert(voice.reshape(1, -1))[0]
        if member.deaf:
            frame[:] = 0.0
        elif member.volume:
            frame *= np.float32(10 ** (member.volume / 20))
        if member.whispers:
            whisper = member.whispers.frame().astype(np.float32)
            if target.rate != room_sound.RATE:
                if member.lowered is None or member.lowered.target != target.rate:
                    member.lowered = Polyphase(room_sound.RATE, target.rate, 1)
                whisper = member.lowered.convert(whisper.reshape(1, -1))[0]
            frame += whisper
        return limited(frame)

    def _encoded(self, room: MixedRoom, member: Member, frame: Samples) -> bytes | None:
        """
        What all silent members of a room with one codec hear; ``None`` where it can't be said in it.
        """
        key, form, target = member.place.key, member.place.format, member.place.target
        if key not in room.encoders and form is not None and target is not None:
            room.encoders[key] = self._encoder(form, target.rate)
        encoder = room.encoders.get(key)
        return encoder.encode(frame) if encoder is not None else None

    def _noise(self, rate: int) -> Frames:
        if rate not in self._hiss:
            self._hiss[rate] = Hiss(rate)
        return self._hiss[rate].frame()
