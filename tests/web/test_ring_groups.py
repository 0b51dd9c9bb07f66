"""
Tests for :mod:`pbx.web.ring_groups` and what it shares with other places (:mod:`pbx.web.place_resource`).
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.directory.decision import Destination
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.places import Choice, Member, Menu, Places, RingGroup
from pbx.web.destinations import Numbers
from pbx.web.places import IPlaces
from pbx.web.ring_groups import MOST_MEMBERS, RingGroups
from tests.web.client import Client, FakeAudit
from tests.web.memory_places import MemoryPlaces

BODY = {
    "number": "600",
    "name": "Sales",
    "members": [{"number": "1001"}, {"number": "1002", "after": 10, "lasting": 20}],
    "otherwise": {"kind": "voicemail", "target": "1001"},
}
GROUP = RingGroup(
    "600", "Sales", members=(Member("1001"), Member("1002", 10, 20)), otherwise=Destination("voicemail", "1001")
)
SHOWN = {
    "number": "600",
    "name": "Sales",
    "strategy": "all",
    "members": [{"number": "1001", "after": 0, "lasting": None}, {"number": "1002", "after": 10, "lasting": 20}],
    "timeout": 30,
    "otherwise": {"kind": "voicemail", "target": "1001"},
}


class RingGroupsTests(SynchronousTestCase):
    """
    Ring groups over the API.
    """

    def setUp(self) -> None:
        """
        Three extensions and a menu.
        """
        directory = Directory(Extension(number, number) for number in ("1001", "1002", "1003"))
        self.memory = Places([Menu("500", "Main")])
        self.places = MemoryPlaces(self.memory)
        self.audit = FakeAudit()
        self.client = Client(RingGroups(self.places, Numbers(directory, self.memory), self.audit).routes())

    def refused(self, method: str, path: str, body: Any) -> dict[str, str]:
        """
        What is wrong with which field of a body.
        """
        answer = self.client.ask(method, path, body)
        self.assertEqual(answer.status, 422, answer.content)
        return {error["field"]: error["detail"] for error in answer.json["errors"]}

    def test_interface(self) -> None:
        """
        The tests keep places as the interface says.
        """
        verifyObject(IPlaces, self.places)

    def test_add_and_read(self) -> None:
        """
        A group that was added is there at once, and is read as it was written.
        """
        answer = self.client.ask("POST", "/api/ring-groups", BODY)
        self.assertEqual((answer.status, answer.headers["location"]), (201, "/api/ring-groups/600"))
        self.assertEqual(answer.json, SHOWN)
        self.assertEqual(self.memory.place("600"), GROUP)
        self.assertEqual(self.client.ask("GET", "/api/ring-groups/600").json, SHOWN)
        self.assertEqual(self.client.ask("GET", "/api/ring-groups").json, {"ring_groups": [SHOWN]})

    def test_change(self) -> None:
        """
        A change keeps what it leaves out; a list is replaced as a whole; null takes a destination away.
        """
        self.client.ask("POST", "/api/ring-groups", BODY)
        answer = self.client.ask("PUT", "/api/ring-groups/600", {"strategy": "memory", "otherwise": None})
        self.assertEqual(answer.json, {**SHOWN, "strategy": "memory", "otherwise": None})
        answer = self.client.ask("PUT", "/api/ring-groups/600", {"members": [{"number": "1003"}], "number": "600"})
        self.assertEqual(answer.json["members"], [{"number": "1003", "after": 0, "lasting": None}])
        self.assertEqual(answer.json["strategy"], "memory")
        self.assertIn("number", self.refused("PUT", "/api/ring-groups/600", {"number": "601"}))

    def test_remove(self) -> None:
        """
        A group is removed, unless something leads there: then it is said what.
        """
        self.client.ask("POST", "/api/ring-groups", BODY)
        self.memory.put(Menu("500", "Main", choices=(Choice("1", Destination("ring_group", "600")),)))
        answer = self.client.ask("DELETE", "/api/ring-groups/600")
        self.assertEqual((answer.status, answer.json["used_by"]), (409, ["menu 500 (Main)"]))
        self.assertIn("menu 500 (Main)", answer.json["detail"])
        self.memory.put(Menu("500", "Main", choices=(Choice("1", Destination("announcement", "hi", "600")),)))
        self.assertEqual(self.client.ask("DELETE", "/api/ring-groups/600").status, 409)
        self.memory.put(Menu("500", "Main", choices=(Choice("1", Destination("announcement", "600")),)))
        self.assertEqual(self.client.ask("DELETE", "/api/ring-groups/600").status, 204)
        self.assertIsNone(self.memory.place("600"))

    def test_a_number_that_is_taken(self) -> None:
        """
        The number of an extension or of another place is 409 about the number, also when it was taken just now.
        """
        self.places.taken.add("601")
        for number in ("1001", "500", "601"):
            answer = self.client.ask("POST", "/api/ring-groups", {**BODY, "number": number})
            self.assertEqual((answer.status, answer.json["field"]), (409, "number"))

    def test_missing(self) -> None:
        """
        A group that is not there is 404, also when it is something else, or has gone just now.
        """
        for number in ("600", "500", "%00", "a"):
            for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
                self.assertEqual(self.client.ask(method, f"/api/ring-groups/{number}", body).status, 404)
        self.client.ask("POST", "/api/ring-groups", BODY)
        self.places.gone.add("600")
        for method, body in (("PUT", {}), ("DELETE", None)):
            self.assertEqual(self.client.ask(method, "/api/ring-groups/600", body).status, 404)

    def test_wrong_fields(self) -> None:
        """
        Everything that is wrong with a body is said at once, by the field within its list too.
        """
        body = {
            "number": "6", "name": "", "strategy": "none", "timeout": 4, "boss": 1,
            "members": [{"number": "1001", "after": -1}, {"lasting": 1, "number": "x"}],
            "otherwise": {"kind": "refuse"},
        }
        self.assertEqual(
            set(self.refused("POST", "/api/ring-groups", body)),
            {
                "number", "name", "strategy", "timeout", "boss", "members[0].after", "members[1].number",
                "members[1].lasting", "otherwise.kind",
            },
        )
        self.assertEqual(set(self.refused("POST", "/api/ring-groups", {})), {"number", "name", "members"})
        self.client.ask("POST", "/api/ring-groups", BODY)
        wrong = {"members": [{"number": "x"}], "otherwise": {}}
        self.assertEqual(
            set(self.refused("PUT", "/api/ring-groups/600", wrong)), {"members[0].number", "otherwise.kind"}
        )

    def test_members(self) -> None:
        """
        Members are extensions, each once, and there is at least one and not too many.
        """
        members = [{"number": "1001"}, {"number": "500"}, {"number": "1001"}]
        self.assertEqual(
            self.refused("POST", "/api/ring-groups", {**BODY, "members": members}),
            {"members[1].number": "there is no extension 500", "members[2].number": "1001 stands here twice"},
        )
        many = [{"number": str(2000 + index)} for index in range(MOST_MEMBERS + 1)]
        for wrong in ([], many):
            self.assertIn("members", self.refused("POST", "/api/ring-groups", {**BODY, "members": wrong}))

    def test_destination(self) -> None:
        """
        Callers that nobody took are sent to something that is there, and not to the group again.
        """
        for otherwise, field in (
            ({"kind": "extension", "target": "1009"}, "otherwise.target"),
            ({"kind": "ring_group", "target": "601"}, "otherwise.target"),
            ({"kind": "ring_group", "target": "500"}, "otherwise.target"),
            ({"kind": "ring_group", "target": "600"}, "otherwise.target"),
            ({"kind": "menu", "target": "501"}, "otherwise.target"),
            ({"kind": "voicemail", "target": "1009"}, "otherwise.target"),
            ({"kind": "voicemail"}, "otherwise.target"),
            ({"kind": "mailbox", "target": "1009"}, "otherwise.target"),
            ({"kind": "announcement"}, "otherwise.target"),
            ({"kind": "announcement", "target": "hi", "argument": "1009"}, "otherwise.argument"),
            ({"kind": "directory", "target": "x"}, "otherwise.target"),
            ({"kind": "menu", "target": "500", "argument": "1"}, "otherwise.argument"),
        ):
            wrong = self.refused("POST", "/api/ring-groups", {**BODY, "otherwise": otherwise})
            self.assertEqual(list(wrong), [field], otherwise)
        for number, otherwise in enumerate((
            {"kind": "extension", "target": "1003"}, {"kind": "menu", "target": "500"}, {"kind": "mailbox"},
            {"kind": "announcement", "target": "hi"}, {"kind": "announcement", "target": "hi", "argument": "500"},
            {"kind": "directory"}, {"kind": "hangup"}, None,
        )):
            body = {**BODY, "number": str(610 + number), "otherwise": otherwise}
            answer = self.client.ask("POST", "/api/ring-groups", body)
            self.assertEqual(answer.status, 201, answer.content)
            wanted = None if otherwise is None else {"target": "", **otherwise}
            self.assertEqual(answer.json["otherwise"], wanted)

    def test_audit(self) -> None:
        """
        Every change is recorded with who made it, before and after.
        """
        self.client.ask("POST", "/api/ring-groups", BODY)
        self.client.ask("PUT", "/api/ring-groups/600", {"name": "Sellers"})
        self.client.ask("DELETE", "/api/ring-groups/600")
        after = {**SHOWN, "name": "Sellers"}
        self.assertEqual(
            self.audit.rows,
            [
                ("local:root", "add", "ring group 600", None, SHOWN),
                ("local:root", "change", "ring group 600", SHOWN, after),
                ("local:root", "remove", "ring group 600", after, None),
            ],
        )
