"""
The jitter buffer: packets as the network brings them, put in order and held back as long as it takes.

How long is learnt from the packets: how much later than the quickest of the last seconds each comes (its relative
delay), and from that the delay that all but a few of them keep. It reads no clock and decodes nothing: who plays asks
for the next packet when its sound is used up, conceals when there is none, and tells how much it played.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LEAST: Final = 0.02
"""Seconds that packets are held back at least: they may come right after a tick."""

MOST: Final = 0.2
"""Seconds that they are held back at most: with more, people talk into each other's words (ITU-T G.114)."""

FIRST: Final = 0.03
"""Seconds to begin with, until enough is known."""

ENOUGH: Final = 25
"""Packets by which something is known."""

LATE: Final = 0.02
"""The part of the packets that may come too late: a loss of 2 % is hardly heard when it is concealed."""

BIN: Final = 0.01
"""Seconds by which relative delays are told apart."""

BINS: Final = int(MOST / BIN) + 1
"""Kinds of them; the last are those that are later than can be waited for."""

WINDOW: Final = 4.0
"""Seconds for which packets are remembered, and the same again."""

SLACK: Final = 0.03
"""Seconds of delay too many that are put up with: a network that is calm from the beginning is never played faster."""

LACK: Final = 0.01
"""Seconds too few that are."""

SILENCE: Final = 0.06
"""Seconds without sound after which one can wait without being heard: what was concealed has faded out."""

TOGETHER: Final = 0.002
"""Seconds between two packets that are no gap: some phones round their timestamps."""

HALF_A_TICK: Final = 0.011
"""Seconds that a gap may be concealed too short: what is made up ends with a tick, the gap does not."""

LONGEST_SPAN: Final = 0.3
"""Seconds of sound that are held at most; when the network was stuck and gives all at once, the oldest is left out."""

MOST_PACKETS: Final = 64
"""Packets that are held at most, whatever their timestamps say."""

ASTRAY: Final = 1.0
"""Seconds by which a packet's time differs from the others' when the sender began anew."""


class Entry(NamedTuple):
    """
    A packet whose turn it is.

    Attributes:
        payload_type: Its payload type.
        payload: What the codec made.
        joined: Whether its sound follows what was played before it without a gap.
    """

    payload_type: int
    payload: bytes
    joined: bool


class Delays:
    """
    How late packets come, over the last seconds: two windows, of which the older is dropped when the newer is full.

    Attributes:
        target: The delay that all but a few keep, in seconds, with :data:`LEAST` and :data:`MOST`.
        floor: The transit time of the quickest: arrival less timestamp, in seconds.
    """

    def __init__(self) -> None:
        self.target = FIRST
        self.floor = 0.0
        self.restart(0.0)
        self._began = float("-inf")

    def restart(self, now: float) -> None:
        """
        Forget all but the target: the sender's times have changed.
        """
        self._began = now
        self._floors = [float("inf"), float("inf")]
        self._counts, self._older = [0] * BINS, [0] * BINS
        self._total = self._older_total = 0

    def note(self, transit: float, now: float) -> None:
        """
        Take a packet's transit time into account.
        """
        if now - self._began >= WINDOW:
            self._turn(now)
        if transit < self._floors[0]:
            # The first of a window always is: where the clocks drift apart, the floor rises then.
            self._floors[0] = transit
            self.floor = min(self._floors)
        later = int((transit - self.floor) / BIN)
        self._counts[later if later < BINS else BINS - 1] += 1
        self._total += 1
        if (later + 1) * BIN > self.target or self._total % 10 == 0:
            self._aim()

    def _turn(self, now: float) -> None:
        if now - self._began >= 2 * WINDOW:
            # Nothing came for long: the clocks have drifted apart since, and the older window too is old.
            self.restart(now)
        self._began = now
        self._floors = [float("inf"), self._floors[0]]
        self._older, self._counts = self._counts, [0] * BINS
        self._older_total, self._total = self._total, 0

    def _aim(self) -> None:
        total = self._total + self._older_total
        if total < ENOUGH:
            return
        allowed = total * LATE
        late = 0
        needed = 1
        for bin_number in range(BINS - 1, 0, -1):
            late += self._counts[bin_number] + self._older[bin_number]
            if late > allowed:
                needed = bin_number + 1
                break
        self.target = min(MOST, max(LEAST, needed * BIN))


class JitterBuffer:
    """
    The packets of one stream that wait for their turn.

    Attributes:
        clock: Timestamp units a second.
        late: Packets that came when their turn was over.
        duplicates: Packets that came twice.
        skipped: Packets left out because too many waited.
    """

    def __init__(self, clock: int) -> None:
        self.clock = clock
        self.late = self.duplicates = self.skipped = 0
        self._delays = Delays()
        self._packets: dict[int, tuple[int, bytes]] = {}
        self._newest: int | None = None
        self._next: int | None = None
        self._duration = int(0.02 * clock)
        self._playing = 0
        self._concealed = 0.0
        self._levels = _Lowest()

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def target(self) -> float:
        """
        Seconds that packets are to be held back.
        """
        return self._delays.target

    @property
    def span(self) -> float:
        """
        Seconds of sound from what is to be played next to the newest packet's end.
        """
        if self._newest is None:
            return 0.0
        start = min(self._packets, default=self._newest + self._duration) if self._next is None else self._next
        return max(0, self._newest + self._duration - start) / self.clock

    def restart(self) -> None:
        """
        Forget what waits and where it stood: another stream begins.
        """
        self._packets.clear()
        self._newest = self._next = None
        self._delays.restart(float("-inf"))

    def put(self, timestamp: int, payload_type: int, payload: bytes, now: float) -> bool:
        """
        Take a packet as it comes.

        Args:
            timestamp: Its RTP timestamp.
            payload_type: Its payload type.
            payload: What the codec made.
            now: When it came, in seconds of a steady clock.

        Returns:
            Whether it is in time to be played.
        """
        newest = self._newest
        if newest is None:
            place = timestamp
        else:
            place = newest + ((timestamp - newest + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            if abs(now - place / self.clock - self._delays.floor) > ASTRAY:
                # A sender that began its timestamps anew, or that stood still while it was silent.
                self.restart()
                newest = None
        self._delays.note(now - place / self.clock, now)
        if newest is None or place > newest:
            self._newest = place
        if self._next is not None and place < self._next - TOGETHER * self.clock:
            self.late += 1
            return False
        if place in self._packets:
            self.duplicates += 1
            return False
        self._packets[place] = payload_type, payload
        if len(self._packets) > MOST_PACKETS:
            self._skip_one()
        return True

    def take(self, now: float, ready: float = 0.0) -> Entry | None:
        """
        The next packet if its turn has come; ``None`` while one has to conceal.

        Args:
            now: The time.
            ready: Seconds of sound that are decoded already and played before it.
        """
        packets, clock = self._packets, self.clock
        if not packets:
            return None
        first = min(packets)
        held = now + ready - self._delays.floor - first / clock
        if self._next is None:
            gap = 0.0
            if held < self.target:
                return None
        else:
            gap = (first - self._next) / clock
            # After silence one waits as long as the packets' jitter asks for. Over a gap, until what is missing has
            # been made up, but no longer than the delay is meant to be.
            if self._concealed >= SILENCE and held < self.target:
                return None
            if gap > TOGETHER and self._concealed < gap - HALF_A_TICK and held < self.target + SLACK:
                return None
        if self._waiting(first) > LONGEST_SPAN + self._duration / clock:
            while len(packets) > 1 and self._waiting(first) > self.target:
                first = self._skip_one()
            gap = LONGEST_SPAN
        payload_type, payload = packets.pop(first)
        joined = self._next is not None and gap <= TOGETHER and not self._concealed
        self._playing = first
        self._next = first + self._duration
        self._concealed = 0.0
        return Entry(payload_type, payload, joined)

    def played(self, seconds: float) -> None:
        """
        Note how long the sound of the packet last taken is.
        """
        self._duration = round(seconds * self.clock)
        self._next = self._playing + self._duration

    def concealed(self, seconds: float) -> None:
        """
        Note that so much was made up because there was no packet.
        """
        self._concealed += seconds

    def surplus(self, now: float, ready: float) -> float:
        """
        Seconds of sound to be left out, or below zero: to be added, so that the delay becomes what it is meant to be.

        Args:
            now: The time.
            ready: Seconds of sound that are decoded already, that of this tick among them.
        """
        if self._next is None or self._concealed:
            return 0.0
        held = now + ready - self._delays.floor - self._next / self.clock
        if held < self.target - LACK:
            return held - self.target
        # What would still be there at the next tick if nothing came until then.
        spare = self._levels.note(self.span + ready - LEAST)
        return max(0.0, min(held - self.target, spare)) if held > self.target + SLACK else 0.0

    def _waiting(self, first: int) -> float:
        """
        Seconds of sound from a packet on.
        """
        return ((self._newest or 0) + self._duration - first) / self.clock

    def _skip_one(self) -> int:
        """
        Leave out the oldest packet; the oldest then.
        """
        del self._packets[min(self._packets)]
        self.skipped += 1
        first = min(self._packets)
        if self._next is not None:
            self._next = first
        return first


class _Lowest:
    """
    The lowest of the last numbers: of the last :data:`KEPT` at least, of twice as many at most.
    """

    KEPT: Final = 10

    def __init__(self) -> None:
        self._count = 0
        self._now = self._before = float("inf")

    def note(self, number: float) -> float:
        """
        Take a number; the lowest with it.
        """
        if self._count == self.KEPT:
            self._count, self._before, self._now = 0, self._now, float("inf")
        self._count += 1
        self._now = min(self._now, number)
        return min(self._now, self._before)
