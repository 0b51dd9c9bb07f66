"""
``/api/menus``: auto attendants.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import attrs
import msgspec
from msgspec import UNSET, Meta, UnsetType

from pbx.directory.decision import Destination
from pbx.directory.places import Choice, Menu
from pbx.web.destinations import DestinationBody, shown_destination
from pbx.web.place_resource import Fault, Name, Number, PlaceResource

MOST_CHOICES = 100
"""Choices of a menu: nobody listens to more."""

Key = Annotated[str, Meta(pattern=r"^([0-9]{1,5}|[*#])\Z", description="1 to 5 digits, * or #")]
Language = (
    Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?\Z", description="a language such as en, or null")]
    | None
)
Prompt = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}\Z", description="the name of a prompt")]
Greeting = Annotated[tuple[Prompt, ...], Meta(max_length=50, description="a list of up to 50 names of prompts")]
Timeout = Annotated[int, Meta(ge=1, le=60, description="whole seconds, 1 to 60")]
Tries = Annotated[int, Meta(ge=1, le=10, description="a whole number, 1 to 10")]


class ChoiceBody(msgspec.Struct, frozen=True):
    """
    What one key does; without a destination the menu is played again.
    """

    key: Key
    destination: DestinationBody | None = None
    language: Language = None


class NewMenu(msgspec.Struct, frozen=True):
    """
    The body that adds a menu.
    """

    number: Number
    name: Name
    greeting: Greeting
    choices: tuple[ChoiceBody, ...] = ()
    direct_dial: bool = False
    language: Language = None
    timeout: Timeout = 5
    tries: Tries = 3
    on_timeout: DestinationBody | None = None
    on_invalid: DestinationBody | None = None


class ChangedMenu(msgspec.Struct, frozen=True):
    """
    The body that changes one; what it leaves out stays as it is.
    """

    number: Number | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    greeting: Greeting | UnsetType = UNSET
    choices: tuple[ChoiceBody, ...] | UnsetType = UNSET
    direct_dial: bool | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    timeout: Timeout | UnsetType = UNSET
    tries: Tries | UnsetType = UNSET
    on_timeout: DestinationBody | UnsetType | None = UNSET
    on_invalid: DestinationBody | UnsetType | None = UNSET


class Menus(PlaceResource):
    """
    The resource.
    """

    kind = Menu.kind
    noun = "menu"
    path = "/api/menus"
    many = "menus"
    new: ClassVar[type[msgspec.Struct]] = NewMenu
    changed: ClassVar[type[msgspec.Struct]] = ChangedMenu

    def built(self, before: Menu | None, given: dict[str, Any]) -> Menu:
        """
        The menu that a body asks for.
        """
        if "choices" in given:
            given["choices"] = tuple(
                Choice(each.key, None if each.destination is None else each.destination.value(), each.language)
                for each in given["choices"]
            )
        for name in ("on_timeout", "on_invalid"):
            if given.get(name) is not None:
                given[name] = given[name].value()
        return Menu(**given) if before is None else attrs.evolve(before, **given)

    def faults(self, place: Menu) -> list[Fault]:
        """
        Keys that stand twice, and destinations that lead nowhere, or round and round without a key.
        """
        faults: list[Fault] = []
        keys = [choice.key for choice in place.choices]
        if len(keys) > MOST_CHOICES:
            faults.append(("choices", f"found {len(keys)}; allowed are up to {MOST_CHOICES}"))
        for index, choice in enumerate(place.choices):
            if choice.key in keys[:index]:
                faults.append((f"choices[{index}].key", f"{choice.key} stands here twice"))
            faults += self.destination_faults(f"choices[{index}].destination", choice.destination, place)
        for name in ("on_timeout", "on_invalid"):
            destination = getattr(place, name)
            if destination == Destination(self.kind, place.number):
                faults.append((f"{name}.target", "the menu itself, for ever"))
            else:
                faults += self.destination_faults(name, destination, place)
        return faults

    def shown(self, place: Menu) -> dict[str, Any]:
        """
        What the API says of one.
        """
        return {
            "number": place.number,
            "name": place.name,
            "greeting": list(place.greeting),
            "choices": [
                {
                    "key": choice.key,
                    "destination": shown_destination(choice.destination),
                    "language": choice.language,
                }
                for choice in place.choices
            ],
            "direct_dial": place.direct_dial,
            "language": place.language,
            "timeout": place.timeout,
            "tries": place.tries,
            "on_timeout": shown_destination(place.on_timeout),
            "on_invalid": shown_destination(place.on_invalid),
        }
