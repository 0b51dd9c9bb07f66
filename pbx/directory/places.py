"""
Places: numbers that are no extension, such as ring groups, menus and conference rooms; all of them in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from attrs import field, frozen
from twisted.logger import Logger

from pbx.directory.decision import Destination

if TYPE_CHECKING:
    from collections.abc import Iterable


@frozen
class Member:
    """
    An extension in a ring group.

    Attributes:
        number: The extension.
        after: Seconds until it begins to ring, when all ring together.
        lasting: Seconds that it rings, ``None`` for as long as the group (together) or its share of it (in turn).
    """

    number: str
    after: int = 0
    lasting: int | None = None


@frozen
class RingGroup:
    """
    Extensions that ring for one number.

    Attributes:
        number: The number to dial.
        name: What people call it.
        strategy: ``all`` ring together; ``in turn``, always from the first; ``memory``: in turn, from the one after
            who answered last; ``random``: in turn, in an order drawn for each call.
        members: Who rings.
        timeout: Seconds until the group counts as not answering.
        otherwise: Where the caller goes then; ``None`` is told that nobody answered.
    """

    kind: ClassVar[str] = "ring_group"

    number: str
    name: str
    strategy: Literal["all", "in turn", "memory", "random"] = "all"
    members: tuple[Member, ...] = ()
    timeout: int = 30
    otherwise: Destination | None = None

    def leads_to(self) -> tuple[Destination, ...]:
        """
        Every destination named in it.
        """
        members = tuple(Destination("extension", member.number) for member in self.members)
        return members if self.otherwise is None else (*members, self.otherwise)


@frozen
class Choice:
    """
    What one key of a menu does.

    Attributes:
        key: The key: 0 to 9, ``*`` or ``#``; or several digits.
        destination: Where it leads, ``None`` to hear the menu again.
        language: The language of prompts from there on, ``None`` for the one in use.
    """

    key: str
    destination: Destination | None = None
    language: str | None = None


@frozen
class Menu:
    """
    An auto attendant: it plays a greeting and goes where the caller's key says.

    Attributes:
        number: The number to dial.
        name: What people call it.
        greeting: The prompts that name the choices, one after the other.
        choices: The keys.
        direct_dial: A caller may dial an extension's number.
        language: The language of its prompts, ``None`` for the caller's.
        timeout: Seconds to wait for a key behind the greeting.
        tries: How often the greeting is played in vain.
        on_timeout: Where the caller goes that never pressed a key, ``None``: goodbye.
        on_invalid: Where the caller goes that pressed wrong keys only, ``None``: goodbye.
    """

    kind: ClassVar[str] = "menu"

    number: str
    name: str
    greeting: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    direct_dial: bool = False
    language: str | None = None
    timeout: int = 5
    tries: int = 3
    on_timeout: Destination | None = None
    on_invalid: Destination | None = None

    def leads_to(self) -> tuple[Destination, ...]:
        """
        Every destination named in it.
        """
        named = (*(choice.destination for choice in self.choices), self.on_timeout, self.on_invalid)
        return tuple(destination for destination in named if destination is not None)


@frozen
class Room:
    """
    A conference room.

    Attributes:
        number: The number to dial.
        name: What people call it.
        pin: What a participant is asked for, ``None`` for nothing.
        moderator_pin: What makes a participant a moderator, ``None`` when the room has none.
        most: How many may be in it.
        announce: How all are told that somebody comes or goes: by a ``tone``; by the ``name``, which everybody is asked
            to say at the door; ``none``.
        wait_for_moderator: Participants hear music until a moderator is there.
        end_with_moderator: The conference ends when the last moderator has gone.
        mute_on_entry: Participants come in muted.
        record: Record every conference in it.
        music: What a participant hears that is alone or waits for the moderator; empty for nothing.
    """

    kind: ClassVar[str] = "conference"

    number: str
    name: str
    pin: str | None = field(default=None, repr=False)
    moderator_pin: str | None = field(default=None, repr=False)
    most: int = 50
    announce: Literal["tone", "name", "none"] = "tone"
    wait_for_moderator: bool = False
    end_with_moderator: bool = False
    mute_on_entry: bool = False
    record: bool = False
    music: str = "default"

    def leads_to(self) -> tuple[Destination, ...]:
        """
        Every destination named in it.
        """
        return ()


Place: TypeAlias = RingGroup | Menu | Room
"""Any of them; each has ``kind``, ``number``, ``name`` and ``leads_to()``."""

KINDS: dict[str, type[Place]] = {each.kind: each for each in (RingGroup, Menu, Room)}
"""The class of each kind."""

Change: TypeAlias = Callable[[Place | None, Place | None], None]
"""Called with a place before and after; ``None`` stands for one that was not there, or is no more."""


class Places:
    """
    The places by number, and those who want to know when one changes.
    """

    log = Logger()

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._by_number = {place.number: place for place in places}
        self._observers: list[Change] = []

    def __len__(self) -> int:
        return len(self._by_number)

    def __contains__(self, number: object) -> bool:
        return number in self._by_number

    def place(self, number: str) -> Place | None:
        """
        The place with this number, or ``None``.
        """
        return self._by_number.get(number)

    def all(self) -> list[Place]:
        """
        Every place, in the order of their numbers.
        """
        return [self._by_number[number] for number in sorted(self._by_number)]

    def by_kind(self, kind: str) -> list[Place]:
        """
        Every place of a kind, in the order of their numbers.
        """
        return [place for place in self.all() if place.kind == kind]

    def put(self, place: Place) -> None:
        """
        Add a place, or replace the one with its number.
        """
        before = self._by_number.get(place.number)
        if before != place:
            self._by_number[place.number] = place
            self._tell(before, place)

    def remove(self, number: str) -> None:
        """
        Forget a place; one that is not there is no error.
        """
        before = self._by_number.pop(number, None)
        if before is not None:
            self._tell(before, None)

    def replace(self, places: Iterable[Place]) -> None:
        """
        Make these all the places: what differs is added, replaced or removed, each told on its own.
        """
        wanted = {place.number: place for place in places}
        for number in [number for number in self._by_number if number not in wanted]:
            self.remove(number)
        for place in wanted.values():
            self.put(place)

    def on_change(self, observer: Change) -> None:
        """
        Call ``observer(before, after)`` at every change from now on.
        """
        self._observers.append(observer)

    def _tell(self, before: Place | None, after: Place | None) -> None:
        for observer in self._observers:
            try:
                observer(before, after)
            except Exception:  # noqa: BLE001 - one observer's mistake must not keep the places stale for the others
                self.log.failure("An observer of the places failed")
