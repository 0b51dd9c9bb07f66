"""
Tests for :mod:`pbx.web.menus`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.places import Choice, Menu, Places, Room
from pbx.directory.plan import Plan, Site
from pbx.directory.situation import Situation
from pbx.directory.trunk import Trunk
from pbx.web.destinations import Numbers
from pbx.web.menus import Menus
from tests.web.client import Client, FakeAudit
from tests.web.memory_places import MemoryPlaces

BODY = {
    "number": "500",
    "name": "Main",
    "greeting": ["ivr-welcome", "own.greeting-1"],
    "choices": [
        {"key": "1", "destination": {"kind": "extension", "target": "1001"}},
        {"key": "2", "language": "de"},
        {"key": "*", "destination": {"kind": "menu", "target": "500"}, "language": "pt-BR"},
        {"key": "123", "destination": {"kind": "conference", "target": "700"}},
    ],
    "direct_dial": True,
    "on_timeout": {"kind": "extension", "target": "1001"},
}
MENU = Menu(
    "500", "Main", ("ivr-welcome", "own.greeting-1"),
    (
        Choice("1", Destination("extension", "1001")),
        Choice("2", language="de"),
        Choice("*", Destination("menu", "500"), "pt-BR"),
        Choice("123", Destination("conference", "700")),
    ),
    direct_dial=True,
    on_timeout=Destination("extension", "1001"),
)


class MenusTests(SynchronousTestCase):
    """
    Menus over the API.
    """

    def setUp(self) -> None:
        """
        An extension and a room.
        """
        self.memory = Places([Room("700", "Team")])
        numbers = Numbers(Directory([Extension("1001", "Ann")]), self.memory)
        self.client = Client(Menus(MemoryPlaces(self.memory), numbers, FakeAudit()).routes())

    def refused(self, **changes: Any) -> dict[str, str]:
        """
        What is wrong with which field of a body.
        """
        answer = self.client.ask("POST", "/api/menus", {**BODY, **changes})
        self.assertEqual(answer.status, 422, answer.content)
        return {error["field"]: error["detail"] for error in answer.json["errors"]}

    def test_add_and_read(self) -> None:
        """
        A menu is kept as it was written, and may lead to itself.
        """
        answer = self.client.ask("POST", "/api/menus", BODY)
        self.assertEqual(answer.status, 201, answer.content)
        self.assertEqual(self.memory.place("500"), MENU)
        shown = {
            **BODY,
            "choices": [{"destination": None, "language": None, **choice} for choice in BODY["choices"]],  # type: ignore[attr-defined]
            "language": None, "timeout": 5, "tries": 3, "on_invalid": None,
        }
        self.assertEqual(answer.json, shown)
        self.assertEqual(self.client.ask("GET", "/api/menus").json, {"menus": [shown]})

    def test_change(self) -> None:
        """
        A change keeps what it leaves out.
        """
        self.client.ask("POST", "/api/menus", BODY)
        answer = self.client.ask("PUT", "/api/menus/500", {"tries": 2, "on_timeout": None, "choices": [{"key": "9"}]})
        self.assertEqual((answer.status, answer.json["tries"], answer.json["on_timeout"]), (200, 2, None))
        self.assertEqual(answer.json["choices"], [{"key": "9", "destination": None, "language": None}])
        self.assertEqual(answer.json["greeting"], BODY["greeting"])

    def test_remove(self) -> None:
        """
        A menu is removed though it leads to itself; not while another leads there.
        """
        self.client.ask("POST", "/api/menus", BODY)
        self.memory.put(Menu("501", "More", on_timeout=Destination("menu", "500")))
        self.assertEqual(self.client.ask("DELETE", "/api/menus/500").status, 409)
        self.memory.remove("501")
        self.assertEqual(self.client.ask("DELETE", "/api/menus/500").status, 204)

    def test_wrong_fields(self) -> None:
        """
        What can't be is said by its field, in each choice too.
        """
        self.assertEqual(
            set(self.refused(
                greeting=["../../etc/passwd"], timeout=0, tries=11, language="English",
                choices=[{"key": "A"}, {"key": "1", "destination": {"kind": "x"}}, {"key": "1", "language": ""}],
            )),
            {"greeting", "timeout", "tries", "language", "choices[0].key", "choices[1].destination.kind",
             "choices[2].language"},
        )
        self.assertEqual(self.refused(choices=[{"key": "1"}, {"key": "1"}]), {"choices[1].key": "1 stands here twice"})
        many = [{"key": str(key)} for key in range(101)]
        self.assertIn("choices", self.refused(choices=many))

    def test_beyond_the_house(self) -> None:
        """
        A key leads to a mobile phone at the expense of an extension that may call it; that extension is not removed
        meanwhile. Else it is said what is missing.
        """
        people = Directory([Extension("1001", "Ann", allow_external=True), Extension("1002", "Bob")])
        live = Situation(people, {}, plan=Plan(Site("DE", "30", "Europe/Berlin"), {"A": Trunk("A", "a")}))
        numbers = Numbers(people, self.memory, situation=lambda: live)
        self.client = Client(Menus(MemoryPlaces(self.memory), numbers, FakeAudit()).routes())
        mobile = {"kind": "external", "target": "01511234567", "argument": "1001"}
        answer = self.client.ask("POST", "/api/menus", {**BODY, "on_timeout": mobile})
        self.assertEqual((answer.status, answer.json["on_timeout"]), (201, mobile), answer.content)
        menu = self.memory.place("500")
        assert isinstance(menu, Menu)
        self.assertEqual(menu.on_timeout, Destination("number", "01511234567", "1001"))
        self.assertEqual(numbers.users("1001"), ["menu 500 (Main)"])
        for change, field, said in (
            ({"argument": ""}, "argument", "the extension at whose expense"),
            ({"argument": "1002"}, "target", "1002 may not call beyond the house"),
            ({"target": "09001234567"}, "target", "1001 may not call premium numbers"),
            ({"target": "1002"}, "target", "a number of the house"),
            ({"target": "sip:x"}, "target", "is no number"),
        ):
            faults = self.refused(number="501", on_timeout=mobile | change)
            self.assertIn(said, faults[f"on_timeout.{field}"])

    def test_destinations(self) -> None:
        """
        Every destination must be there, and giving up must not lead to the menu again.
        """
        nowhere, itself = {"kind": "extension", "target": "1009"}, {"kind": "menu", "target": "500"}
        self.assertEqual(
            set(self.refused(
                choices=[{"key": "1"}, {"key": "2", "destination": nowhere}], on_timeout=nowhere, on_invalid=itself,
            )),
            {"choices[1].destination.target", "on_timeout.target", "on_invalid.target"},
        )
