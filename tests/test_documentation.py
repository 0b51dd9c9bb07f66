"""
What is written for people agrees with the program: the API's description, and the commands of the README.
"""

from __future__ import annotations

import inspect
import json
import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pbx.cli.command import parser
from pbx.directory.star_codes import FEATURES
from pbx.ops.strict import Mistake, convert
from pbx.web import site
from pbx.web.extensions import NewExtension
from pbx.web.problems import Problem
from pbx.web.routes import Route, json_body

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.rst").read_text(encoding="utf-8")
API = (TOP / "docs" / "api.rst").read_text(encoding="utf-8")

HEADING = re.compile(r"^((?:GET|POST|PUT|PATCH|DELETE) /\S*)\n~+$", re.MULTILINE)
"""A route, as a heading of the description."""

ASKED = re.compile(r"^ +api (GET|POST|PUT|PATCH|DELETE) (\S+)(?: '([^']*)')?", re.MULTILINE)
"""A request, as an example shows it: method, path, and a body that may go over several lines."""

BLOCK = re.compile(r"^\.\. code-block:: json\n\n((?:    .*\n|\n)+)", re.MULTILINE)
"""A piece of JSON, as an example shows it."""


def served(case: SynchronousTestCase) -> list[Route]:
    """
    Every route that the exchange answers.
    """
    found: list[Route] = []

    class App:
        def __init__(self, routes: list[Route], *arguments: Any, **more: Any) -> None:
            found.extend(routes)

        def resource(self) -> None:
            """
            Nobody asks it.
            """

    class Around:
        def getThreadPool(self) -> None:  # noqa: N802 - as the reactor calls it
            """
            Nothing is worked on.
            """

        def seconds(self) -> float:
            """
            Time does not pass.
            """
            return 0.0

        def serve(self, *arguments: Any) -> None:
            """
            Nothing is served.
            """

    case.patch(site, "WebApp", App)
    behind = [name for name in inspect.signature(site.WebSite).parameters if name not in {"reactor", "server"}]
    everything: dict[str, Any] = {name: object() for name in behind}
    around: Any = Around()
    site.WebSite(around, around, **everything)
    return found


def name(route: Route) -> str:
    """
    A route as it is written.
    """
    return f"{route.method} {route.path.replace('<path:', '<')}"


class DescriptionTests(SynchronousTestCase):
    """
    ``docs/api.rst``.
    """

    def setUp(self) -> None:
        self.routes = {name(route): route for route in served(self)}
        parts = HEADING.split(API)
        self.sections = dict(zip(parts[1::2], parts[2::2], strict=True))

    def test_routes(self) -> None:
        """
        Each route that is served is described, and no other.
        """
        self.assertGreater(len(self.routes), 60)
        self.assertEqual(set(self.routes), set(self.sections))

    def test_fields(self) -> None:
        """
        Each field of a body or a query stands in the list of its route, and no other.
        """
        for route in self.routes.values():
            wanted = {
                field.encode_name
                for struct in (route.body, route.query)
                if struct is not None
                for field in msgspec.structs.fields(struct)
            }
            listed = set(re.findall(r"^- ``(\w+)``:", self.sections[name(route)], re.MULTILINE))
            self.assertEqual(listed, wanted, name(route))

    def test_answers(self) -> None:
        """
        Each example of an answer is JSON.
        """
        blocks = BLOCK.findall(API)
        self.assertGreater(len(blocks), 40)
        for block in blocks:
            self.assertIsInstance(json.loads(block), dict)

    def test_problem(self) -> None:
        """
        The example of a problem is what a wrong field is answered.
        """
        (example,) = [json.loads(block) for block in BLOCK.findall(API) if "One field" in block]
        with self.assertRaises(Problem) as caught:
            body = b'{"number": "12a", "name": "Eve", "password": "SecurePassword123!"}'
            json_body(NewExtension, "application/json", body)
        self.assertEqual(example, caught.exception.document())


class ExamplesTests(SynchronousTestCase):
    """
    What can be typed as it stands.
    """

    def test_requests(self) -> None:
        """
        Each example of a request is one that is served, with a body that is taken.
        """
        routes = served(self)
        for text in (README, API):
            found = ASKED.findall(text)
            self.assertGreater(len(found), 5)
            for method, path, body in found:
                target = "/api/" + path.partition("?")[0]
                fitting = [
                    route
                    for route in routes
                    if route.method == method and re.fullmatch(re.sub("<[^>]+>", "[^/]+", route.path), target)
                ]
                self.assertTrue(fitting, f"{method} {path}")
                # Among /mail/<mail> and /mail/test the one without a variable is meant.
                route = min(fitting, key=lambda each: each.path.count("<"))
                mistakes: list[Mistake] = []
                if route.body is not None:
                    convert(route.body, json.loads(body), "", mistakes)
                self.assertEqual(mistakes, [], f"{method} {path} {body}")

    def test_commands(self) -> None:
        """
        Each ``pbxctl`` of the README is a command.
        """
        lines = re.findall(r"^ +(?:\.venv/bin/)?pbxctl (.+)$", README, re.MULTILINE)
        self.assertGreater(len(lines), 10)
        for line in lines:
            parser().parse_args(shlex.split(line, comments=True))

    def test_star_codes(self) -> None:
        """
        The README's table of star codes names every feature with its code.
        """
        rows = re.findall(r"^``(\w+)`` +``(\S+?)(?:…)?``  ", README, re.MULTILINE)
        self.assertEqual(dict(rows), {feature: each.code for feature, each in FEATURES.items()})
        dots = {feature for feature, _ in re.findall(r"^``(\w+)`` +``(\S+?)…``  ", README, re.MULTILINE)}
        self.assertEqual(dots, {feature for feature, each in FEATURES.items() if each.argument})
