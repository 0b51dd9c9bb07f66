"""
The situation: all that the dialplan may look at besides the call itself, as one frozen value.
"""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from pbx.directory.plan import NO_PLAN, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from pbx.directory.extension import Extension
    from pbx.directory.permissions import Usage
    from pbx.directory.time_condition import SwitchPosition
    from pbx.directory.trunk import TrunkState


class Numbers(Protocol):
    """
    What the plan asks the directory.
    """

    def __contains__(self, number: object) -> bool:
        """
        Whether an extension has this number.
        """

    def extension(self, number: str) -> Extension | None:
        """
        The extension with this number.
        """


class Phones(Protocol):
    """
    What the plan asks about phones; a mapping will do.
    """

    def get(self, number: str, default: int, /) -> int:
        """
        How many phones of an extension can be reached now.
        """


class Placed(Protocol):
    """
    What the plan sees of a place (:mod:`pbx.directory.places`).
    """

    @property
    def kind(self) -> str:
        """
        The kind of destination.
        """

    @property
    def name(self) -> str:
        """
        What people call it.
        """


class PlaceNumbers(Protocol):
    """
    What the plan asks about places.
    """

    def place(self, number: str) -> Placed | None:
        """
        The place with this number.
        """


class States(Protocol):
    """
    What the plan asks about trunks; a mapping will do.
    """

    def get(self, name: str, default: TrunkState, /) -> TrunkState:
        """
        How a trunk is now.
        """


class Used(Protocol):
    """
    What the plan asks about the use of limits; a mapping will do.
    """

    def get(self, number: str, default: Usage, /) -> Usage:
        """
        What an extension has used.
        """


class Switches(Protocol):
    """
    What the plan asks about night switches; a mapping will do.
    """

    def get(self, name: str, default: SwitchPosition, /) -> SwitchPosition:
        """
        Where the switch of a time condition stands.
        """


class Callbacks(Protocol):
    """
    What the plan asks about emergency calls of the last hours; a mapping will do.
    """

    def get(self, number: str, default: str, /) -> str:
        """
        The extension that made one, by the number for calling it back; ``default`` for none.
        """


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class _NoPlaces:
    def place(self, number: str) -> None:
        return None


_NOWHERE = _NoPlaces()


@frozen
class Situation:
    """
    All that the plan may look at besides the request; a simulation can replace any of it.

    Attributes:
        numbers: The directory.
        reachable: How many phones of an extension can be reached now.
        places: Ring groups, menus, rooms.
        star_codes: The features by their codes (:func:`pbx.directory.star_codes.table`).
        mailboxes: The numbers of mailboxes that belong to no extension.
        offers: The kinds of destination that are there, besides ``extension``, ``refuse`` and ``hangup``.
        plan: What decides about calls beyond the house.
        trunks: How each trunk is, by name.
        usage: What each extension has used of its limits, by number.
        switches: Where the night switches stand that were moved by hand, by time condition.
        now: Tells the time, in UTC.
        callbacks: Who made an emergency call lately, by the number that the emergency centre calls back.
    """

    numbers: Numbers
    reachable: Phones
    places: PlaceNumbers = _NOWHERE
    star_codes: Mapping[str, str] = MappingProxyType({})
    mailboxes: Container[str] = frozenset()
    offers: Container[str] = frozenset()
    plan: Plan = NO_PLAN
    trunks: States = MappingProxyType({})
    usage: Used = MappingProxyType({})
    switches: Switches = MappingProxyType({})
    now: Callable[[], dt.datetime] = _now
    callbacks: Callbacks = MappingProxyType({})

    def is_here(self, number: str) -> bool:
        """
        Whether a number is that of an extension, place or mailbox of the house.
        """
        return number in self.numbers or self.places.place(number) is not None or number in self.mailboxes
