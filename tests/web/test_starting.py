"""
Tests of :mod:`pbx.web.starting`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from pbx.web.starting import Starting


class StartingTests(SynchronousTestCase):
    """
    The API before the exchange has started.
    """

    def ask(self, path: bytes, method: bytes = b"GET") -> tuple[int, Any]:
        """
        Status and JSON of the answer.
        """
        request = DummyRequest([b""])
        request.path, request.method = path, method  # type: ignore[attr-defined]
        body = Starting(lambda: "It waits.").render(request)
        return request.responseCode or 200, json.loads(body)

    def test_live(self) -> None:
        """
        It lives: whoever watches over it must not start it again.
        """
        self.assertEqual(self.ask(b"/live"), (200, {"status": "live"}))

    def test_everything_else(self) -> None:
        """
        Whatever else is asked gets 503, with the reason, and nothing of who may ask what.
        """
        for path, method in ((b"/ready", b"GET"), (b"/api/extensions", b"POST"), (b"/nowhere", b"GET")):
            status, problem = self.ask(path, method)
            self.assertEqual((status, problem["status"], problem["detail"]), (503, 503, "It waits."))
