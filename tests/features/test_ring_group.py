"""
Tests of :mod:`pbx.features.ring_group`.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.destination import Branch, IDestination, Rung
from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import Handling
from pbx.directory.places import Member, Menu, Places, RingGroup
from pbx.features.ring_group import RingGroups
from tests.features.visitor import Visitor, run

BUSY = Rung(False, status=486, text="Busy here")
NOBODY = Rung(False)


def answered(by: str) -> Rung:
    """
    Somebody has answered.
    """
    return Rung(True, by)


class RingGroupsTests(SynchronousTestCase):
    """
    Several extensions that ring for one number.
    """

    def setUp(self) -> None:
        """
        Three members with a phone, one that does not want to be disturbed, one disabled, one unknown.
        """
        self.clock = Clock()
        self.places = Places([Menu("500", "Main")])
        self.directory = Directory([
            *(Extension(number, number) for number in ("1001", "1002", "1003", "1004")),
            Extension("1005", "Quiet", handling=Handling(dnd=True)), Extension("1006", "Off", enabled=False),
        ])
        self.groups = RingGroups(self.places, self.directory, self.clock, random.Random(7))  # noqa: S311 - a test's

    def call(self, *rungs: Rung, caller: str = "1009", seconds: float = 0, **group: Any) -> Visitor:
        """
        Call a group; each ringing takes some seconds.
        """
        members = group.pop("members", ("1001", "1002", "1003"))
        group["members"] = tuple(Member(each) if isinstance(each, str) else each for each in members)
        self.places.put(RingGroup("600", "Sales", **group))
        visitor = Visitor(caller=caller, destination=Destination("ring_group", "600"))
        visitor.outcome = list(rungs)
        ring = visitor.ring

        async def slow(branches: Any, timeout: float) -> Rung:
            self.clock.advance(seconds)
            return await ring(branches, timeout)

        visitor.ring = slow  # type: ignore[method-assign]
        self.further = run(self.groups.take(visitor))
        self.assertFalse(visitor.answered)
        return visitor

    def order(self, visitor: Visitor) -> list[str]:
        """
        Who rang, one after the other.
        """
        return [branch.number for branches, _ in visitor.rung for branch in branches]

    def test_interface(self) -> None:
        """
        It is a destination.
        """
        verifyObject(IDestination, self.groups)

    def test_all_together_with_their_delays(self) -> None:
        """
        All ring at once for the group's time, each with its own delay; who answered is noted.
        """
        visitor = self.call(answered("1002"), members=("1001", Member("1002", 5, 10)), timeout=40)
        self.assertEqual(visitor.rung, [([Branch("1001"), Branch("1002", 5, 10)], 40)])
        self.assertEqual(visitor.notes, ["ring group 600: 1001, 1002 ring", "ring group 600: 1002 answered"])
        self.assertEqual((self.further, visitor.refused), (None, None))

    def test_leaves_out_who_cannot_or_will_not_answer(self) -> None:
        """
        Who does not want to be disturbed, is disabled or unknown, and who calls itself, is not rung.
        """
        members = ("1001", "1004", "1005", "1006", "1007")
        visitor = self.call(answered("1001"), caller="1004", members=members)
        self.assertEqual(self.order(visitor), ["1001"])
        self.assertEqual(
            visitor.notes[:3],
            [
                "ring group 600: 1005 does not want to be disturbed",
                "ring group 600: 1006 is no extension that can be called",
                "ring group 600: 1007 is no extension that can be called",
            ],
        )

    def test_otherwise(self) -> None:
        """
        When nobody answers the caller goes to the group's other destination.
        """
        otherwise = Destination("voicemail", "1001")
        visitor = self.call(BUSY, otherwise=otherwise)
        self.assertEqual((self.further, visitor.refused), (otherwise, None))
        self.assertEqual(visitor.notes[-1], "ring group 600: Busy here")

    def test_refuses_with_what_came_of_ringing(self) -> None:
        """
        Without another destination the caller is told why nobody answered; also when there is nobody to ring.
        """
        self.assertEqual(self.call(BUSY).refused, (486, 17, "Busy here"))
        for strategy in ("all", "in turn"):
            visitor = self.call(answered("x"), members=("1005",), strategy=strategy)
            self.assertEqual(visitor.refused, (480, 18, "Nobody in the group can be rung"))
            self.assertEqual(visitor.rung, [])

    def test_in_turn(self) -> None:
        """
        One after the other in order, each for its share of the time or for its own; until one answers.
        """
        members = ("1001", Member("1002", lasting=7), "1003")
        visitor = self.call(NOBODY, BUSY, answered("1003"), members=members, strategy="in turn", timeout=60)
        self.assertEqual([(branches[0].number, seconds) for branches, seconds in visitor.rung],
                         [("1001", 20), ("1002", 7), ("1003", 60)])
        self.assertEqual(self.order(self.call(answered("1001"), strategy="in turn")), ["1001"])
        visitor = self.call(NOBODY, strategy="in turn", seconds=40, timeout=60)
        # The first took its time, so the others have the least there is.
        self.assertEqual([seconds for _, seconds in visitor.rung], [20, 10, 5])

    def test_memory(self) -> None:
        """
        Each caller begins with the one after who answered last; who has left the group is forgotten.
        """
        self.assertEqual(self.order(self.call(NOBODY, answered("1002"), strategy="memory")), ["1001", "1002"])
        self.assertEqual(self.order(self.call(NOBODY, strategy="memory")), ["1003", "1001", "1002"])
        self.assertEqual(self.order(self.call(answered("1003"), strategy="memory")), ["1003"])
        self.assertEqual(self.order(self.call(NOBODY, strategy="memory")), ["1001", "1002", "1003"])
        visitor = self.call(NOBODY, strategy="memory", members=("1001", "1002"))
        self.assertEqual(self.order(visitor), ["1001", "1002"])

    def test_memory_of_who_is_away(self) -> None:
        """
        When the one who answered last does not want to be disturbed meanwhile, the turn goes on behind it all the same.
        """
        self.call(NOBODY, answered("1002"), strategy="memory")
        self.directory.put(Extension("1002", "1002", handling=Handling(dnd=True)))
        self.assertEqual(self.order(self.call(NOBODY, strategy="memory")), ["1003", "1001"])

    def test_random(self) -> None:
        """
        Each call has its own order, with everybody in it.
        """
        orders = {tuple(self.order(self.call(NOBODY, strategy="random"))) for _ in range(50)}
        self.assertEqual({tuple(sorted(order)) for order in orders}, {("1001", "1002", "1003")})
        self.assertEqual(len(orders), 6)

    def test_gone(self) -> None:
        """
        A group that is no more, or is something else meanwhile, is no number.
        """
        for number in ("601", "500"):
            visitor = Visitor(destination=Destination("ring_group", number))
            self.assertIsNone(run(self.groups.take(visitor)))
            self.assertEqual(visitor.refused, (404, 1, "Unallocated number"))
