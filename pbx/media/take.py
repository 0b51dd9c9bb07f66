"""
A leg recorded: heard frame by frame into a file, until something ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pbx.audio.pauses import Pauses
from pbx.audio.resampling import Resampler
from pbx.media.pacer import TICK

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.media.hearing import Hearing
    from pbx.media.recorder import Recorder

TAIL: Final = 0.3
"""Seconds kept after the last speech: a word's end is softer than its middle."""

KEY_EDGE: Final = 0.06
"""Seconds before and after a key's tone that are cut off with it."""


class Take:
    """
    One recording of what a leg says, with the pacer.
    """

    def __init__(
        self,
        hearing: Hearing,
        recorder: Recorder,
        *,
        longest: float,
        silence: float | None,
        on_end: Callable[[str], object],
    ) -> None:
        """
        Record nothing before the first tick.

        Args:
            hearing: The leg.
            recorder: Where it goes.
            longest: Seconds after which it ends.
            silence: Seconds without a word after which it ends; ``None`` for never.
            on_end: Called with ``length`` or ``silence``.
        """
        self._hearing = hearing
        self._recorder = recorder
        self._longest = round(longest / TICK)
        self._silence = None if silence is None else round(silence / TICK)
        self._on_end = on_end
        self._pauses = Pauses()
        self._resampler: Resampler | None = None

    def seconds(self, key: float = 0.0) -> float:
        """
        How much is worth keeping: all but the silence at its end; nothing when nobody spoke.

        Args:
            key: Seconds of a key's tone at its end, which is not to be heard.
        """
        pauses = self._pauses
        if not pauses.spoken:
            return 0.0
        whole = pauses.frames * TICK
        if key:
            whole = max(0.0, whole - key - 2 * KEY_EDGE)
        return min(whole, pauses.spoken * TICK + TAIL)

    def tick(self, now: float, frames: int) -> None:
        """
        Hear the frames that are due.
        """
        recorder, pauses = self._recorder, self._pauses
        for _ in range(frames):
            rate = self._hearing.rate
            frame = self._hearing.frame()
            if rate != recorder.rate:
                # Another codec was agreed in the middle.
                if self._resampler is None or self._resampler.source != rate:
                    self._resampler = Resampler(rate, recorder.rate)
                frame = self._resampler.convert(frame)
            recorder.write(frame)
            pauses.hear(frame)
            if pauses.frames >= self._longest:
                self._on_end("length")
                return
            if self._silence is not None and pauses.silent >= self._silence:
                self._on_end("silence")
                return
