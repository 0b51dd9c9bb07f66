"""
The one 20 ms tick that drives everything the PBX says itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

TICK: Final = 0.02
"""Seconds of sound in a frame."""

MAX_BEHIND: Final = 5
"""Frames sent at once at most when ticks were missed; what is further behind is left out."""

ROUNDING: Final = 1e-3
"""Part of a tick by which sums of fractions may be off."""


class Player(Protocol):
    """
    What has a frame to send at every tick.
    """

    def tick(self, now: float, frames: int) -> None:
        """
        Send the frames that are due: one, or more after missed ticks.
        """


class Pacer:
    """
    Ticks as long as somebody plays: at once when the first begins, and then every 20 ms of the time that has gone by.
    """

    # Not a LoopingCall.withCount: begun again after a rest, that counts the rest as missed ticks.

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._players: dict[Player, None] = {}
        self._ticking = False
        self._call: IDelayedCall | None = None
        self._due = float("-inf")

    def __len__(self) -> int:
        return len(self._players)

    def start(self, player: Player) -> None:
        """
        Let a player send from now on.
        """
        self._players[player] = None
        if self._call is None and not self._ticking:
            now = self._clock.seconds()
            if self._due <= now:
                self._due = now
                self._tick()
            else:
                # The last frame of whoever stopped just now is still being heard.
                self._call = self._clock.callLater(self._due - now, self._tick)

    def stop(self, player: Player) -> None:
        """
        Let a player send no more; one that does not play is ignored.
        """
        self._players.pop(player, None)
        if not self._players and self._call is not None:
            self._call.cancel()
            self._call = None

    def _tick(self) -> None:
        self._call = None
        now = self._clock.seconds()
        missed = max(0, int((now - self._due) / TICK + ROUNDING))
        self._due += (missed + 1) * TICK
        frames = min(missed + 1, MAX_BEHIND)
        self._ticking = True
        for player in list(self._players):
            try:
                player.tick(now, frames)
            except Exception:  # noqa: BLE001 - the others are to be heard, whatever is wrong with this one
                self.log.failure("{player} failed, and plays no more", player=player)
                self._players.pop(player, None)
        self._ticking = False
        if self._players:
            self._call = self._clock.callLater(max(0.0, self._due - self._clock.seconds()), self._tick)
