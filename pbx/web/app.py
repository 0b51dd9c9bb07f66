"""
The web application: routes on Klein, with who asks, what is asked and what went wrong treated the same everywhere.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from pbx.web.problems import MEDIA_TYPE, Problem, too_large, unauthorized
from pbx.web.routes import LARGEST_BODY, Ask, Reply, Route, is_json, json_body, query_values, upload_body

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from klein.resource import KleinResource

    from pbx.tasks import Tasks

T = TypeVar("T")

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
"""What every answer carries."""


class WebApp:
    """
    All routes together.
    """

    log = Logger()

    def __init__(
        self,
        routes: Iterable[Route],
        identity: Any,
        tasks: Tasks,
        unavailable: tuple[type[Exception], ...] = (),
    ) -> None:
        """
        An application over some routes.

        Args:
            routes: What it answers.
            identity: An ``IIdentity``, which says who asks.
            tasks: Where writes run.
            unavailable: The errors by which a route shows that the database is away; they are answered 503.
        """
        # Klein imports the reactor: not before there is one.
        from klein import Klein

        self._identity = identity
        self._tasks = tasks
        self._unavailable = unavailable
        self._uploads: list[tuple[str, re.Pattern[str], int]] = []
        self._klein = Klein()
        for route in routes:
            self._add(route)
        self._klein.handle_errors(Exception)(self._failed)

    def resource(self) -> KleinResource:
        """
        The root resource for a site.
        """
        return self._klein.resource()

    def largest(self, method: str, path: str) -> int:
        """
        The most bytes that the body of a request may have.
        """
        fitting = (most for each, pattern, most in self._uploads if each == method and pattern.fullmatch(path))
        return max(fitting, default=LARGEST_BODY)

    async def may_upload(self, request: Any) -> bool:
        """
        Whether more than a little is taken from who sends a request.
        """
        return await self._identity.who(request) is not None

    def _add(self, route: Route) -> None:
        if route.upload:
            pattern = re.compile(re.sub(r"<[a-z_]+>", "[^/]+", route.path))
            self._uploads.append((route.method, pattern, route.upload))

        async def serve(request: Any, **path: str) -> bytes:
            return self._send(request, await self._reply(route, request, path))

        add: Callable[[Any], Any] = self._klein.route(
            route.path, methods=[route.method], endpoint=f"{route.method} {route.path}"
        )
        add(serve)

    async def _reply(self, route: Route, request: Any, path: dict[str, str]) -> Reply:
        actor = ""
        if not route.is_open:
            actor = await self._actor(request)
        if any("\0" in name for name in path.values()):
            # Nothing has such a name. The database takes it for a mistake of ours even to be asked.
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no {shown_path(request)}.")
        ask = Ask(actor, path, self._body(route, request), self._query(route, request))
        if route.writes:
            result = await self._unharmed(route.answer(ask), f"{route.method} {route.path}")
        else:
            result = await route.answer(ask)
        return result if isinstance(result, Reply) else Reply(result)

    async def _actor(self, request: Any) -> str:
        actor: str | None = await self._identity.who(request)
        if actor is None:
            raise unauthorized()
        return actor

    def _body(self, route: Route, request: Any) -> object:
        if route.form:
            fields: dict[bytes, list[bytes]] = request.args
            return {key.decode("latin-1"): values[-1].decode("utf-8", "replace") for key, values in fields.items()}
        if route.body is None and not route.upload:
            return None
        content_type = (request.requestHeaders.getRawHeaders("content-type") or [""])[0]
        content: bytes = request.content.read()
        if route.body is None or (route.upload and not is_json(content_type)):
            return upload_body(content_type, content)
        if len(content) > LARGEST_BODY:
            raise too_large(LARGEST_BODY)
        return json_body(route.body, content_type, content)

    def _query(self, route: Route, request: Any) -> object:
        return query_values(route.query, request.args) if route.query is not None else None

    async def _unharmed(self, work: Any, what: str) -> object:
        """
        The result of a write, which goes on to its end when the client has gone and the wait is cancelled.
        """
        ended: Deferred[object] = Deferred()

        async def run() -> None:
            try:
                result = await work
            except Exception:  # noqa: BLE001 - the border: whoever waits gets it, and if nobody does, the log
                failure = Failure()
                if not ended.called:
                    ended.errback(failure)
                elif failure.check(Problem, CancelledError) is None:
                    self.log.failure("{what} failed after its client had gone", failure=failure, what=what)
            else:
                if not ended.called:
                    ended.callback(result)

        started = self._tasks.start(run(), what)
        if started.called and not ended.called:
            _close(work)
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The exchange is stopping.")
        return await ended

    async def _failed(self, request: Any, failure: Failure) -> bytes:
        """
        Answer any error with a problem document.
        """
        problem = await self._problem(request, failure)
        reply = Reply(problem.document(), problem.status, {"Content-Type": MEDIA_TYPE, **problem.headers})
        return self._send(request, reply)

    async def _problem(self, request: Any, failure: Failure) -> Problem:
        error = failure.value
        if isinstance(error, Problem):
            return error
        if isinstance(error, HTTPException):
            # Whether a path exists is nobody's business who may not use it.
            if await self._identity.who(request) is None:
                return unauthorized()
            return _no_route(request, error)
        if isinstance(error, self._unavailable):
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The database is away at the moment; calls go on. Try again in a few seconds.",
                headers={"Retry-After": "5"},
            )
        if not isinstance(error, CancelledError):
            method = request.method.decode("latin-1")
            self.log.failure("{method} of {path} failed", failure=failure, method=method, path=shown_path(request))
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something in the exchange failed; its log says what.")

    def _send(self, request: Any, reply: Reply) -> bytes:
        body = reply.body
        headers = {**HEADERS, "Content-Type": "application/json", **reply.headers}
        if reply.status == HTTPStatus.NO_CONTENT:
            body, _ = b"", headers.pop("Content-Type")
        if not isinstance(body, bytes):
            body = msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n"
        request.setResponseCode(reply.status)
        for name, value in headers.items():
            request.setHeader(name, value)
        if reply.status != HTTPStatus.NO_CONTENT:
            request.setHeader("Content-Length", str(len(body)))
        return body


def _close(work: Any) -> None:
    coroutine: Coroutine[Any, Any, Any] = work
    coroutine.close()


def _no_route(request: Any, error: HTTPException) -> Problem:
    """
    The problem for a path that no route has, or that has another method.
    """
    path = request.path.decode("utf-8", "replace")
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        method = request.method.decode("latin-1")
        return Problem(error.code, f"{path} takes {allowed}, not {method}.", headers={"Allow": allowed})
    if error.code == HTTPStatus.NOT_FOUND:
        return Problem(HTTPStatus.NOT_FOUND, f"There is no {path}.")
    return Problem(error.code or HTTPStatus.BAD_REQUEST, error.description or "The request makes no sense.")


def shown_path(request: Any) -> str:
    """
    The path of a request as the log may know it: without the token of the one-time link.
    """
    path: str = request.path.decode("utf-8", "replace")
    return "/first/..." if path.startswith("/first/") else path
