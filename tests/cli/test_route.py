"""
Tests of :mod:`pbx.cli.route`.
"""

from __future__ import annotations

import json
from pathlib import Path

from pbx.cli.route import load
from tests.cli.case import CommandCase
from tests.web.test_route import routing

CASES = """
cases:
  - name: a local number goes out
    from: "1001"
    number: "030123456"
    at: 2026-11-30T09:00:00
    expect: {kind: outside, trunks: [Primary, "Second, cheap"]}
"""

WRONG = """
  - name: a local number is refused
    from: "1001"
    number: "030123456"
    expect: {status: 403}
"""


class RouteTests(CommandCase):
    """
    ``pbxctl route``.
    """

    def setUp(self) -> None:
        self.serve(routing())

    def file(self, text: str) -> Path:
        """
        A file with this in it.
        """
        file = Path(self.mktemp())
        file.write_text(text, encoding="utf-8")
        return file

    def test_prints_the_tree(self) -> None:
        """
        What would happen stands first, what follows on it is indented.
        """
        shown = self.type("route 1002 1001 --at 2026-11-30T09:00 --down Primary --down 'Second, cheap'")
        lines = shown.splitlines()
        self.assertEqual(lines[0], "1002 calls 1001 at 2026-11-30T09:00:00+01:00")
        self.assertEqual(lines[1], "-> extension 1001")
        self.assertIn("   rings 1001 (1 phone)", lines)
        self.assertIn("   if 1001 is busy:", lines)
        self.assertIn("     -> refused: 486 Busy here", lines)

    def test_shows_what_trunks_are_sent(self) -> None:
        """
        A call out shows each trunk with the number as it is sent, and the caller.
        """
        shown = self.type("route 1001 030123456").splitlines()
        self.assertEqual(shown[1], "-> outside: +4930123456 (local)")
        self.assertEqual(shown[2], "   over Primary: calls +4930123456, shows +493012345")

    def test_a_call_in(self) -> None:
        """
        With a trunk it is a call that comes in.
        """
        shown = self.type(
            "route +4915112345678 +493012345 --trunk Primary --at 2026-11-30T20:00 --switch 'Office hours:day'"
        ).splitlines()
        self.assertEqual(shown[1], "-> extension 1001")

    def test_shows_an_emergency_call(self) -> None:
        """
        An emergency call is shown as one.
        """
        self.assertIn("-> emergency call to 112", self.type("route 1002 112"))

    def test_answer_as_json(self) -> None:
        """
        The answer can be had as it is.
        """
        self.assertEqual(json.loads(self.type("route 1001 030123456 --json"))["tree"]["kind"], "outside")

    def test_checks_a_file(self) -> None:
        """
        Cases that all are as expected are counted.
        """
        self.assertEqual(self.type(f"route --check {self.file(CASES)}"), "1 case, none failed.")

    def test_checks_the_file_that_comes_with_it(self) -> None:
        """
        Hundreds of cases with their plans fit into one request.
        """
        file = Path(__file__).resolve().parent.parent.parent / "etc" / "routing-cases.yml"
        self.assertRegex(self.type(f"route --check {file}"), r"^[34]\d\d cases, none failed\.$")

    def test_shows_what_failed(self) -> None:
        """
        A case that is not as expected is shown with what was found and why; the command fails.
        """
        said = self.refused(f"route --check {self.file(CASES + WRONG)}").splitlines()
        self.assertEqual(said[:2], ["FAILED: a local number is refused", "  status: expected 403, found 0"])
        self.assertIn("    because over Primary, then Second, cheap", said)
        self.assertEqual(said[-1], "2 cases, 1 failed.")
        answer = json.loads(self.refused(f"route --json --check {self.file(CASES + WRONG)}"))
        self.assertEqual((answer["cases"], answer["failed"]), (2, 1))

    def test_says_what_is_missing(self) -> None:
        """
        Without a number, without a file, or with both there is nothing to ask.
        """
        self.assertIn("Needed is who calls", self.refused("route 1001"))
        self.assertIn("stand in the file", self.refused(f"route 1001 2 --check {self.file(CASES)}"))
        self.assertIn("No such file", self.refused("route --check nowhere.yml"))
        self.assertIn("is no YAML", self.refused(f"route --check {self.file('a: [')}"))
        self.assertIn("there is no trunk None", self.refused("route 1001 030123456 --down None"))

    def test_times_stay_text(self) -> None:
        """
        YAML would make dates of them, which no JSON has.
        """
        self.assertEqual(load(self.file("at: 2026-11-30T09:00:00\nday: 2026-12-24")),
                         {"at": "2026-11-30T09:00:00", "day": "2026-12-24"})
