"""
The routing cases of ``etc/routing-cases.yml``, each a test of its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from pbx.cli.route import load
from pbx.ops.routing_cases import check, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.ops.case_sections import Case
    from pbx.ops.routing_cases import Cases

FILE = Path(__file__).resolve().parent.parent.parent / "etc" / "routing-cases.yml"

MISTAKES: list[str] = []
"""What is wrong with the file."""


def cases() -> Cases | None:
    """
    What the file says.
    """
    found, mistakes = read(load(FILE))
    MISTAKES.extend(map(str, mistakes))
    return found


class RoutingCases(SynchronousTestCase):
    """
    Calls, and where they must go.
    """

    def test_file(self) -> None:
        """
        The file can be read, and has enough cases, each with a name of its own and a text that its reasons must have.
        """
        self.assertEqual(MISTAKES, [])
        assert CASES is not None
        self.assertGreaterEqual(len(CASES.cases), 300)
        self.assertEqual(len({case.name for case in CASES.cases}), len(CASES.cases))
        self.assertEqual([case.name for case in CASES.cases if not case.expect.reason or case.plan is None], [])
        calls = {repr(case).partition(", expect=")[2].partition(", plan=")[2] for case in CASES.cases}
        self.assertGreaterEqual(len(calls), 300)


def tested(case: Case) -> Callable[[RoutingCases], None]:
    """
    The test of a case.
    """
    def test(self: RoutingCases) -> None:
        assert CASES is not None
        assert case.plan is not None
        verdict = check(case, CASES.plans[case.plan])
        self.assertEqual(verdict.differs, (), "\n".join(verdict.reasons))

    test.__doc__ = f"{case.name}."
    return test


CASES = cases()

if CASES is not None:
    for number, each in enumerate(CASES.cases):
        name = re.sub("[^a-z0-9]+", "_", each.name.lower()).strip("_")
        setattr(RoutingCases, f"test_{number:03}_{name}", tested(each))
