"""
What the API says before the exchange has started: that it lives, and is not ready.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.web.resource import Resource

from pbx.web.app import HEADERS
from pbx.web.problems import MEDIA_TYPE, Problem

if TYPE_CHECKING:
    from collections.abc import Callable


class Starting(Resource):
    """
    The root resource until there is something to serve.

    Args:
        why: What the start waits for, in a sentence.
    """

    isLeaf = True  # noqa: N815 - Twisted reads it

    def __init__(self, why: Callable[[], str]) -> None:
        Resource.__init__(self)
        self._why = why

    def render(self, request: Any) -> bytes:
        """
        Answer any request.
        """
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        if request.path == b"/live":
            request.setHeader("Content-Type", "application/json")
            return b'{"status": "live"}\n'
        problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, self._why())
        request.setResponseCode(problem.status)
        request.setHeader("Content-Type", MEDIA_TYPE)
        request.setHeader("Retry-After", "2")
        return msgspec.json.encode(problem.document())
