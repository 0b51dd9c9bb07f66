"""
The one 20 ms tick that drives everything the PBX says itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

TICK: Final = 0.02
"""Seconds of sound in a frame."""

MAX_BEHIND: Final = 5
"""Frames sent at once at most when ticks were missed; what is further behind is left out."""


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
    Ticks as long as somebody plays.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._players: dict[Player, None] = {}
        self._ticking = False
        self._loop: LoopingCall = LoopingCall.withCount(self._tick)
        self._loop.clock = clock

    def __len__(self) -> int:
        return len(self._players)

    def start(self, player: Player) -> None:
        """
        Let a player send from now on.
        """
        self._players[player] = None
        if not self._loop.running:
            self._loop.start(TICK, now=True)

    def stop(self, player: Player) -> None:
        """
        Let a player send no more; one that does not play is ignored.
        """
        self._players.pop(player, None)
        self._rest()

    def _tick(self, count: int) -> None:
        now = self._clock.seconds()
        frames = min(count, MAX_BEHIND)
        self._ticking = True
        for player in list(self._players):
            try:
                player.tick(now, frames)
            except Exception:  # noqa: BLE001 - the others are to be heard, whatever is wrong with this one
                self.log.failure("{player} failed, and plays no more", player=player)
                self._players.pop(player, None)
        self._ticking = False
        self._rest()

    def _rest(self) -> None:
        # Within a tick somebody may yet begin to play; a LoopingCall must not be stopped and started in its own call.
        if not self._players and self._loop.running and not self._ticking:
            self._loop.stop()
