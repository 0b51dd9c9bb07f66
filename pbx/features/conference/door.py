"""
Who is let into a conference: PINs, and how often they may be guessed.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger

from pbx.features.asking import ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.directory.places import Room

TRIES: Final = 3
"""PINs that may be tried in one call."""

MAX_WRONG: Final = 9
"""Wrong PINs from one number for one room before it is not even asked any more."""

LOCKED_FOR: Final = 900.0
"""Seconds until it is asked again, from its latest wrong PIN: four digits take some weeks to guess then."""

MAX_GUESSERS: Final = 2_000
"""Numbers remembered for wrong PINs; past these the one that was wrong longest ago is forgotten."""

MOST_DIGITS: Final = 10
"""Digits of a PIN at most."""


class Guesses:
    """
    Who has tried wrong PINs, and how many.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        """
        Nobody has.

        Args:
            seconds: The clock.
        """
        self._seconds = seconds
        self._wrong: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def locked(self, room: str, number: str) -> bool:
        """
        Whether somebody has tried too often.
        """
        count, until = self._wrong.get((room, number), (0, 0.0))
        if self._seconds() >= until:
            self._wrong.pop((room, number), None)
            return False
        return count >= MAX_WRONG

    def wrong(self, room: str, number: str) -> None:
        """
        Note a wrong PIN.
        """
        count, until = self._wrong.pop((room, number), (0, 0.0))
        now = self._seconds()
        self._wrong[room, number] = (count + 1 if now < until else 1), now + LOCKED_FOR
        if len(self._wrong) > MAX_GUESSERS:
            self._wrong.popitem(last=False)

    def right(self, room: str, number: str) -> None:
        """
        Note that somebody knows the PIN.
        """
        self._wrong.pop((room, number), None)


class Door:
    """
    The way into a room.
    """

    log = Logger()

    def __init__(self, guesses: Guesses) -> None:
        self._guesses = guesses

    async def role(self, visit: Any, terminal: Any, room: Room) -> str:
        """
        Ask for the PIN, where there is one.

        Args:
            visit: The caller, an :class:`~pbx.calls.destination.IVisit`.
            terminal: What it hears and presses.
            room: The room.

        Returns:
            ``moderator``, ``participant``, or nothing when it is not let in; it was told then.
        """
        if room.pin is None and room.moderator_pin is None:
            return "participant"
        number = visit.caller.number
        for _ in range(TRIES):
            if self._guesses.locked(room.number, number):
                break
            pin = await ask(terminal, ["conf-enter-pin"], MOST_DIGITS)
            role = _role(room, pin)
            if role:
                self._guesses.right(room.number, number)
                return role
            if pin:
                self._guesses.wrong(room.number, number)
                self.log.warn(
                    "wrong PIN for conference {room} from {number} (call {call_id})",
                    room=room.number,
                    number=number or "anonymous",
                    call_id=visit.call_id,
                )
                visit.note(f"conference {room.number}: wrong PIN")
                await terminal.play(["conf-invalid-pin"])
        await terminal.play(["conf-too-many-tries"])
        return ""


def _role(room: Room, pin: str) -> str:
    # Both are compared, and each in the same time whatever it is.
    moderator = room.moderator_pin is not None and hmac.compare_digest(room.moderator_pin.encode(), pin.encode())
    participant = hmac.compare_digest((room.pin or "").encode(), pin.encode())
    return "moderator" if moderator else "participant" if participant else ""
