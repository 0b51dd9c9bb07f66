"""
Command lines typed against the API, with whatever a test puts behind it.
"""

from __future__ import annotations

import shlex
from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pbx.cli.api import CliError
from pbx.cli.command import parser, run
from pbx.tasks import Tasks
from pbx.web.app import WebApp
from tests.web.client import FakeIdentity


class Typing:
    """
    Types command lines, in any test case.

    Attributes:
        app: The API that they reach.
    """

    app: WebApp

    def serve(self, *resources: Any) -> None:
        """
        Make an API of resources.
        """
        routes = [route for resource in resources for route in resource.routes()]
        self.app = WebApp(routes, FakeIdentity(), Tasks())

    def type(self, line: str, secret: str = "") -> str:
        """
        What a command line shows.
        """
        return self.successResultOf(self.typed(line, secret))  # type: ignore[attr-defined, no-any-return]

    def rows(self, line: str) -> list[list[str]]:
        """
        The cells of the table that a command line shows, without its heading.
        """
        return [row.split() for row in self.type(line).splitlines()[1:]]

    def refused(self, line: str, secret: str = "") -> str:
        """
        What is said instead of what a command line would show.
        """
        failure = self.failureResultOf(self.typed(line, secret), CliError)  # type: ignore[attr-defined]
        return failure.getErrorMessage()  # type: ignore[no-any-return]

    def typed(self, line: str, secret: str = "") -> Deferred[str]:
        """
        Type a command line, and a secret when it asks for one.
        """
        options = parser().parse_args(shlex.split(line))
        options.read_password = lambda what="Password": secret
        stub = StubTreq(self.app.resource())
        running = Deferred.fromCoroutine(run(options, stub))
        # Some commands ask twice.
        for _ in range(3):
            stub.flush()
        return running


class CommandCase(Typing, SynchronousTestCase):
    """
    Command lines in a test case of their own.
    """
