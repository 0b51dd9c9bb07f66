"""
Tests for :mod:`pbx.web.handling`.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.places import Member, Places, RingGroup
from pbx.directory.plan import Plan, Site
from pbx.directory.situation import Situation
from pbx.directory.trunk import Trunk
from pbx.web.destinations import Numbers
from pbx.web.extensions import ExtensionGoneError, Extensions
from pbx.web.handling import HandlingOfExtensions
from tests.web.client import Client, FakeAudit
from tests.web.fakes import MemoryExtensions

PATH = "/api/extensions/1001/handling"
PLAIN = {
    "dnd": False, "forward_always": None, "forward_busy": None, "forward_no_answer": None,
    "forward_unregistered": None, "no_answer_timeout": None, "voicemail": True, "simultaneous": [], "follow_me": [],
    "blocked": [], "pickup_group": None,
}
BODY = {
    "dnd": True, "forward_always": "600", "forward_busy": "1002", "no_answer_timeout": 20, "voicemail": False,
    "simultaneous": ["1002"], "follow_me": [{"number": "1002", "after": 10, "lasting": 15, "confirm": False}],
    "blocked": ["0900*", "anonymous", "+4930123"], "pickup_group": "sales",
}


class HandlingTests(SynchronousTestCase):
    """
    How an extension's calls are handled, over the API.
    """

    def setUp(self) -> None:
        """
        Two extensions, and a ring group with one of them.
        """
        people = [Extension("1001", "Ann"), Extension("1002", "Bob")]
        self.extensions = MemoryExtensions()
        self.extensions.kept = {person.number: person for person in people}
        self.audit = FakeAudit()
        numbers = Numbers(Directory(people), Places([RingGroup("600", "Sales", members=(Member("1002"),))]))
        self.numbers = numbers
        self.client = Client([
            *HandlingOfExtensions(self.extensions, numbers, self.audit).routes(),
            *Extensions(self.extensions, self.audit, numbers).routes(),
        ])

    def refused(self, body: dict[str, Any]) -> dict[str, str]:
        """
        What is wrong with which field of a body.
        """
        answer = self.client.ask("PATCH", PATH, body)
        self.assertEqual(answer.status, 422, answer.content)
        return {error["field"]: error["detail"] for error in answer.json["errors"]}

    def of_ann(self) -> Handling:
        """
        How 1001 is handled.
        """
        return self.extensions.kept["1001"].handling

    def test_read(self) -> None:
        """
        An extension that wants nothing special says so in full.
        """
        self.assertEqual(self.client.ask("GET", PATH).json, PLAIN)

    def test_replace(self) -> None:
        """
        PUT says all of it: what it leaves out is as usual.
        """
        answer = self.client.ask("PUT", PATH, BODY)
        self.assertEqual((answer.status, answer.json), (200, {**PLAIN, **BODY}))
        self.assertEqual(
            self.of_ann(),
            Handling(
                dnd=True, forward_always="600", forward_busy="1002", no_answer_timeout=20, voicemail=False,
                simultaneous=("1002",), follow_me=(FollowMe("1002", 10, 15, confirm=False),),
                blocked=("0900*", "anonymous", "+4930123"), pickup_group="sales",
            ),
        )
        self.assertEqual(self.client.ask("PUT", PATH, {}).json, PLAIN)

    def test_change(self) -> None:
        """
        PATCH changes what it names alone, and only that is written.
        """
        self.client.ask("PUT", PATH, BODY)
        answer = self.client.ask("PATCH", PATH, {"dnd": False, "forward_always": None})
        self.assertEqual(answer.json, {**PLAIN, **BODY, "dnd": False, "forward_always": None})
        self.assertEqual(self.client.ask("PATCH", PATH, {}).json, answer.json)

    def test_wrong_fields(self) -> None:
        """
        Every field that can't be is named.
        """
        wrong = {
            "dnd": 1, "forward_busy": "*97", "no_answer_timeout": 4, "simultaneous": ["x"], "pickup_group": "",
            "blocked": ["*"], "follow_me": [{"number": "1002", "after": -1}], "mood": "bad",
        }
        self.assertEqual(set(self.refused(wrong)), set(wrong) - {"follow_me"} | {"follow_me[0].after"})

    def test_numbers(self) -> None:
        """
        Calls are forwarded to numbers that are there, others that ring are extensions, and none is the extension.
        """
        self.assertEqual(
            self.refused({
                "forward_always": "1001", "forward_busy": "2000", "simultaneous": ["1002", "600"],
                "follow_me": [{"number": "1001"}],
            }),
            {
                "forward_always": "the extension itself",
                "forward_busy": "2000 is no number that can be called",
                "simultaneous[1]": "600 is no extension",
                "follow_me[0].number": "the extension itself",
            },
        )
        many = [str(number) for number in range(1000, 1501)]
        self.assertEqual(self.refused({"blocked": many}), {"blocked": "found 501; allowed are up to 500"})

    def test_numbers_beyond_the_house(self) -> None:
        """
        Calls are also sent to a mobile phone, and ring there, where the extension may call it; else it is said why not.
        """
        mobile, dear = "01511234567", "09001234567"
        people = Directory([Extension("1001", "Ann", allow_external=True)])
        live = Situation(people, {}, plan=Plan(Site("DE", "30", "Europe/Berlin"), {"A": Trunk("A", "a")}))
        handling = HandlingOfExtensions(self.extensions, self.numbers, self.audit, lambda: live)
        self.client = Client(handling.routes())
        body = {"forward_always": mobile, "simultaneous": ["+491511234567"], "follow_me": [{"number": mobile}]}
        answer = self.client.ask("PATCH", PATH, body)
        self.assertEqual(answer.status, 200, answer.content)
        self.assertEqual(self.of_ann().follow_me, (FollowMe(mobile),))
        self.assertEqual(
            self.refused({"forward_busy": dear, "follow_me": [{"number": dear}, {"number": "600"}]}),
            {
                "forward_busy": f"{dear} is no number that can be called: 1001 may not call premium numbers",
                "follow_me[0].number": f"{dear} is no extension: 1001 may not call premium numbers",
                "follow_me[1].number": "600 is no extension",
            },
        )
        people.put(Extension("1001", "Ann"))
        said = self.refused({"forward_busy": mobile})["forward_busy"]
        self.assertIn(f"{mobile} is no number that can be called: 1001 may not call beyond the house", said)

    def test_missing(self) -> None:
        """
        An extension that is not there is 404, also when it has gone just now.
        """
        for number in ("1009", "%00"):
            for method, body in (("GET", None), ("PUT", {}), ("PATCH", {})):
                self.assertEqual(self.client.ask(method, f"/api/extensions/{number}/handling", body).status, 404)

        async def gone(number: str, changes: object) -> Extension:
            raise ExtensionGoneError(number)

        self.patch(self.extensions, "change_handling", gone)
        self.assertEqual(self.client.ask("PUT", PATH, {}).status, 404)

    def test_audit(self) -> None:
        """
        A change is recorded with who made it, before and after.
        """
        self.client.ask("PATCH", PATH, {"dnd": True})
        before, after = attrs.asdict(Handling()), attrs.asdict(Handling(dnd=True))
        self.assertEqual(
            self.audit.rows, [("local:root", "change", "handling of extension 1001", before, after)]
        )

    def test_an_extension_that_is_used(self) -> None:
        """
        An extension that a place leads to is not removed, and it is said which.
        """
        answer = self.client.ask("DELETE", "/api/extensions/1002")
        self.assertEqual((answer.status, answer.json["used_by"]), (409, ["ring group 600 (Sales)"]))
        self.assertEqual(self.client.ask("DELETE", "/api/extensions/1001").status, 204)
