"""
What is heard in all rooms at one sample rate, as rows of one array.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from twisted.logger import Logger

from pbx.audio.activity import Activity
from pbx.audio.comfort_noise import RATE as NOISE_RATE
from pbx.audio.comfort_noise import noise
from pbx.audio.polyphase import Polyphase
from pbx.media.pacer import TICK

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from pbx.audio.activity import Flags
    from pbx.audio.g711 import Samples
    from pbx.audio.polyphase import Frames


class Heard(Protocol):
    """
    A stream that goes into a room: somebody's voice, or a sound that is played to all.

    Attributes:
        rate: Samples a second; it may change from one frame to the next.
    """

    @property
    def rate(self) -> int:
        """
        Samples a second.
        """

    def frame(self) -> Samples:
        """
        The next 20 ms; zeros when there is nothing.
        """


class Plane:
    """
    All rooms at one rate: a row a stream, the streams of one room side by side.

    Attributes:
        rate: Samples a second.
        samples: Samples a frame.
        rooms: The rooms that are mixed at this rate, in the order of the rows.
        position: The place of each room in :attr:`rooms`.
        streams: What is heard, in the order of the rows.
        owners: Whose each row is, or ``None`` for sounds that always belong into the mix.
        heard: The latest frame of each stream, shape (streams, samples).
        activity: Who is talking.
        loud: The rows that are in the mix now.
        mix: What is heard in each room, shape (rooms, samples).
        talking: Who talks and may be heard.
        failed: The rows of streams that could not be heard.
    """

    log = Logger()

    def __init__(
        self,
        rate: int,
        rooms: Sequence[Hashable],
        rows: Sequence[tuple[Heard, Hashable, object, bool]],
        before: Plane | None = None,
    ) -> None:
        """
        Lay the streams out.

        Args:
            rate: Samples a second.
            rooms: The rooms, in order.
            rows: Stream, room, owner and whether it is muted, in the order of the rooms.
            before: How they were laid out until now; who was there goes on being loud or talking.
        """
        self.rate = rate
        self.samples = int(rate * TICK)
        self.rooms = list(rooms)
        self.position = {room: place for place, room in enumerate(self.rooms)}
        self.streams = [stream for stream, _, _, _ in rows]
        self.owners = [owner for _, _, owner, _ in rows]
        self.heard: Frames = np.zeros((len(rows), self.samples), np.float32)
        self.failed: list[int] = []
        self.mix: Frames = np.zeros((len(self.rooms), self.samples), np.float32)
        self.loud: npt.NDArray[np.intp] = np.zeros(0, np.intp)
        self._room_of = np.array([self.position[room] for _, room, _, _ in rows], np.intp)
        self._open: Flags = np.array([not muted for _, _, _, muted in rows], np.bool_)
        self._audible: Flags = np.zeros(len(rows), np.bool_)
        self._always: Flags = np.array([owner is None for owner in self.owners], np.bool_)
        self._sounds = bool(self._always.any())
        rows_before = before.rows_of(self.streams) if before is not None else [-1] * len(rows)
        self.activity = Activity(len(rows), self.samples)
        self.talking: Flags = np.zeros(len(rows), np.bool_)
        if before is not None:
            self.activity = before.activity.keep(rows_before)
            for row, old in enumerate(rows_before):
                self.talking[row] = old >= 0 and before.talking[old]

    def room_of(self, row: int) -> Hashable:
        """
        The room that a row belongs to.
        """
        room: Hashable = self.rooms[self._room_of[row]]
        return room

    def rows_of(self, streams: Iterable[Heard]) -> list[int]:
        """
        The row of each stream, -1 where it has none.
        """
        rows = {id(stream): row for row, stream in enumerate(self.streams)}
        return [rows.get(id(stream), -1) for stream in streams]

    def hear(self) -> bool:
        """
        Take the next frame of every stream and add up those that are loud.

        Returns:
            Whether all streams still have this rate; one that has not counts as silent.
        """
        heard, samples, fits = self.heard, self.samples, True
        for row, stream in enumerate(self.streams):
            try:
                frame = stream.frame()
            except Exception:  # noqa: BLE001 - the others are to be heard, whatever is wrong with this one
                self.log.failure("{stream} failed, and is heard no more", stream=stream)
                self.failed.append(row)
                heard[row] = 0.0
                continue
            if frame.size == samples:
                heard[row] = frame
            else:
                heard[row] = 0.0
                fits = False
        self.activity.hear(heard)
        self._audible = self.activity.audible & self._open
        if self._sounds:
            self._audible |= self._always
        self.loud = np.flatnonzero(self._audible)
        self.mix[:] = 0.0
        if self.loud.size:
            rooms = self._room_of[self.loud]
            starts = np.flatnonzero(np.diff(rooms, prepend=-1))
            self.mix[rooms[starts]] = np.add.reduceat(heard[self.loud], starts, axis=0)
        return fits

    def others(self, rows: npt.NDArray[np.intp]) -> Frames:
        """
        What the owners of some rows hear: their room without themselves.
        """
        result: Frames = self.mix[self._room_of[rows]] - self.heard[rows]
        return result

    def voice(self, row: int) -> Frames:
        """
        What a stream adds to the mix, shape (samples,): nothing while it is silent or muted.
        """
        voice: Frames = self.heard[row] if self._audible[row] else np.zeros(self.samples, np.float32)
        return voice

    def turns(self) -> list[tuple[object, bool]]:
        """
        Whose talking has begun or ended with this frame, as (owner, whether it talks now).
        """
        if not self.activity.looked:
            return []
        before, self.talking = self.talking, self.activity.talking & self._open
        return [
            (self.owners[row], bool(self.talking[row]))
            for row in np.flatnonzero(before != self.talking)
            if self.owners[row] is not None
        ]


class Crossing:
    """
    Rooms with streams of two rates: what is heard at the one, for those who hear at the other.

    Only the sum of a room is converted, so that it costs the same however many are in it; and since everybody's own
    voice is taken away again at its own rate, exactly nothing of it comes back.
    """

    def __init__(self, source: Plane, target: Plane, rooms: Sequence[Hashable], before: Crossing | None = None) -> None:
        """
        Convert what is heard in some rooms.

        Args:
            source: Where it is heard.
            target: Where it is wanted.
            rooms: The rooms.
            before: The same until now.
        """
        self.rooms = list(rooms)
        self._source, self._target = source, target
        self._from = np.array([source.position[room] for room in rooms], np.intp)
        self._to = np.array([target.position[room] for room in rooms], np.intp)
        if before is None:
            self._polyphase = Polyphase(source.rate, target.rate, len(self.rooms))
        else:
            places = {room: place for place, room in enumerate(before.rooms)}
            self._polyphase = before._polyphase.keep([places.get(room, -1) for room in rooms])
        self._converted: Frames = np.zeros((len(self.rooms), target.samples), np.float32)

    def convert(self) -> None:
        """
        Convert this frame; before anything is added to what is heard at either rate.
        """
        self._converted = self._polyphase.convert(self._source.mix[self._from])

    def add(self) -> None:
        """
        Add it to what is heard.
        """
        self._target.mix[self._to] += self._converted


class Hiss:
    """
    Comfort noise at one rate, so that a room in which nobody talks does not seem dead.
    """

    def __init__(self, rate: int) -> None:
        self._frames = _hiss(rate)
        self._next = 0

    def frame(self) -> Frames:
        """
        The next 20 ms, shape (samples,).
        """
        self._next = (self._next + 1) % len(self._frames)
        frame: Frames = self._frames[self._next]
        return frame


@cache  # One entry a rate of the codecs we know.
def _hiss(rate: int) -> Frames:
    line = noise().astype(np.float32).reshape(1, -1)
    if rate != NOISE_RATE:
        # Its end joins its beginning, so the filter is filled with the end.
        polyphase = Polyphase(NOISE_RATE, rate, 1)
        polyphase.convert(line[:, -NOISE_RATE:])
        line = polyphase.convert(line)
    return line.reshape(-1, int(rate * TICK))
