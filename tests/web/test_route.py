"""
Tests of :mod:`pbx.web.route`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.case_sections import PlanOfCases
from pbx.ops.strict import convert
from pbx.web.route import Routing
from tests.web.client import Client

PLAN: dict[str, Any] = {
    "site": {"country": "DE", "area_code": "30", "time_zone": "Europe/Berlin"},
    "sip_trunks": [
        {"name": "Primary", "host": "a.example", "caller_id": "+493012345", "max_channels": 2},
        {"name": "Second, cheap", "host": "b.example", "priority": 2},
    ],
    "inbound_routes": [
        {
            "name": "Main", "did": "+493012345", "destination": {"kind": "extension", "target": "1001"},
            "time": "Office hours", "closed": {"kind": "voicemail", "target": "1001"},
        },
    ],
    "time_conditions": [
        {"name": "Office hours", "hours": [{"start": "08:00", "end": "17:00"}], "switch": "1"},
    ],
    "extensions": [
        {"number": "1001", "name": "Anna", "allow_external": True, "handling": {"forward_busy": "1002"}},
        {"number": "1002", "name": "Ben"},
    ],
}
"""A plan as a file of cases has it."""


def routing() -> Routing:
    """
    The resource over that plan.
    """
    plan = convert(PlanOfCases, PLAN, "", [])
    assert plan is not None
    situation = plan.situation()
    return Routing(lambda: situation, lambda: succeed(None))


class RouteTests(SynchronousTestCase):
    """
    ``GET /api/route``.
    """

    def setUp(self) -> None:
        self.client = Client(routing().routes())

    def tree(self, query: str) -> Any:
        """
        What is answered for a query.
        """
        answer = self.client.ask("GET", "/api/route?" + query.replace(" ", "%20"))
        self.assertEqual(answer.status, 200, answer.content)
        return answer.json["tree"]

    def test_a_call_out(self) -> None:
        """
        It says over which trunks a call goes, what they are sent, and why.
        """
        tree = self.tree("from=1001&number=030%20123-456")
        self.assertEqual((tree["kind"], tree["target"]), ("outside", "+4930123456"))
        self.assertEqual([way["trunk"] for way in tree["outgoing"]["ways"]], ["Primary", "Second, cheap"])
        self.assertEqual(tree["outgoing"]["ways"][0]["caller"], "+493012345")
        self.assertIn("+4930123456 is a local number", tree["reasons"])
        self.assertEqual([branch["when"] for branch in tree["branches"]],
                         ["if Primary fails before it rings", "if all of them fail"])

    def test_trunks_as_they_are_not(self) -> None:
        """
        Trunks can be taken as down or full, several by repetition or with commas; a name with a comma stays one.
        """
        tree = self.tree("from=1001&number=%2B4930123456&down=Primary")
        self.assertEqual([way["trunk"] for way in tree["outgoing"]["ways"]], ["Second, cheap"])
        self.assertIn("trunk Primary is down: as asked", tree["reasons"])
        tree = self.tree("from=1001&number=030123456&full=Second, cheap&full=Primary")
        self.assertEqual((tree["kind"], tree["status"], tree["text"]), ("refuse", 503, "all trunks are full"))
        self.assertIn("trunk Primary is full (2 of 2 channels)", tree["reasons"])

    def test_a_call_in(self) -> None:
        """
        It says where a call goes that comes in, at any time and with the night switch anywhere.
        """
        called = "from=%2B4915112345678&number=%2B493012345&trunk=Primary"
        self.assertEqual(self.tree(f"{called}&at=2026-11-30T09:00")["kind"], "extension")
        self.assertEqual(self.tree(f"{called}&at=2026-11-30T18:00")["kind"], "voicemail")
        self.assertEqual(self.tree(f"{called}&at=2026-11-30T16:30Z")["kind"], "voicemail")
        night = self.tree(f"{called}&at=2026-11-30T09:00&switch=Office hours:night")
        self.assertEqual(night["kind"], "voicemail")
        self.assertIn("Office hours is closed: switched to night by hand", night["reasons"])

    def test_what_follows(self) -> None:
        """
        Each outcome is a branch of its own, with what follows on that.
        """
        tree = self.tree("from=1002&number=1001")
        branches = {branch["when"]: branch for branch in tree["branches"]}
        self.assertEqual(set(branches), {
            "if 1001 is busy", "if 1001 does not answer", "if 1001 has no phone",
            "if 1001 does not want to be disturbed",
        })
        self.assertEqual(branches["if 1001 does not answer"]["kind"], "refuse")
        self.assertIn("1001 forwards when busy to 1002: the caller, so ignored", branches["if 1001 is busy"]["reasons"])
        self.assertEqual(self.tree("from=1002&number=1001&unregistered=1001")["status"], 480)

    def test_limits(self) -> None:
        """
        What an extension has used can be taken as more.
        """
        tree = self.tree("from=1001&number=030123456&usage=1001:4")
        self.assertEqual((tree["status"], tree["text"][:31]), (403, "1001 has 4 calls beyond the hou"))

    def test_says_what_cannot_be(self) -> None:
        """
        A name that is not there, a time that is none: the answer would be that of another question.
        """
        for query in (
            "from=1001", "from=1001&number=1&at=tomorrow", "from=1001&number=1&trunk=None",
            "from=1001&number=1&down=None", "from=1001&number=1&switch=Office hours:noon",
            "from=1001&number=1&switch=None:night", "from=1001&number=1&unregistered=9",
            "from=1001&number=1&usage=1001:many", "from=1001&number=1&usage=1001:1:2:3:4", "from=1001&number=1&up=No",
            "from=1001&number=1&usage=1001:1:2:NaN", "from=1001&number=1&at=0001-01-01T00:00%2B14:00",
            "from=1001&number=1&at=9999-12-31T23:59-14:00", "from=1001&number=1&anonymous=perhaps",
            f"from=1001&number={'1' * 65}",
        ):
            self.assertEqual(self.client.ask("GET", "/api/route?" + query.replace(" ", "%20")).status, 422, query)


class CheckTests(SynchronousTestCase):
    """
    ``POST /api/route/check``.
    """

    def setUp(self) -> None:
        self.client = Client(routing().routes())

    def check(self, body: Any) -> Any:
        """
        The answer to a body.
        """
        return self.client.ask(
            "POST", "/api/route/check", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

    def test_against_the_live_plan(self) -> None:
        """
        Each case has its verdict; one that fails says what was expected, what was found, and why.
        """
        call = {"from": "1001", "number": "030123456"}
        answer = self.check({"cases": [
            {**call, "name": "goes out", "expect": {"kind": "outside", "reason": "is a local number"}},
            {**call, "name": "is refused", "expect": {"status": 403, "reason": "may not"}},
        ]}).json
        self.assertEqual((answer["cases"], answer["failed"]), (2, 1))
        good, bad = answer["verdicts"]
        self.assertTrue(good["passed"])
        self.assertEqual(bad["name"], "is refused")
        self.assertEqual(bad["differs"][0], "status: expected 403, found 0")
        self.assertTrue(bad["differs"][1].startswith("reason: expected 'may not', found "))
        self.assertIn("over Primary, then Second, cheap", bad["reasons"])

    def test_against_a_plan_of_its_own(self) -> None:
        """
        A case may name a plan of the file.
        """
        case = {"name": "unknown", "plan": "empty", "from": "1", "number": "2", "expect": {"status": 404}}
        answer = self.check({"plans": {"empty": {}}, "cases": [case]}).json
        self.assertEqual(answer["failed"], 0)

    def test_amounts_that_nobody_can_reckon_with(self) -> None:
        """
        What is no number, and a price with a million digits, are mistakes and no fault of ours.
        """
        call = {"name": "dear", "from": "1001", "number": "030123456", "expect": {}}
        for wrong in ("NaN", "-Infinity", "1E99999", "-1"):
            price = {"rates": {"A": [{"prefix": "49", "rate": wrong}]}}
            for body in (
                {"cases": [{**call, "usage": {"1001": {"spent": wrong}}}]},
                {"plans": {"one": price}, "cases": [{**call, "plan": "one"}]},
            ):
                answer = self.check(body)
                self.assertEqual(answer.status, 422, body)
        self.assertEqual(self.check({"cases": [{**call, "at": "0001-01-01T00:00"}]}).json["failed"], 1)

    def test_says_what_is_wrong(self) -> None:
        """
        A mistake in the file is named by where it stands.
        """
        case = {"name": "x", "expect": {}, "number": 12, "plan": "none"}
        answer = self.check({"plans": {"a": {"site": {"country": "Germany"}}}, "cases": [case], "tests": []})
        self.assertEqual(answer.status, 422)
        fields = [error["field"] for error in answer.json["errors"]]
        self.assertEqual(fields, ["tests", "plans.a.site.country", "cases[0].number"])
        for body in ([], {}, {"cases": []}, {"cases": [case] * 2001}, {"cases": [], "plans": []}):
            self.assertEqual(self.check(body).status, 422)
        self.assertEqual(self.client.ask("POST", "/api/route/check", b"{", {}).status, 400)

    def test_numbers_without_end(self) -> None:
        """
        An extension of a file has no more numbers that ring, follow or are blocked than others may have, and a case no
        more that were called than a provider can say: each is decided about while calls wait.
        """
        numbers = [f"+4915{place:09d}" for place in range(20_000)]
        steps = [{"number": number} for number in numbers[:11]]
        person = {"number": "1003", "handling": {"simultaneous": numbers}}
        case = {"name": "x", "expect": {}, "number": "1003", "plan": "a", "called": numbers[:51], "handling": {
            "1003": {"follow_me": steps, "blocked": numbers[:501], "simultaneous": numbers[:10]},
        }}
        answer = self.check({"plans": {"a": {"extensions": [person]}}, "cases": [case]})
        self.assertEqual(answer.status, 422)
        self.assertEqual({error["field"]: error["detail"] for error in answer.json["errors"]}, {
            "plans.a.extensions[0].handling.simultaneous": "found 20000; allowed are up to 10",
            "cases[0].handling.1003.follow_me": "found 11; allowed are up to 10",
            "cases[0].handling.1003.blocked": "found 501; allowed are up to 500",
            "cases[0].called": "found 51; allowed are up to 50",
        })
        person["handling"] = {"simultaneous": numbers[:10]}
        case |= {"called": numbers[:50], "handling": {"1003": {"follow_me": steps[:10], "blocked": numbers[:500]}}}
        answer = self.check({"plans": {"a": {"extensions": [person]}}, "cases": [case]})
        self.assertEqual((answer.status, answer.json["failed"]), (200, 0))
