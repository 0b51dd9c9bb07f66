"""
Tests of :mod:`pbx.features.night_switch`: the star code, and the lamp that shows it.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.calls.destination import IDestination
from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.plan import Plan, PlanBook
from pbx.directory.star_codes import USUAL
from pbx.directory.switches import Switches
from pbx.directory.time_condition import TimeCondition
from pbx.features.blf import Blf
from pbx.features.night_switch import NightLamps, NightSwitch
from tests.features.lamps import Lamp, LampCase
from tests.features.visitor import Visitor, run
from tests.store.logged import logged

CONDITIONS = {
    "Sales": TimeCondition("Sales", switch="1"),
    "Service": TimeCondition("Service", switch="1"),
    "Shop": TimeCondition("Shop", switch="2"),
    "Always": TimeCondition("Always"),
}


class NightSwitchTests(SynchronousTestCase):
    """
    What the star code does.
    """

    def setUp(self) -> None:
        """
        Three conditions with two switches.
        """
        self.book = PlanBook(Plan(conditions=CONDITIONS))
        self.switches = Switches()
        self.directory = Directory([Extension("1001", "Ann"), Extension("1002", "Bob", enabled=False)])
        self.moved: list[tuple[str, str, str]] = []
        self.night = NightSwitch(self.book, self.switches, self.move, self.directory)

    def move(self, name: str, position: Any, actor: str) -> None:
        """
        Move one.
        """
        self.moved.append((name, position, actor))
        self.switches.put(name, position)

    def dial(self, digits: str, keys: str = "", caller: str = "1001") -> list[str]:
        """
        Dial the code and some digits; what is heard.
        """
        visitor = Visitor(keys, caller=caller, destination=Destination("night_switch", digits))
        run(self.night.take(visitor))
        return visitor.terminal.heard  # type: ignore[no-any-return]

    def test_interface(self) -> None:
        """
        It is a place that callers are sent to.
        """
        verifyObject(IDestination, self.night)

    def test_to_and_fro(self) -> None:
        """
        Each call moves it over, says so, and notes who did it.
        """
        self.assertEqual(self.dial("2"), ["star-night-on"])
        self.assertEqual(self.switches.all(), {"Shop": "night"})
        self.assertEqual(self.dial("2"), ["star-night-off"])
        self.assertEqual(self.switches.all(), {})
        self.assertEqual(self.moved, [("Shop", "night", "extension 1001"), ("Shop", "auto", "extension 1001")])
        self.switches.put("Shop", "day")
        self.assertEqual(self.dial("2"), ["star-night-on"])

    def test_several(self) -> None:
        """
        One switch moves all conditions that have it, to the same side.
        """
        self.switches.put("Service", "night")
        self.assertEqual(self.dial("1"), ["star-night-on"])
        self.assertEqual(self.switches.all(), {"Sales": "night", "Service": "night"})
        self.assertEqual(self.dial("1"), ["star-night-off"])
        self.assertEqual(self.switches.all(), {})

    def test_audited(self) -> None:
        """
        The log says who moved which from where to where, as it does of whoever moves one over the API.
        """
        events = logged(self, "pbx.features.night_switch.NightSwitch")
        self.switches.put("Service", "day")
        self.dial("1")
        self.dial("2", caller="1002")
        self.assertEqual([formatEvent(event) for event in events], [
            "audit: extension 1001 move night switch Sales (position: 'auto' -> 'night')",
            "audit: extension 1001 move night switch Service (position: 'day' -> 'night')",
        ])

    def test_which(self) -> None:
        """
        Without digits it is the only one there is, or the caller is asked.
        """
        self.assertEqual(self.dial("", "2#"), ["star-enter-number", "star-night-on"])
        self.assertEqual(self.dial("", " "), ["star-enter-number", "star-invalid-number"])
        self.book.configure(Plan(conditions={"Shop": CONDITIONS["Shop"]}))
        self.assertEqual(self.dial(""), ["star-night-off"])

    def test_nothing(self) -> None:
        """
        What is no switch, and who is no extension, moves nothing.
        """
        self.assertEqual(self.dial("3"), ["star-invalid-number"])
        for stranger in ("1002", "+4930123456"):
            self.assertEqual(self.dial("2", caller=stranger), ["star-not-allowed"])
        self.assertEqual(self.moved, [])


class NightLampTests(LampCase):
    """
    The lamp of a night switch on several phones.
    """

    def build(self) -> None:
        """
        Build what can be subscribed to.
        """
        super().build()
        self.book, self.switches = PlanBook(Plan(conditions=CONDITIONS)), Switches()
        self.night = NightLamps(self.book, self.switches, USUAL)
        Blf(self.notifier, self.presence, self.exchange.directory, "idle", self.night)

    def lamps(self) -> list[Lamp]:
        """
        The lamps of switch 2 on two phones.
        """
        lamps = [Lamp(self.phone("1003"), "*282"), Lamp(self.phone("1004"), "%2A282")]
        self.assertEqual([lamp.answer.status for lamp in lamps], [200, 200])
        self.wait(2)
        return lamps

    def test_shown(self) -> None:
        """
        Night shows as a confirmed dialog, day as its end, on all phones within a second.
        """
        lamps = self.lamps()
        self.assertEqual([lamp.dialogs for lamp in lamps], [[], []])
        self.switches.put("Shop", "night")
        self.wait(1)
        self.assertEqual([lamp.dialogs for lamp in lamps], [[(None, "confirmed")]] * 2)
        self.wait(5)
        self.switches.put("Shop", "auto")
        self.switches.put("Sales", "night")
        self.wait(1)
        self.assertEqual([lamp.dialogs for lamp in lamps], [[(None, "terminated")]] * 2)
        self.assertEqual([len(lamp.notified) for lamp in lamps], [3, 3])
        self.switches.put("Shop", "day")
        self.wait(1)
        self.assertEqual([lamp.dialogs for lamp in lamps], [[], []])

    def test_new_lamp(self) -> None:
        """
        Who subscribes in the night sees it at once.
        """
        self.switches.put("Shop", "night")
        self.assertEqual([lamp.dialogs for lamp in self.lamps()], [[(None, "confirmed")]] * 2)

    def test_no_such_switch(self) -> None:
        """
        There is no lamp without a switch, nor where the star code was taken away.
        """
        for number in ("*283", "*28", "*292"):
            self.assertEqual(Lamp(self.phone("1003", at=f"10.0.9.{len(self.phones)}"), number).answer.status, 404)
        without = NightLamps(self.book, self.switches, {code: name for code, name in USUAL.items() if code != "*28"})
        self.assertNotIn("*282", without)

    def test_another_code(self) -> None:
        """
        When another star code is dialled, the lamps of the one before are no more, and there are those of the new one.
        """
        lamps = self.lamps()
        self.night.reconfigure(USUAL)
        self.wait(1)
        self.assertEqual([lamp.state.state for lamp in lamps], ["active"] * 2)
        self.night.reconfigure({"*29": "night_switch"})
        self.wait(1)
        self.assertEqual([lamp.state.state for lamp in lamps], ["terminated"] * 2)
        self.assertEqual(Lamp(self.phone("1005"), "*292").answer.status, 200)
        self.night.reconfigure({})
        self.assertNotIn("*292", self.night)
        self.wait(1)

    def test_taken_away(self) -> None:
        """
        When the condition is no more, whoever looks at its lamp is told that there is none.
        """
        lamps = self.lamps()
        self.book.configure(evolve(self.book.configured, conditions={"Sales": CONDITIONS["Sales"]}))
        self.wait(1)
        self.assertEqual([lamp.state.state for lamp in lamps], ["terminated"] * 2)
