"""
Star codes: an extension switches how its calls are handled, and hears what it has switched.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from zope.interface import Interface, implementer

from pbx.audio.phrases import phrases
from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.directory.handling import ANONYMOUS, MOST_BLOCKED, MOST_SIMULTANEOUS, FollowMe
from pbx.features.asking import ask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pbx.calls.destination import IVisit
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.media.terminal import Terminal

TRIES = 3
"""How often a number is asked for."""

LONGEST = 20
"""Digits of a number at most."""

FOLLOW_AFTER = 10
"""Seconds until the number of follow me begins to ring: enough to reach one's own phone."""

SHORTEST_RINGING = 5
LONGEST_RINGING = 170
"""Seconds that a phone may ring: Timer C (RFC 3261 16.6) ends an INVITE after 180."""

FORWARDS: Final = {
    "forward_always": "star-forward-always",
    "forward_busy": "star-forward-busy",
    "forward_no_answer": "star-forward-no-answer",
    "forward_unregistered": "star-forward-unregistered",
}
"""What is said when a forward is set, in front of the number; with ``-off`` behind it when it is not any more."""

SWITCHES: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    **{f"{name}_off": ({name: None}, f"{prompt}-off") for name, prompt in FORWARDS.items()},
    "dnd_on": ({"dnd": True}, "star-dnd-on"),
    "dnd_off": ({"dnd": False}, "star-dnd-off"),
    "follow_me_off": ({"follow_me": ()}, "star-follow-me-off"),
    "simultaneous_off": ({"simultaneous": ()}, "star-simultaneous-off"),
}
"""The features that need no number: what they change, and what is said."""

_is_telephone_number = re.compile(r"\+?[0-9]{2,20}").fullmatch


class NotChangedError(Exception):
    """
    How an extension is handled could not be changed: the database is away, or the extension.
    """


class IHandling(Interface):
    """
    Where it is kept how extensions are handled.
    """

    async def change(number: str, **changes: Any) -> None:  # noqa: N805
        """
        Change some attributes of an extension's :class:`~pbx.directory.handling.Handling`.

        The next call to the extension is handled so when this returns.

        Raises:
            NotChangedError: It could not be kept.
        """


@frozen
class _Asked:
    """
    One caller with one wish.
    """

    visit: IVisit
    terminal: Terminal
    extension: Extension
    argument: str


@implementer(IDestination)
class StarCodes:
    """
    Serves callers that dialled a star code: the destination's target is the feature, its argument what followed.

    Args:
        directory: The extensions as they are.
        handling: An :class:`IHandling`.
        exists: Tells whether a number of the house can be called, so that no call is forwarded to nowhere.
        fault: Why an extension can't have its calls sent to another number, empty when it can; ``None`` where there are
            no others.
    """

    def __init__(
        self,
        directory: Directory,
        handling: Any,
        exists: Callable[[str], bool],
        fault: Callable[[str, str], str] | None = None,
    ) -> None:
        self._directory = directory
        self._handling = handling
        self._exists = exists
        self._fault = fault
        self._with_argument: dict[str, Callable[[_Asked], Awaitable[Destination | None]]] = {
            **{f"{name}_on": self._forward for name in FORWARDS},
            "follow_me_on": self._follow_me,
            "simultaneous_on": self._simultaneous,
            "no_answer_timeout": self._ringing,
            "block": self._block,
            "unblock": self._unblock,
            "pickup": self._pickup,
        }

    async def take(self, visit: IVisit) -> Destination | None:
        """
        Serve a caller.
        """
        feature = visit.destination.target
        terminal = await visit.answer()
        extension = self._directory.extension(visit.caller.number)
        if extension is None or not extension.enabled:
            visit.note(f"star code {feature}: {visit.caller.number} is no extension")
            await terminal.play(["star-not-allowed"])
            return None
        asked = _Asked(visit, terminal, extension, visit.destination.argument)
        try:
            if feature in SWITCHES:
                changes, prompt = SWITCHES[feature]
                await self._change(asked, changes, [prompt])
            elif feature in self._with_argument:
                return await self._with_argument[feature](asked)
            else:
                visit.note(f"star code {feature}: there is no such feature")
                await terminal.play(["star-not-available"])
        except NotChangedError as error:
            visit.note(f"star code {feature}: nothing was changed: {error}")
            await terminal.play(["star-failed"])
        return None

    # The features

    async def _forward(self, asked: _Asked) -> None:
        number = await self._number(asked)
        if number:
            name = asked.visit.destination.target.removesuffix("_on")
            await self._change(asked, {name: number}, [FORWARDS[name], *_telephone(asked, number)])

    async def _follow_me(self, asked: _Asked) -> None:
        number = await self._number(asked, to_be_rung=True)
        if number:
            step = FollowMe(number, FOLLOW_AFTER)
            await self._change(asked, {"follow_me": (step,)}, ["star-follow-me", *_telephone(asked, number)])

    async def _simultaneous(self, asked: _Asked) -> None:
        number = await self._number(asked, to_be_rung=True)
        if number:
            others = [other for other in asked.extension.handling.simultaneous if other != number]
            numbers = (*others, number)[-MOST_SIMULTANEOUS:]
            said = ["star-simultaneous", *(part for each in numbers for part in _telephone(asked, each))]
            await self._change(asked, {"simultaneous": numbers}, said)

    async def _ringing(self, asked: _Asked) -> None:
        def allowed(pressed: str) -> bool:
            return pressed.isdigit() and (
                int(pressed) == 0 or SHORTEST_RINGING <= int(pressed) <= LONGEST_RINGING
            )

        pressed = await self._argument(asked, "star-enter-seconds", allowed)
        if pressed and int(pressed) == 0:
            await self._change(asked, {"no_answer_timeout": None}, ["star-no-answer-timeout-usual"])
        elif pressed:
            said = ["star-no-answer-timeout", *phrases(asked.visit.language).duration(int(pressed))]
            await self._change(asked, {"no_answer_timeout": int(pressed)}, said)

    async def _block(self, asked: _Asked) -> None:
        entry = _entry(await self._argument(asked, "star-enter-number", _can_be_blocked))
        if not entry:
            return
        blocked = asked.extension.handling.blocked
        if entry not in blocked:
            if len(blocked) >= MOST_BLOCKED:
                raise NotChangedError(f"the block list has {MOST_BLOCKED} entries already")
            blocked = (*blocked, entry)
        said = "star-anonymous-blocked" if entry == ANONYMOUS else "star-number-blocked"
        await self._change(asked, {"blocked": blocked}, [said])

    async def _unblock(self, asked: _Asked) -> None:
        entry = _entry(await self._argument(asked, "star-enter-number", _can_be_blocked))
        if not entry:
            return
        blocked = asked.extension.handling.blocked
        if entry not in blocked:
            asked.visit.note(f"{entry} was not on the block list")
            await asked.terminal.play(["star-not-changed"])
            return
        said = "star-anonymous-allowed" if entry == ANONYMOUS else "star-number-unblocked"
        await self._change(asked, {"blocked": tuple(each for each in blocked if each != entry)}, [said])

    async def _pickup(self, asked: _Asked) -> Destination | None:
        number = await self._argument(asked, "star-enter-extension", str.isdigit)
        return Destination("pickup", number) if number else None

    # Inside

    async def _change(self, asked: _Asked, changes: Mapping[str, Any], said: list[str]) -> None:
        await self._handling.change(asked.extension.number, **changes)
        words = ", ".join(f"{name} is {value!r}" for name, value in changes.items())
        asked.visit.note(f"star code {asked.visit.destination.target}: {asked.extension.number}'s {words}")
        await asked.terminal.play(said)

    async def _number(self, asked: _Asked, *, to_be_rung: bool = False) -> str:
        """
        A number to send calls to, or one that can be rung together with the extension; empty when none came.
        """
        own = asked.extension.number

        def allowed(number: str) -> bool:
            if number == own or not _is_telephone_number(number):
                return False
            if self._exists(number):
                # A place, such as a menu, has no phone that could ring with others.
                return not to_be_rung or number in self._directory
            if self._fault is None:
                return False
            fault = self._fault(number, own)
            if fault:
                asked.visit.note(f"{own}'s calls can't be sent to {number}: {fault}")
            return not fault

        return await self._argument(asked, "star-enter-number", allowed)

    async def _argument(self, asked: _Asked, prompt: str, allowed: Callable[[str], bool]) -> str:
        """
        What was dialled behind the code, else what the caller is asked for; empty when nothing good came.
        """
        given, said = asked.argument, [prompt]
        for _ in range(TRIES + 1 if asked.argument else TRIES):
            given = given or await ask(asked.terminal, said, LONGEST)
            if not given:
                break
            if allowed(given):
                return given
            asked.visit.note(f"star code {asked.visit.destination.target}: {given!r} can't be used")
            given, said = "", ["star-invalid-number", prompt]
        await asked.terminal.play(["star-not-changed"])
        return ""


def _telephone(asked: _Asked, number: str) -> list[str]:
    return phrases(asked.visit.language).telephone(number)


def _can_be_blocked(pressed: str) -> bool:
    # A star alone stands for callers who do not say who they are; behind digits, for whatever begins so.
    return pressed == "*" or bool(_is_telephone_number(pressed.removesuffix("*")))


def _entry(pressed: str) -> str:
    return ANONYMOUS if pressed == "*" else pressed
