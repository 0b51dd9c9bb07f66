"""
The keys of a telephone in a stream: taken from its events (RFC 4733), and sent as events, or as tones where the peer
knows no events.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from pbx.audio.codec import FRAMES_PER_SECOND
from pbx.audio.keypad import tone_of
from pbx.media.pacer import TICK
from pbx.media.speaking import Speaking
from pbx.rtp.telephone_event import DIGITS, TelephoneEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from pbx.media.session import RtpSession
    from pbx.sdp.audio import Format

END_LOST: Final = 0.2
"""Seconds without a report after which a key was let go: reports come every 50 ms at most (RFC 4733 2.5.1.2), so that
three of them in a row got lost."""

SEGMENT: Final = 0xFFFF
"""The longest duration that fits a report; a longer event goes on in a further segment (RFC 4733 2.5.1.3)."""

STALE: Final = 0x10000000
"""Timestamp units by which an event lies back so far that the sender began anew: over an hour at 48,000."""


class KeyReceiver:
    """
    Keys out of telephone events: each is told once, when it was let go.

    Every report tells the event from its start, so any of them may be missing: the first, the last, or all but one.
    """

    def __init__(self, clock: IReactorTime, on_key: Callable[[str, float], object]) -> None:
        """
        Expect the first event.

        Args:
            clock: The time, for an event whose end gets lost.
            on_key: Called with the key, and for how many seconds it was pressed.
        """
        self._clock = clock
        self._on_key = on_key
        self._event: TelephoneEvent | None = None
        self._start = -1
        self._rate = 8_000
        self._earlier = 0
        self._timeout: IDelayedCall | None = None

    def heard(self, timestamp: int, payload: bytes, rate: int) -> None:
        """
        Take the payload of a packet.

        Args:
            timestamp: When the event began: the same on all its packets.
            payload: The report.
            rate: Timestamp units a second.
        """
        try:
            report = TelephoneEvent.parse(payload)
        except ValueError:
            return
        if report.digit is None:
            # Hook flash, fax and modem tones are no keys.
            return
        current = self._event
        ahead = (timestamp - self._start) & 0xFFFFFFFF if self._start >= 0 else 1
        if ahead >= 0x80000000 and 0x100000000 - ahead < STALE:
            # Of an earlier event, overtaken by this one.
            return
        if ahead == 0:
            if current is None:
                # The end again: it is sent three times (RFC 4733 2.5.1.4).
                return
            if report.event == current.event and report.duration < current.duration and not report.end:
                # Overtaken by a later report.
                return
        elif current is not None:
            longest = self._start + current.duration
            if report.event == current.event and current.duration >= SEGMENT - rate and abs(
                (timestamp - longest + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            ) < rate:
                # RFC 4733 2.5.1.3: the same key, still pressed.
                self._earlier += (timestamp - self._start) & 0xFFFFFFFF
            else:
                # Its end got lost, and the next key is pressed.
                self._let_go()
        self._event, self._start, self._rate = report, timestamp, rate
        if report.end:
            self._let_go()
        elif self._timeout is None:
            self._timeout = self._clock.callLater(END_LOST, self._let_go)
        else:
            self._timeout.reset(END_LOST)

    def restart(self) -> None:
        """
        Another stream begins: what was pressed is let go, and its timestamps mean nothing any more.
        """
        if self._event is not None:
            self._let_go()
        self._start = -1

    def stop(self) -> None:
        """
        Forget what is pressed now.
        """
        self._event = None
        self._earlier = 0
        self._cancel()

    def _let_go(self) -> None:
        event, earlier = self._event, self._earlier
        self.stop()
        if event is not None and event.digit is not None:
            self._on_key(event.digit, (earlier + event.duration) / self._rate)

    def _cancel(self) -> None:
        timeout, self._timeout = self._timeout, None
        if timeout is not None and timeout.active():
            timeout.cancel()


class KeyListener:
    """
    Listens for the keys of a session whose sound is relayed.
    """

    def __init__(self, session: RtpSession, on_key: Callable[[str, float], object]) -> None:
        """
        Hear nothing before :meth:`start`.

        Args:
            session: Whose keys are to be heard: those whose payload type is not relayed.
            on_key: Called with each key, and for how many seconds it was pressed.
        """
        self.session = session
        self._receiver = KeyReceiver(session.clock, on_key)
        self._ssrc = -1

    def start(self) -> None:
        """
        Listen from now on, in place of whoever did.
        """
        self.session.listen(self)

    def stop(self) -> None:
        """
        Listen no more.
        """
        self._receiver.stop()
        if self.session.listener is self:
            self.session.listen(None)

    def heard(
        self, payload_type: int, marker: bool, sequence: int, timestamp: int, payload: bytes, now: float
    ) -> None:
        """
        Take a packet, as the session hands it over.
        """
        for item in self.session.agreed.receive:
            if item.payload_type == payload_type and item.is_telephone_event:
                if self._ssrc != self.session.incoming.ssrc:
                    self._ssrc = self.session.incoming.ssrc
                    self._receiver.restart()
                self._receiver.heard(timestamp, payload, item.clock)


ENDS: Final = 3
"""How often the end of an event is sent (RFC 4733 2.5.1.4)."""

PAUSE: Final = 3
"""Ticks between two keys: 40 ms are what a receiver may ask for (ITU-T Q.24), and one for where they fall."""

SHORTEST: Final = 40
"""Milliseconds of a key at least: shorter ones need not be recognised (ITU-T Q.24)."""

LONGEST: Final = 6_000
"""Milliseconds of a key at most: what fits into one event at 8,000 Hz is a little more."""

MOST_WAITING: Final = 64
"""Keys that wait to be sent at most: nobody dials more."""


class KeySender:
    """
    Presses keys on a session, one after another; what else is said on it is left out meanwhile.
    """

    def __init__(self, session: RtpSession) -> None:
        self.session = session
        self._waiting: deque[tuple[str, int]] = deque()
        self._steps: Iterator[None] | None = None
        self._voice: Speaking | None = None
        self._now = 0.0

    @property
    def busy(self) -> bool:
        """
        Whether a key is being pressed.
        """
        return self._steps is not None

    def send(self, digit: str, milliseconds: int = 160) -> None:
        """
        Press a key, once those before it are done.

        Args:
            digit: One of ``0123456789*#ABCD``.
            milliseconds: How long; between :data:`SHORTEST` and :data:`LONGEST`.

        Raises:
            ValueError: There is no such key.
        """
        if len(digit) != 1 or digit.upper() not in DIGITS:
            raise ValueError(f"no telephone key {digit!r}")
        if self.session.closed or len(self._waiting) >= MOST_WAITING:
            return
        ticks = round(min(LONGEST, max(SHORTEST, milliseconds)) / 1000 / TICK)
        self._waiting.append((digit.upper(), ticks))
        if self._steps is None:
            self._steps = self._press_all()
            self.session.outgoing.hush()
            self.session.pacer.start(self)

    def stop(self) -> None:
        """
        Let go, and press nothing more.
        """
        self._waiting.clear()
        if self._steps is not None:
            self._steps = None
            self.session.pacer.stop(self)
            self.session.outgoing.unhush()

    def tick(self, now: float, frames: int) -> None:
        """
        Send what is due.
        """
        for _ in range(frames):
            if self._steps is None:
                return
            self._now = now
            if self.session.closed or next(self._steps, "over") == "over":
                self.stop()

    def _press_all(self) -> Iterator[None]:
        """
        One step a tick.
        """
        while self._waiting:
            digit, ticks = self._waiting.popleft()
            events = self._events()
            if events is None:
                yield from self._sound(digit, ticks)
            else:
                yield from self._report(events, digit, ticks)
                for _ in range(PAUSE):
                    yield

    def _events(self) -> Format | None:
        send = self.session.agreed.send
        codec = self.session.agreed.codec
        events = [item for item in send if item.is_telephone_event]
        # RFC 4733 2.1: they share the codec's timestamps; with another clock is better than not at all.
        fitting = [item for item in events if codec is not None and item.clock == codec.clock]
        return next(iter(fitting or events), None)

    def _report(self, events: Format, digit: str, ticks: int) -> Iterator[None]:
        step = events.clock // FRAMES_PER_SECOND
        outgoing = self.session.outgoing
        for number in range(ticks + ENDS - 1):
            duration = min(number + 1, ticks) * step
            report = TelephoneEvent.of_digit(digit, min(duration, SEGMENT), end=number + 1 >= ticks)
            outgoing.send_event(events.payload_type, report.to_bytes(), self._now, first=number == 0)
            yield

    def _sound(self, digit: str, ticks: int) -> Iterator[None]:
        # One voice for all keys: G.722 and Opus go by what they said before.
        speaking = self._voice = self._voice or Speaking(self.session)
        rate = speaking.rate
        size = rate // FRAMES_PER_SECOND
        # The pause is sent too: who conceals losses would let the tone go on.
        tone = np.concatenate((tone_of(digit, ticks * TICK, rate), np.zeros(PAUSE * size, np.int16)))
        for number in range(ticks + PAUSE):
            if speaking.rate != rate:
                # Another codec in the middle of a key: its end is lost.
                return
            # Of all that is said, this alone.
            self.session.outgoing.hushed = False
            speaking.say(tone[number * size : (number + 1) * size], self._now)
            self.session.outgoing.hushed = True
            yield
