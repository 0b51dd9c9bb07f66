"""
Tests for :mod:`pbx.web.conferences`.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.places import Menu, Room
from pbx.web.conferences import Conferences
from pbx.web.destinations import Numbers
from pbx.web.places import IPlaces
from tests.features.conference.case import ConferenceCase
from tests.web.client import Answer, Client, FakeAudit
from tests.web.memory_places import MemoryPlaces

LOW = 300.0

BOARD: dict[str, Any] = {
    "number": "8000",
    "name": "Board",
    "pin_set": False,
    "moderator_pin_set": False,
    "max_members": 50,
    "announce": "tone",
    "wait_for_moderator": False,
    "end_with_moderator": False,
    "mute_on_entry": False,
    "record": False,
    "music": "default",
}


class ApiCase(ConferenceCase):
    """
    An exchange with conference rooms, and its API.
    """

    def setUp(self) -> None:
        super().setUp()
        self.audit = FakeAudit()
        self.client = Client(Conferences(MemoryPlaces(self.places), self.rooms, self.audit).routes())

    def post(self, path: str, body: Any = None) -> Answer:
        """
        Ask for something to be done.
        """
        return self.client.ask("POST", f"/api/conferences{path}", body)


class RoomsTests(ApiCase):
    """
    Rooms: made, read, changed, removed.
    """

    def test_interface(self) -> None:
        """
        The places of these tests are what the resource asks for.
        """
        verifyObject(IPlaces, MemoryPlaces(self.places))

    def test_add(self) -> None:
        """
        A room needs a number and a name; the rest is as usual. It can be called at once.
        """
        answer = self.post("", {"number": "8000", "name": "Board"})
        self.assertEqual((answer.status, answer.headers["location"]), (201, "/api/conferences/8000"))
        self.assertEqual(answer.json, {**BOARD, "live": None})
        self.assertEqual(self.dial().ended, [])
        self.assertEqual(self.client.ask("GET", "/api/conferences").json["conferences"][0]["number"], "8000")

    def test_everything(self) -> None:
        """
        Every setting is kept; PINs are not told, only that there are some, nor do they come into the audit record.
        """
        settings = {
            **{key: value for key, value in BOARD.items() if not key.endswith("_set")},
            "pin": "471199",
            "moderator_pin": "998877",
            "max_members": 3,
            "announce": "name",
            "wait_for_moderator": True,
            "end_with_moderator": True,
            "mute_on_entry": True,
            "record": True,
            "music": "",
        }
        answer = self.post("", settings)
        self.assertEqual(answer.status, 201)
        self.assertEqual(
            self.places.place("8000"),
            Room("8000", "Board", "471199", "998877", 3, "name", True, True, True, True, ""),
        )
        got = self.client.ask("GET", "/api/conferences/8000")
        self.assertEqual((got.json["pin_set"], got.json["moderator_pin_set"]), (True, True))
        for secret in ("471199", "998877"):
            self.assertNotIn(secret.encode(), answer.content + got.content)
            self.assertNotIn(secret, str(self.audit.rows))

    def test_taken(self) -> None:
        """
        A number is given once.
        """
        self.places.put(Menu("8000", "Reception"))
        answer = self.post("", {"number": "8000", "name": "Board"})
        self.assertEqual((answer.status, answer.json["field"]), (409, "number"))
        self.assertEqual(self.client.ask("GET", "/api/conferences/8000").status, 404)

    def test_wrong(self) -> None:
        """
        What can't be is named; a PIN is not repeated.
        """
        for body, field in (
            ({"number": "x"}, "number"),
            ({"name": ""}, "name"),
            ({"pin": "12a4"}, "pin"),
            ({"pin": "123"}, "pin"),
            ({"pin": "4711", "moderator_pin": "4711"}, "moderator_pin"),
            ({"max_members": 1}, "max_members"),
            ({"announce": "loudly"}, "announce"),
            ({"wait_for_moderator": True}, "wait_for_moderator"),
            ({"end_with_moderator": True}, "end_with_moderator"),
            ({"colour": "red"}, "colour"),
        ):
            answer = self.post("", {"number": "8000", "name": "Board", **body})
            self.assertEqual((answer.status, answer.json.get("field")), (422, field))
            self.assertNotIn(b"12a4", answer.content)
        self.assertEqual((len(self.places), self.audit.rows), (0, []))

    def test_change(self) -> None:
        """
        What is not given stays; null takes a PIN away; a new PIN shows in the audit record as such.
        """
        self.room(pin="4711", moderator_pin="9988", wait_for_moderator=True)
        answer = self.client.ask("PUT", "/api/conferences/8000", {"name": "All hands", "pin": None, "max_members": 9})
        self.assertEqual((answer.status, answer.json["name"], answer.json["pin_set"]), (200, "All hands", False))
        self.assertEqual(
            self.places.place("8000"),
            Room("8000", "All hands", None, "9988", 9, wait_for_moderator=True),
        )
        self.client.ask("PUT", "/api/conferences/8000", {"pin": "5555"})
        self.assertEqual(self.audit.rows[-1][4]["pin"], "changed")
        answer = self.client.ask("PUT", "/api/conferences/8000", {"moderator_pin": None})
        self.assertEqual((answer.status, answer.json["field"]), (422, "wait_for_moderator"))
        self.assertEqual(self.client.ask("PUT", "/api/conferences/8000", {"number": "8001"}).status, 422)
        self.assertEqual(self.client.ask("PUT", "/api/conferences/8001", {"name": "x"}).status, 404)

    def test_remove(self) -> None:
        """
        A room is removed once; who is in it stays until it goes.
        """
        self.room()
        caller = self.dial()
        self.assertEqual(self.client.ask("DELETE", "/api/conferences/8000").status, 204)
        self.assertEqual(self.client.ask("DELETE", "/api/conferences/8000").status, 404)
        self.assertEqual((caller.ended, self.audit.rows[-1][1:3]), ([], ("remove", "conference 8000")))

    def test_remove_what_is_used(self) -> None:
        """
        A room that a menu leads to is not removed, and it is said which.
        """
        self.room()
        self.places.put(Menu("500", "Main", on_timeout=Destination("conference", "8000")))
        numbers = Numbers(Directory(), self.places)
        self.client = Client(Conferences(MemoryPlaces(self.places), self.rooms, self.audit, numbers).routes())
        answer = self.client.ask("DELETE", "/api/conferences/8000")
        self.assertEqual((answer.status, answer.json["used_by"]), (409, ["menu 500 (Main)"]))


class LiveTests(ApiCase):
    """
    What goes on in rooms.
    """

    def setUp(self) -> None:
        super().setUp()
        self.room(moderator_pin="9988")
        self.talker = self.dial(LOW, keys="#", number="1001")
        self.listener = self.dial(keys="9988#", number="1002")
        self.hall.wait(1)

    def live(self) -> Any:
        """
        What the API says of it.
        """
        return self.client.ask("GET", "/api/conferences/8000").json["live"]

    def test_members(self) -> None:
        """
        Who is there, who moderates, who talks.
        """
        live = self.live()
        self.assertEqual([member["number"] for member in live["members"]], ["1001", "1002"])
        self.assertEqual([member["talking"] for member in live["members"]], [True, False])
        self.assertEqual([member["moderator"] for member in live["members"]], [False, True])
        self.assertEqual((live["locked"], live["recording"]), (False, None))

    def test_mute(self) -> None:
        """
        A member is muted, and heard again.
        """
        member = self.live()["members"][0]["id"]
        answer = self.post(f"/8000/members/{member}/mute")
        self.assertEqual((answer.status, answer.json["live"]["members"][0]["muted"]), (200, True))
        self.hall.wait(1)
        self.assertEqual(self.listener.person.heard(LOW), [0])
        self.post(f"/8000/members/{member}/unmute")
        self.hall.wait(1)
        self.assertEqual(self.listener.person.heard(LOW), [40])
        self.assertEqual([row[1] for row in self.audit.rows], ["mute", "unmute"])
        self.assertEqual(self.sounds.loaded, ["conf-muted-by-moderator", "conf-unmuted-by-moderator"])
        self.assertEqual(self.audit.rows[0][2], "1001 in conference 8000")

    def test_mute_all(self) -> None:
        """
        All but moderators are muted at once, and told so.
        """
        self.assertEqual([one["muted"] for one in self.post("/8000/mute-all").json["live"]["members"]], [True, False])
        self.assertEqual(self.sounds.loaded, ["conf-all-muted"])

    def test_kick(self) -> None:
        """
        A member is sent away.
        """
        member = self.live()["members"][0]["id"]
        answer = self.post(f"/8000/members/{member}/kick")
        self.assertEqual((answer.status, len(answer.json["live"]["members"])), (200, 1))
        self.assertEqual((self.talker.ended, self.talker.terminal.heard[-1]), ([None], "conf-kicked"))
        self.assertEqual(self.post(f"/8000/members/{member}/kick").status, 404)

    def test_lock(self) -> None:
        """
        It is locked and unlocked.
        """
        self.assertTrue(self.post("/8000/lock").json["live"]["locked"])
        self.assertEqual(self.dial(keys="#").ended, [None])
        self.assertFalse(self.post("/8000/unlock").json["live"]["locked"])

    def test_record(self) -> None:
        """
        It is recorded, until told otherwise.
        """
        self.assertEqual(self.post("/8000/record").json["live"]["recording"], str(self.reels[0].path))
        self.assertIsNone(self.post("/8000/stop-recording").json["live"]["recording"])

    def test_nothing_to_record(self) -> None:
        """
        While all wait for the moderator there is nothing to record.
        """
        self.room("8001", moderator_pin="9988", wait_for_moderator=True)
        self.dial(room="8001", keys="#")
        self.assertEqual(self.post("/8001/record").status, 409)

    def test_end(self) -> None:
        """
        It is ended for all.
        """
        self.assertEqual(self.post("/8000/end").json, {"live": None})
        self.assertEqual((self.talker.ended, self.listener.ended), ([None], [None]))
        self.assertEqual(self.post("/8000/end").status, 409)
        self.assertEqual(self.post("/8999/end").status, 404)
        self.assertEqual(self.audit.rows, [("local:root", "end", "conference 8000", None, None)])

    def test_only_for_administrators(self) -> None:
        """
        Nobody else sees or does anything.
        """
        self.client.identity.name = None
        for method, path in (("GET", ""), ("POST", "/8000/end"), ("POST", "/adhoc")):
            answer = self.client.ask(method, f"/api/conferences{path}", {} if path == "/adhoc" else None)
            self.assertEqual(answer.status, 401)
        self.assertEqual(self.talker.ended, [])


class AdHocTests(ApiCase):
    """
    Rooms for one conference.
    """

    def test_made(self) -> None:
        """
        A room is made with a PIN of its own, told once; it is listed, can be entered by its number, and is gone
        afterwards.
        """
        made = self.post("/adhoc", {})
        self.assertEqual(made.status, 201)
        number, pin = made.json["number"], made.json["pin"]
        self.assertEqual((len(number), len(pin)), (7, 6))
        self.assertNotIn(pin, str(self.audit.rows))
        listed = self.client.ask("GET", "/api/conferences").json
        self.assertEqual((listed["conferences"], [room["number"] for room in listed["ad_hoc"]]), ([], [number]))
        self.assertNotIn("pin", listed["ad_hoc"][0])
        caller = self.dial(room="", keys=f"{number}#{pin}#")
        self.assertEqual(len(self.client.ask("GET", f"/api/conferences/{number}").json["live"]["members"]), 1)
        self.assertEqual(self.post(f"/{number}/lock").status, 200)
        caller.hang_up()
        self.assertEqual(self.client.ask("GET", f"/api/conferences/{number}").status, 404)

    def test_given(self) -> None:
        """
        A PIN that was given is not told.
        """
        made = self.post("/adhoc", {"name": "Standup", "pin": "4711", "moderator_pin": "9988", "record": True})
        self.assertEqual((made.status, made.json["name"], made.json["record"]), (201, "Standup", True))
        self.assertNotIn(b"4711", made.content)
        self.assertEqual(self.post("/adhoc", {"pin": "4711", "moderator_pin": "4711"}).status, 422)
