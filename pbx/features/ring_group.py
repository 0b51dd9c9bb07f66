"""
Ring groups: several extensions that ring for one number, together or one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.calls.destination import Branch, IDestination, Rung
from pbx.directory.places import RingGroup
from pbx.sip.reasons import cause_of_status

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from twisted.internet.interfaces import IReactorTime

    from pbx.calls.destination import IVisit
    from pbx.directory.decision import Destination
    from pbx.directory.directory import Directory
    from pbx.directory.places import Member, Places

SHORTEST = 5.0
"""Seconds that each rings at least when they ring in turn: less, and nobody gets to the phone."""


@implementer(IDestination)
class RingGroups:
    """
    Serves the callers of every ring group.

    Args:
        places: Where the groups are.
        directory: The extensions, to leave out who does not want to be disturbed.
        clock: The clock.
        dice: Where the order of ``random`` comes from.
    """

    def __init__(self, places: Places, directory: Directory, clock: IReactorTime, dice: random.Random) -> None:
        self._places = places
        self._directory = directory
        self._clock = clock
        self._dice = dice
        self._last: dict[str, str] = {}

    async def take(self, visit: IVisit) -> Destination | None:
        """
        Ring the group's members for a caller.
        """
        number = visit.destination.target
        group = self._places.place(number)
        if not isinstance(group, RingGroup):
            visit.note(f"there is no ring group {number} any more")
            visit.refuse(404, 1, "Unallocated number")
            return None
        members = self._in_order(group, self._who_rings(group, visit))
        if group.strategy == "all":
            rung = await self._together(group, members, visit)
        else:
            rung = await self._in_turn(group, members, visit)
        if rung.answered:
            visit.note(f"ring group {number}: {rung.by} answered")
            self._last[number] = rung.by
            return None
        visit.note(f"ring group {number}: {rung.text}")
        if group.otherwise is None:
            visit.refuse(rung.status, cause_of_status(rung.status), rung.text)
        return group.otherwise

    def _who_rings(self, group: RingGroup, visit: IVisit) -> list[Member]:
        members = []
        for member in group.members:
            extension = self._directory.extension(member.number)
            if extension is None or not extension.enabled:
                visit.note(f"ring group {group.number}: {member.number} is no extension that can be called")
            elif extension.handling.dnd:
                visit.note(f"ring group {group.number}: {member.number} does not want to be disturbed")
            elif member.number != visit.caller.number:
                # A member who calls the group wants the others.
                members.append(member)
        return members

    def _in_order(self, group: RingGroup, members: list[Member]) -> list[Member]:
        if group.strategy == "random":
            return self._dice.sample(members, len(members))
        if group.strategy == "memory":
            numbers = [member.number for member in group.members]
            last = self._last.get(group.number, "")
            begin = numbers.index(last) + 1 if last in numbers else 0
            turn = numbers[begin:] + numbers[:begin]
            return sorted(members, key=lambda member: turn.index(member.number))
        return members

    async def _together(self, group: RingGroup, members: Sequence[Member], visit: IVisit) -> Rung:
        if not members:
            return Rung(answered=False, text="Nobody in the group can be rung")
        branches = [Branch(member.number, member.after, member.lasting) for member in members]
        visit.note(f"ring group {group.number}: {', '.join(branch.number for branch in branches)} ring")
        return await visit.ring(branches, group.timeout)

    async def _in_turn(self, group: RingGroup, members: Sequence[Member], visit: IVisit) -> Rung:
        rung = Rung(answered=False, text="Nobody in the group can be rung")
        end = self._clock.seconds() + group.timeout
        for index, member in enumerate(members):
            # Time that a busy one did not need is the others'.
            share = max((end - self._clock.seconds()) / (len(members) - index), SHORTEST)
            seconds = share if member.lasting is None else member.lasting
            visit.note(f"ring group {group.number}: {member.number} rings for {seconds:.0f} s")
            rung = await visit.ring([Branch(member.number)], seconds)
            if rung.answered:
                break
        return rung
