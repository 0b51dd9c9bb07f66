"""
One who takes part in a conference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError, Deferred

from pbx.calls.record import stamp

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from pbx.media.room import Member
    from pbx.media.room_sound import PlayedSound

KEY: Final = 3600.0
"""Seconds for which a key is waited for at a time; then it is waited for again."""


class Attendee:
    """
    One who takes part, from the door to the last goodbye.

    Attributes:
        id: What the API knows it by.
        call_id: Its call, for the log.
        number: Its number; empty when it is not known.
        name: The name that goes with it.
        terminal: What it hears and presses.
        language: The language of its prompts.
        moderator: Whether it decides over the others.
        joined: When it came, in seconds of the wall clock.
        spoken_name: Its name as it said it, if it was asked for.
        member: Its place in the mix, once it has one.
        leaving: Why it goes: ``left``, ``kicked``, ``ended`` or ``moderator left``; empty while it stays.
    """

    def __init__(
        self,
        identifier: str,
        terminal: Any,
        *,
        call_id: str = "",
        number: str = "",
        name: str = "",
        language: str = "en",
        moderator: bool = False,
        joined: float = 0.0,
        spoken_name: PlayedSound | None = None,
    ) -> None:
        self.id = identifier
        self.call_id = call_id
        self.number = number
        self.name = name
        self.terminal = terminal
        self.language = language
        self.moderator = moderator
        self.joined = joined
        self.spoken_name = spoken_name
        self.member: Member | None = None
        self.leaving = ""
        self._waiting: Deferred[str] | None = None
        self._called = False

    @property
    def muted(self) -> bool:
        """
        Whether the others don't hear it.
        """
        return self.member is not None and self.member.muted

    def dismiss(self, reason: str) -> None:
        """
        Let it go, for a reason; the first one stays.
        """
        self.leaving = self.leaving or reason
        self.call()

    def call(self) -> None:
        """
        End what it waits for or hears now: something has changed for it.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._called = True
            waiting.cancel()

    async def key(self, seconds: float = KEY) -> str:
        """
        The next key it presses; nothing when that takes longer, or when it was called.
        """
        return await self._unless_called(self.terminal.digit(seconds))

    async def hear(self, *prompts: str, stop: str = "") -> str:
        """
        Let it hear prompts instead of the conference, unless it was called.

        Returns:
            The key that stopped them, or nothing.
        """
        return await self._unless_called(self._hear(prompts, stop))

    def shown(self) -> dict[str, Any]:
        """
        What the API says of it.
        """
        member = self.member
        return {
            "id": self.id,
            "number": self.number,
            "name": self.name,
            "call_id": self.call_id,
            "moderator": self.moderator,
            "joined": stamp(self.joined),
            "muted": self.muted,
            "talking": member is not None and member.talking,
            "level": round(member.level) if member is not None else None,
        }

    async def _hear(self, prompts: Iterable[str], stop: str) -> str:
        if self.member is not None:
            self.member.away = True
        try:
            key: str = await self.terminal.play(list(prompts), stop=stop)
        finally:
            if self.member is not None:
                self.member.away = False
        return key

    async def _unless_called(self, work: Coroutine[Any, Any, str]) -> str:
        self._called = False
        waiting = self._waiting = Deferred.fromCoroutine(work)
        try:
            return await waiting
        except CancelledError:
            # Cancelled from without, the caller has hung up: that goes on.
            if not self._called:
                raise
            return ""
        finally:
            if self._waiting is waiting:
                self._waiting = None
