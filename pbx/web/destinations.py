"""
Destinations in the bodies of requests, and what the API knows of the numbers they name.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pbx.directory.decision import Destination
from pbx.directory.forwarding import forwarding_fault
from pbx.directory.plan import NO_PLAN
from pbx.directory.plan_uses import users_of_number
from pbx.ops.section import printable
from pbx.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from pbx.directory.directory import Directory
    from pbx.directory.places import Place, Places
    from pbx.directory.plan import Plan
    from pbx.directory.situation import Situation

PLACES = ("ring_group", "menu", "conference")
"""The kinds whose target is the number of a place."""

BEYOND = "number"
"""The kind of a number beyond the house, whose argument is the extension that answers for the call."""

is_dialled = re.compile(r"\+?[0-9]{2,20}").fullmatch

Target = Annotated[str, Meta(max_length=100, description="text of up to 100 characters", extra={"check": printable})]


class DestinationBody(msgspec.Struct, frozen=True):
    """
    Where callers go.
    """

    kind: Literal[
        "extension", "ring_group", "menu", "conference", "voicemail", "mailbox", "announcement", "directory",
        "external", "hangup",
    ]
    target: Target = ""
    argument: Target = ""

    def value(self) -> Destination:
        """
        The value that the dialplan knows.
        """
        return Destination(BEYOND if self.kind == "external" else self.kind, self.target, self.argument)


def shown_destination(destination: Destination | None) -> dict[str, Any] | None:
    """
    What the API says of a destination.
    """
    if destination is None:
        return None
    kind = "external" if destination.kind == BEYOND else destination.kind
    shown = {"kind": kind, "target": destination.target}
    return shown if not destination.argument else {**shown, "argument": destination.argument}


def shown_place(place: Place) -> str:
    """
    A place as a person would call it: ``ring group 600 (Sales)``.
    """
    return f"{place.kind.replace('_', ' ')} {place.number} ({place.name})"


class Numbers:
    """
    Every number that can be called, and who leads there.

    Args:
        directory: The extensions.
        places: The places.
        mailboxes: The numbers of shared mailboxes.
        plan: Gives the plan, whose inbound routes lead to numbers as well.
        situation: What the dialplan looks at, for numbers beyond the house; ``None`` where none can be called.
    """

    def __init__(
        self,
        directory: Directory,
        places: Places,
        mailboxes: Container[str] = frozenset(),
        plan: Callable[[], Plan] = lambda: NO_PLAN,
        situation: Callable[[], Situation] | None = None,
    ) -> None:
        self._situation = situation
        self._plan = plan
        self._directory = directory
        self._places = places
        self._mailboxes = mailboxes

    def __contains__(self, number: str) -> bool:
        return number in self._directory or number in self._places or number in self._mailboxes

    def is_extension(self, number: str) -> bool:
        """
        Whether an extension has this number.
        """
        return number in self._directory

    def destination(self, number: str) -> Destination | None:
        """
        Where a number leads, ``None`` for nowhere.
        """
        if number in self._directory:
            return Destination("extension", number)
        place = self._places.place(number)
        if place is not None:
            return Destination(place.kind, number)
        return Destination("voicemail", number) if number in self._mailboxes else None

    def fault(self, destination: Destination | None, coming: Place | None = None) -> tuple[str, str] | None:
        """
        What is wrong with a destination, as the field and the text; ``None`` when it leads somewhere.

        Args:
            destination: Where callers would go.
            coming: A place that is about to be added or changed, and so will be there.
        """
        if destination is None:
            return None
        kind, target, argument = destination.kind, destination.target, destination.argument
        if kind == BEYOND:
            return self._beyond(target, argument)
        if argument and (kind != "announcement" or argument not in self):
            return "argument", f"{argument} is no number that can be called" if kind == "announcement" else "not wanted"
        fault: str | None = None
        if kind == "extension":
            fault = None if target in self._directory else f"there is no extension {target!r}"
        elif kind in PLACES:
            place = coming if coming is not None and coming.number == target else self._places.place(target)
            is_there = place is not None and place.kind == kind
            fault = None if is_there else f"there is no {kind.replace('_', ' ')} {target!r}"
        elif kind == "voicemail" or (kind == "mailbox" and target):
            is_there = target in self._directory or target in self._mailboxes
            fault = None if is_there else f"there is no mailbox {target!r}"
        elif kind == "announcement":
            fault = None if target else "missing; needed is the name of a prompt"
        elif target:
            fault = "not wanted"
        return None if fault is None else ("target", fault)

    def _beyond(self, target: str, payer: str) -> tuple[str, str] | None:
        """
        What is wrong with a number beyond the house, at whose expense it is called included.
        """
        if not is_dialled(target):
            return "target", f"{target!r} is no number that can be dialled"
        if target in self:
            return "target", f"{target} is a number of the house"
        if payer not in self._directory:
            return "argument", "needed is the extension at whose expense it is called"
        if self._situation is None:
            return "target", "nothing beyond the house can be called"
        fault = forwarding_fault(target, payer, self._situation())
        return ("target", fault) if fault else None

    def users(self, number: str) -> list[str]:
        """
        The places and inbound routes that lead to a number, in words.
        """
        return [*self._places_to(number), *users_of_number(self._plan(), number)]

    def _places_to(self, number: str) -> list[str]:
        return [
            shown_place(place)
            for place in self._places.all()
            if place.number != number
            and any(
                number == (leads.argument if leads.kind in ("announcement", BEYOND) else leads.target)
                for leads in place.leads_to()
            )
        ]


def refuse_if_used(numbers: Numbers, number: str) -> None:
    """
    Refuse to remove what callers are sent to.

    Raises:
        Problem: 409 naming who sends them.
    """
    users = numbers.users(number)
    if users:
        detail = f"{number} is used by {', '.join(users)}. Change that first."
        raise Problem(HTTPStatus.CONFLICT, detail, used_by=users)
