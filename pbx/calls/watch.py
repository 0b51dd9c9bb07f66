"""
The watch over silent legs: a phone that has vanished does not say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from pbx.calls.leg import LegState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.calls.leg import Leg
    from pbx.calls.tools import CallTools

PROBE_PATIENCE = 26.0
"""Seconds for the answer to a probe: with the time until silence is noticed, a lost call ends in 32 s at most."""

HELD_PROBE = 900.0
"""Seconds between two probes of a leg on hold, which has every right to be silent."""


class SilenceWatch:
    """
    Probes the legs of a call that have been silent for too long.

    Args:
        tools: What the call is built with.
    """

    log = Logger()

    def __init__(self, tools: CallTools) -> None:
        self._tools = tools
        self._probing: set[Leg] = set()
        self._probed: dict[Leg, float] = {}

    def look(self, legs: Iterable[Leg], now: float, on_lost: Callable[[Leg], object]) -> None:
        """
        Probe those that need it.

        Args:
            legs: The legs that the call has now.
            now: The time.
            on_lost: Called with a leg whose phone knows nothing of the call any more.
        """
        for leg in legs:
            if leg.audio is None or leg.state is not LegState.UP or leg in self._probing:
                continue
            heard = max(leg.audio.session.last_heard, self._probed.get(leg, 0.0))
            patience = self._tools.settings.silence_timeout if leg.expected else HELD_PROBE
            if now - heard >= patience:
                self._probing.add(leg)
                self._tools.tasks.start(self._probe(leg, on_lost), "probe a silent leg")

    async def _probe(self, leg: Leg, on_lost: Callable[[Leg], object]) -> None:
        try:
            session = leg.session
            alive = session is not None and await session.probe(PROBE_PATIENCE)
        finally:
            self._probing.discard(leg)
        if alive:
            self._probed[leg] = self._tools.core.clock.seconds()
        elif leg.state is LegState.UP:
            self.log.warn("{call_id}: media lost from {party}", call_id=leg.call, party=leg.party)
            on_lost(leg)
