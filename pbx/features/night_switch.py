"""
Night service: a star code closes the business by hand, whatever its hours say, and opens it again; a lamp shows which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from twisted.logger import Logger
from zope.interface import implementer

from pbx.calls.destination import IDestination
from pbx.features.asking import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pbx.calls.destination import IVisit
    from pbx.directory.directory import Directory
    from pbx.directory.plan import Plan, PlanBook
    from pbx.directory.switches import Switches
    from pbx.directory.time_condition import SwitchPosition

LONGEST = 8
"""Digits of a switch that are asked for at most."""

Move: TypeAlias = "Callable[[str, SwitchPosition, str], None]"
"""Moves the switch of a time condition to a position, and notes who did it."""


@implementer(IDestination)
class NightSwitch:
    """
    Serves callers that dialled the star code: the destination's target is the digits of the switch.

    Each call moves the switch over: from night service back to what the clock says, and from anything else to night
    service. Every extension that is enabled may do so: a phone that should not be able to is no phone of the house, and
    a code of ``null`` in the configuration takes it from all.

    Args:
        book: The plan, with its time conditions.
        switches: Where the switches stand.
        move: Moves one.
        directory: The extensions.
    """

    log = Logger()

    def __init__(self, book: PlanBook, switches: Switches, move: Move, directory: Directory) -> None:
        self._book = book
        self._switches = switches
        self._move = move
        self._directory = directory

    async def take(self, visit: IVisit) -> None:
        """
        Serve a caller.
        """
        terminal = await visit.answer()
        extension = self._directory.extension(visit.caller.number)
        if extension is None or not extension.enabled:
            visit.note(f"night switch: {visit.caller.number} is no extension")
            await terminal.play(["star-not-allowed"])
            return
        digits = visit.destination.target
        known = {each.switch for each in self._book.plan.conditions.values() if each.switch}
        if not digits:
            digits = known.pop() if len(known) == 1 else await ask(terminal, ["star-enter-number"], LONGEST)
        names = conditions(self._book.plan, digits)
        if not names:
            visit.note(f"night switch: no time condition has the switch {digits!r}")
            await terminal.play(["star-invalid-number"])
            return
        night = not is_night(names, self._switches)
        actor = f"extension {extension.number}"
        position: SwitchPosition = "night" if night else "auto"
        for name in names:
            self.log.info(
                "audit: {actor} move night switch {name} (position: {before!r} -> {position!r})",
                actor=actor, name=name, before=self._switches.get(name), position=position,
            )
            self._move(name, position, actor)
        visit.note(f"night switch: {extension.number} turned night service of {', '.join(names)} {_word(night)}")
        await terminal.play([f"star-night-{_word(night)}"])


class NightLamps:
    """
    The lamps of the night switches: each has the number that is dialled to move it, and shines in night service.

    Args:
        book: The plan.
        switches: Where the switches stand.
        star_codes: The features by their codes.
    """

    def __init__(self, book: PlanBook, switches: Switches, star_codes: Mapping[str, str]) -> None:
        self._book = book
        self._switches = switches
        self._code = _code(star_codes)
        self._listeners: list[Callable[[str], None]] = []
        switches.on_change(self._moved)
        book.on_change(self._plan_changed)

    def reconfigure(self, star_codes: Mapping[str, str]) -> None:
        """
        Have the numbers that are dialled now: the lamps of the others are no more.
        """
        before, self._code = self._code, _code(star_codes)
        if before is None or before == self._code:
            return
        for switch in sorted({each.switch for each in self._book.plan.conditions.values() if each.switch}):
            self._tell(before + switch)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, str) and bool(self._names(number))

    def lit(self, number: str) -> bool:
        """
        Whether it is night there.
        """
        return is_night(self._names(number), self._switches)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """
        Have ``listener(number)`` called whenever one changes, or is no more.
        """
        self._listeners.append(listener)

    def _names(self, number: str) -> list[str]:
        if self._code is None or not number.startswith(self._code):
            return []
        return conditions(self._book.plan, number.removeprefix(self._code))

    def _moved(self, name: str, before: SwitchPosition, after: SwitchPosition) -> None:
        condition = self._book.plan.conditions.get(name)
        if condition is not None and condition.switch and self._code is not None:
            self._tell(self._code + condition.switch)

    def _plan_changed(self, before: Plan, after: Plan) -> None:
        if before.conditions == after.conditions or self._code is None:
            return
        switches = {each.switch for plan in (before, after) for each in plan.conditions.values() if each.switch}
        for switch in sorted(switches):
            self._tell(self._code + switch)

    def _tell(self, number: str) -> None:
        for listener in self._listeners:
            listener(number)


def conditions(plan: Plan, digits: str) -> list[str]:
    """
    The names of the time conditions that a switch moves.
    """
    return [name for name, each in plan.conditions.items() if digits and each.switch == digits]


def is_night(names: list[str], switches: Switches) -> bool:
    """
    Whether all of them were switched to night service.
    """
    return bool(names) and all(switches.get(name, "auto") == "night" for name in names)


def _word(on: bool) -> str:
    return "on" if on else "off"


def _code(star_codes: Mapping[str, str]) -> str | None:
    return next((code for code, feature in star_codes.items() if feature == "night_switch"), None)
