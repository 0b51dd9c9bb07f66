"""
Menus: the auto attendant, which plays a greeting and goes where the caller's keys say.

A menu is a value (:class:`~pbx.directory.places.Menu`). Menus nest by naming each other as destinations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.directory.places import Choice, Menu
from pbx.features.asking import KEYS

if TYPE_CHECKING:
    from pbx.calls.destination import IVisit
    from pbx.directory.directory import Directory
    from pbx.directory.places import Places
    from pbx.media.terminal import Terminal

BETWEEN = 2.0
"""Seconds to wait for another key when what was pressed may be the beginning of a number."""

MOST_ROUNDS = 50
"""How often a menu is played to one caller that keeps pressing keys: a device that answers itself must end."""


@implementer(IDestination)
class Menus:
    """
    Serves the callers of every menu.

    Args:
        places: Where the menus are.
        directory: The extensions that may be dialled.
    """

    def __init__(self, places: Places, directory: Directory) -> None:
        self._places = places
        self._directory = directory

    async def take(self, visit: IVisit) -> Destination | None:
        """
        Play a menu to a caller until it leads somewhere.
        """
        number = visit.destination.target
        menu = self._places.place(number)
        if not isinstance(menu, Menu):
            visit.note(f"there is no menu {number} any more")
            visit.refuse(404, 1, "Unallocated number")
            return None
        terminal = await visit.answer()
        if menu.language is not None:
            visit.language = menu.language
        visit.note(f"menu {number}: {menu.name} is played")
        return await self._served(menu, visit, terminal)

    async def _served(self, menu: Menu, visit: IVisit, terminal: Terminal) -> Destination | None:
        in_vain = 0
        before: tuple[str, ...] = ()
        for _ in range(MOST_ROUNDS):
            pressed = await self._keys(menu, terminal, before)
            choice = _choice(menu, pressed)
            if choice is not None:
                visit.note(f"menu {menu.number}: the caller pressed {pressed}: {_said(choice)}")
                if choice.language is not None:
                    visit.language = choice.language
                if choice.destination is not None:
                    return choice.destination
                in_vain, before = 0, ()
                continue
            if menu.direct_dial and self._can_be_dialled(pressed):
                visit.note(f"menu {menu.number}: the caller dialled {pressed}")
                return Destination("extension", pressed)
            in_vain += 1
            what = f"pressed {pressed}, which is no choice" if pressed else f"pressed nothing for {menu.timeout} s"
            visit.note(f"menu {menu.number}: the caller {what} ({in_vain} of {menu.tries})")
            before = ("ivr-invalid",) if pressed else ("ivr-no-input",)
            if in_vain >= menu.tries:
                return await self._given_up(menu, visit, terminal, pressed)
        return await self._given_up(menu, visit, terminal, "too much")

    async def _given_up(self, menu: Menu, visit: IVisit, terminal: Terminal, pressed: str) -> Destination | None:
        further = menu.on_invalid if pressed else menu.on_timeout
        if further is not None:
            visit.note(f"menu {menu.number}: given up, on to {_shown(further)}")
            return further
        visit.note(f"menu {menu.number}: given up, goodbye")
        await terminal.play(["ivr-goodbye"])
        return None

    async def _keys(self, menu: Menu, terminal: Terminal, before: tuple[str, ...]) -> str:
        """
        What the caller presses during the greeting or behind it: as many keys as still may be the beginning of
        something.
        """
        pressed = await terminal.play([*before, *menu.greeting], stop=KEYS) or await terminal.digit(menu.timeout)
        while pressed and self._may_go_on(menu, pressed):
            key = await terminal.digit(BETWEEN)
            if key == "" or (key == "#" and not _begins(menu, pressed + key)):
                break
            pressed += key
        return pressed

    def _may_go_on(self, menu: Menu, pressed: str) -> bool:
        if any(choice.key != pressed for choice in menu.choices if choice.key.startswith(pressed)):
            return True
        return menu.direct_dial and self._directory.is_beginning(pressed)

    def _can_be_dialled(self, number: str) -> bool:
        extension = self._directory.extension(number)
        return extension is not None and extension.enabled


def _begins(menu: Menu, pressed: str) -> bool:
    return any(choice.key.startswith(pressed) for choice in menu.choices)


def _choice(menu: Menu, pressed: str) -> Choice | None:
    return next((choice for choice in menu.choices if choice.key == pressed), None)


def _said(choice: Choice) -> str:
    language = "" if choice.language is None else f"language {choice.language}"
    where = "the menu again" if choice.destination is None else _shown(choice.destination)
    return f"{language}, {where}" if language else where


def _shown(destination: Destination) -> str:
    return f"{destination.kind.replace('_', ' ')} {destination.target}".rstrip()
