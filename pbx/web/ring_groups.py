"""
``/api/ring-groups``: several extensions that ring for one number.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import attrs
import msgspec
from msgspec import UNSET, Meta, UnsetType

from pbx.directory.decision import Destination
from pbx.directory.places import Member, RingGroup
from pbx.web.destinations import DestinationBody, shown_destination
from pbx.web.place_resource import Fault, Name, Number, PlaceResource

MOST_MEMBERS = 100
"""Members of a group: when all ring, each has its INVITE."""

Strategy = Literal["all", "in turn", "memory", "random"]
Delay = Annotated[int, Meta(ge=0, le=170, description="whole seconds, 0 to 170")]
Lasting = Annotated[int, Meta(ge=5, le=170, description="whole seconds, 5 to 170, or null")] | None
Timeout = Annotated[int, Meta(ge=5, le=170, description="whole seconds, 5 to 170")]


class MemberBody(msgspec.Struct, frozen=True):
    """
    An extension in a ring group.
    """

    number: Number
    after: Delay = 0
    lasting: Lasting = None


class NewRingGroup(msgspec.Struct, frozen=True):
    """
    The body that adds a ring group.
    """

    number: Number
    name: Name
    members: tuple[MemberBody, ...]
    strategy: Strategy = "all"
    timeout: Timeout = 30
    otherwise: DestinationBody | None = None


class ChangedRingGroup(msgspec.Struct, frozen=True):
    """
    The body that changes one; what it leaves out stays as it is.
    """

    number: Number | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    members: tuple[MemberBody, ...] | UnsetType = UNSET
    strategy: Strategy | UnsetType = UNSET
    timeout: Timeout | UnsetType = UNSET
    otherwise: DestinationBody | UnsetType | None = UNSET


class RingGroups(PlaceResource):
    """
    The resource.
    """

    kind = RingGroup.kind
    noun = "ring group"
    path = "/api/ring-groups"
    many = "ring_groups"
    new: ClassVar[type[msgspec.Struct]] = NewRingGroup
    changed: ClassVar[type[msgspec.Struct]] = ChangedRingGroup

    def built(self, before: RingGroup | None, given: dict[str, Any]) -> RingGroup:
        """
        The group that a body asks for.
        """
        if "members" in given:
            given["members"] = tuple(Member(each.number, each.after, each.lasting) for each in given["members"])
        if given.get("otherwise") is not None:
            given["otherwise"] = given["otherwise"].value()
        return RingGroup(**given) if before is None else attrs.evolve(before, **given)

    def faults(self, place: RingGroup) -> list[Fault]:
        """
        Members who are none, and a destination that leads nowhere or back here.
        """
        faults: list[Fault] = []
        numbers = [member.number for member in place.members]
        if not 1 <= len(numbers) <= MOST_MEMBERS:
            faults.append(("members", f"found {len(numbers)}; allowed are 1 to {MOST_MEMBERS}"))
        for index, number in enumerate(numbers):
            if number in numbers[:index]:
                faults.append((f"members[{index}].number", f"{number} stands here twice"))
            elif not self._numbers.is_extension(number):
                faults.append((f"members[{index}].number", f"there is no extension {number}"))
        if place.otherwise == Destination(self.kind, place.number):
            faults.append(("otherwise.target", "the group itself, where nobody has answered"))
        else:
            faults += self.destination_faults("otherwise", place.otherwise, place)
        return faults

    def shown(self, place: RingGroup) -> dict[str, Any]:
        """
        What the API says of one.
        """
        return {
            "number": place.number,
            "name": place.name,
            "strategy": place.strategy,
            "members": [
                {"number": member.number, "after": member.after, "lasting": member.lasting}
                for member in place.members
            ],
            "timeout": place.timeout,
            "otherwise": shown_destination(place.otherwise),
        }
