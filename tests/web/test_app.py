"""
Tests for :mod:`pbx.web.app`, :mod:`pbx.web.routes`, :mod:`pbx.web.problems` and the requests of
:mod:`pbx.web.server`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.web.identity import AnyOf, IAudit, IIdentity, LogAudit
from pbx.web.problems import Problem
from pbx.web.routes import LARGEST_BODY, Ask, Route
from pbx.web.server import DRAINED
from tests.web.client import Answer, Client, FakeAudit, FakeIdentity, parsed


class AwayError(Exception):
    """
    What a database that is away raises.
    """


class Body(msgspec.Struct, frozen=True):
    """
    A body for the tests.
    """

    size: int
    name: str = ""


class Query(msgspec.Struct, frozen=True):
    """
    A query for the tests.
    """

    limit: int = 10
    who: str | None = None


class AppCase(SynchronousTestCase):
    """
    An application with a few routes.
    """

    def setUp(self) -> None:
        self.asked: list[Ask] = []
        self.result: Any = {"good": True}
        self.client = Client(
            [
                Route("GET", "/api/thing", self.answer, query=Query),
                Route("POST", "/api/thing", self.answer, body=Body),
                Route("GET", "/api/thing/<name>", self.answer),
                Route("GET", "/open", self.answer, is_open=True),
            ],
            unavailable=(AwayError,),
        )

    async def answer(self, ask: Ask) -> Any:
        """
        The result that a test has set: raised, awaited or returned.
        """
        self.asked.append(ask)
        if isinstance(self.result, Exception):
            raise self.result
        return await self.result if isinstance(self.result, Deferred) else self.result

    def assert_problem(self, answer: Answer, status: int, field: str | None = None) -> dict[str, Any]:
        """
        An answer is a problem document of a status, about a field.
        """
        document: dict[str, Any] = answer.json
        self.assertEqual(answer.status, status, document)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertEqual((document["type"], document["status"]), ("about:blank", status))
        self.assertTrue(document["title"])
        self.assertTrue(document["detail"])
        self.assertEqual(document.get("field"), field)
        return document


class AnswerTests(AppCase):
    """
    What goes well.
    """

    def test_json(self) -> None:
        """
        A result is sent as JSON that is not kept by anyone on the way.
        """
        answer = self.client.ask("GET", "/api/thing")
        self.assertEqual((answer.status, answer.json), (200, {"good": True}))
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertTrue(answer.content.endswith(b"\n"))

    def test_ask(self) -> None:
        """
        A route is told who asks, the parts of the path, and the checked query and body.
        """
        self.client.ask("GET", "/api/thing?limit=3&who=a+b")
        self.client.ask("GET", "/api/thing/a%20b")
        self.client.ask("POST", "/api/thing", {"size": 3})
        first, second, third = self.asked
        self.assertEqual((first.actor, first.query), ("local:root", Query(3, "a b")))
        self.assertEqual(second.path, {"name": "a b"})
        self.assertEqual(third.body, Body(3))

    def test_head(self) -> None:
        """
        HEAD is GET without the body.
        """
        answer = self.client.ask("HEAD", "/api/thing")
        self.assertEqual((answer.status, answer.content), (200, b""))


class ProblemTests(AppCase):
    """
    What goes wrong.
    """

    def test_unknown_path(self) -> None:
        """
        A path that is not there is 404, one with another method is 405 and names those it has.
        """
        self.assert_problem(self.client.ask("GET", "/api/nothing"), 404)
        self.assert_problem(self.client.ask("GET", "/"), 404)
        answer = self.client.ask("DELETE", "/api/thing")
        self.assert_problem(answer, 405)
        self.assertEqual(answer.headers["allow"], "GET, HEAD, POST")

    def test_nul_in_a_path(self) -> None:
        """
        Nothing has a name with a NUL in it, which the database would not even take in a question.
        """
        answer = self.client.ask("GET", "/api/thing/a%00b")
        self.assertEqual((answer.status, answer.json["detail"]), (404, "There is no /api/thing/a%00b."))
        self.assertEqual(self.asked, [])
        self.client.identity.name = None
        self.assertEqual(self.client.ask("GET", "/api/thing/a%00b").status, 401)

    def test_unauthorized(self) -> None:
        """
        Whoever is not known gets 401 everywhere but on open routes, whether the path exists or not.
        """
        self.client.identity.name = None
        requests = [("GET", "/api/thing"), ("POST", "/api/thing"), ("PUT", "/api/thing"), ("GET", "/nothing")]
        for method, path in requests:
            answer = self.client.ask(method, path, {"size": "wrong"} if method == "POST" else None)
            self.assert_problem(answer, 401)
            self.assertIn("Bearer", answer.headers["www-authenticate"])
        self.assertEqual(self.asked, [])
        self.assertEqual(self.client.ask("GET", "/open").status, 200)

    def test_fields(self) -> None:
        """
        Every field that cannot be is named, the first of them as the field.
        """
        answer = self.client.ask("POST", "/api/thing", {"name": 5, "colour": "red"})
        document = self.assert_problem(answer, 422, "colour")
        self.assertEqual([each["field"] for each in document["errors"]], ["colour", "size", "name"])
        self.assert_problem(self.client.ask("GET", "/api/thing?limit=x"), 422, "limit")
        self.assert_problem(self.client.ask("GET", "/api/thing?colour=red"), 422, "colour")
        self.assertEqual(self.asked, [])

    def test_body(self) -> None:
        """
        What is no JSON object is refused: 415 by its type, 400 by its text.
        """
        other = {"Content-Type": "text/plain"}
        self.assert_problem(self.client.ask("POST", "/api/thing", {"size": 1}, other), 415)
        self.assert_problem(self.client.ask("POST", "/api/thing"), 415)
        for body in (b"{", b"[1]", b'"x"', b"\xff", b"[" * 10_000, b""):
            self.assert_problem(self.client.ask("POST", "/api/thing", body), 400)
        charset = {"Content-Type": "application/json; charset=utf-8"}
        self.assertEqual(self.client.ask("POST", "/api/thing", {"size": 1}, charset).status, 200)

    def test_own_problem(self) -> None:
        """
        A route's own problem is answered as it is.
        """
        self.result = Problem(409, "Taken.", fields=[("number", "taken")], headers={"Retry-After": "1"})
        answer = self.client.ask("GET", "/api/thing")
        self.assert_problem(answer, 409, "number")
        self.assertEqual(answer.headers["retry-after"], "1")

    def test_database_away(self) -> None:
        """
        While the database is away the answer is 503 and says so.
        """
        self.result = AwayError()
        for method, body in (("GET", None), ("POST", {"size": 1})):
            answer = self.client.ask(method, "/api/thing", body)
            self.assertIn("database", self.assert_problem(answer, 503)["detail"])
            self.assertEqual(answer.headers["retry-after"], "5")

    def test_failure(self) -> None:
        """
        An error in the program is 500 without a word of its insides, and is logged.
        """
        self.result = RuntimeError("the inside")
        for method, body in (("GET", None), ("POST", {"size": 1})):
            answer = self.client.ask(method, "/api/thing", body)
            self.assert_problem(answer, 500)
            self.assertNotIn(b"inside", answer.content)
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_not_utf8(self) -> None:
        """
        A path, host or query that is no UTF-8 is 400.
        """
        self.assert_problem(self.client.ask("GET", "/api/thing?who=%ff"), 400)
        self.assert_problem(self.client.ask("GET", "/api/thing/%ff"), 400)
        protocol, transport = self.client.connect()
        protocol.dataReceived(b"GET /api/thing HTTP/1.1\r\nHost: \xff\r\n\r\n")
        self.assert_problem(parsed(transport.value()), 400)
        protocol.connectionLost(Failure(ConnectionLost()))

    def test_odd_host(self) -> None:
        """
        A host name that could be none is no reason to fail, nor to write into the log.
        """
        for host in ("a b:x:y", "[", ""):
            self.assertEqual(self.client.ask("GET", "/api/thing", headers={"Host": host}).status, 200, host)
        for host in ("xn--\u00e4", "x" * 5000):
            self.assert_problem(self.client.ask("GET", "/api/thing", headers={"Host": host}), 400)


class VanishedClientTests(AppCase):
    """
    Clients that do not wait.
    """

    def gone(self, method: str, body: Any = None) -> None:
        """
        Send a request and close the connection before it is answered.
        """
        protocol, _ = self.client.send(method, "/api/thing", body)
        protocol.connectionLost(Failure(ConnectionLost()))

    def test_write_goes_on(self) -> None:
        """
        A write runs to its end although its client has gone.
        """
        self.result = Deferred()
        cancelled: list[object] = []
        self.result.addErrback(cancelled.append)
        self.gone("POST", {"size": 1})
        self.assertEqual((len(self.client.tasks), cancelled), (1, []))
        self.result.callback(None)
        self.assertEqual((len(self.client.tasks), cancelled), (0, []))

    def test_failure_is_logged(self) -> None:
        """
        When such a write fails, which nobody is there to read, the log says so.
        """
        self.result = Deferred()
        self.gone("POST", {"size": 1})
        self.result.errback(RuntimeError("late"))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_read_is_cancelled(self) -> None:
        """
        A read is given up with its client.
        """
        self.result = Deferred()
        self.gone("GET")
        self.assertTrue(self.result.called)

    def test_stopping(self) -> None:
        """
        A write while the exchange stops is 503 and has not begun.
        """
        self.client.tasks.stop()
        self.assert_problem(self.client.ask("POST", "/api/thing", {"size": 1}), 503)
        self.assertEqual(self.asked, [])


class LimitTests(AppCase):
    """
    Bodies that are too large.
    """

    def test_declared(self) -> None:
        """
        A body that is over the limit is 413, and nothing of it is kept.
        """
        self.assert_problem(self.client.ask("POST", "/api/thing", b" " * (LARGEST_BODY + 1)), 413)
        body = b'{"size": 1}'.ljust(LARGEST_BODY)
        self.assertEqual(self.client.ask("POST", "/api/thing", body).status, 200)

    def test_much_too_large(self) -> None:
        """
        One that announces far more is answered before it is read, and the connection is closed.
        """
        protocol, transport = self.client.connect()
        protocol.dataReceived(f"POST /api/thing HTTP/1.1\r\nHost: a\r\nContent-Length: {DRAINED + 1}\r\n\r\n".encode())
        self.assert_problem(parsed(transport.value()), 413)
        self.assertFalse(transport.connected)

    def test_chunked(self) -> None:
        """
        A body of unknown length is counted as it comes.
        """
        for count, is_open in ((LARGEST_BODY // 0x1000 + 1, True), (DRAINED // 0x1000 + 2, False)):
            protocol, transport = self.client.connect()
            protocol.dataReceived(b"POST /api/thing HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(count):
                if transport.connected:
                    protocol.dataReceived(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
            if is_open:
                protocol.dataReceived(b"0\r\n\r\n")
            self.assert_problem(parsed(transport.value()), 413)
            self.assertEqual(transport.connected, is_open)
            if is_open:
                protocol.connectionLost(Failure(ConnectionLost()))

    def test_idle(self) -> None:
        """
        A connection that sends nothing is closed after half a minute, and no timer is left.
        """
        _, transport = self.client.connect()
        self.client.clock.advance(31)
        self.client.clock.advance(31)
        self.assertFalse(transport.connected)
        self.assertEqual(self.client.clock.getDelayedCalls(), [])


class IdentityTests(SynchronousTestCase):
    """
    Who asks.
    """

    def test_any_of(self) -> None:
        """
        The first way that knows a name decides.
        """
        ways = [FakeIdentity(None), FakeIdentity("a"), FakeIdentity("b")]
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(AnyOf(ways).who(None))), "a")
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(AnyOf([]).who(None))))

    def test_audit_line(self) -> None:
        """
        The audit line names who, what, and each field that differs, and nothing that stayed.
        """
        events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        before, after = {"name": "A", "email": None}, {"name": "B", "email": None}
        LogAudit().wrote("local:root", "change", "extension 1005", before, after)
        text = formatEvent(events[-1])
        self.assertEqual(text, "audit: local:root change extension 1005 (name: 'A' -> 'B')")
        LogAudit().wrote("local:root", "hang up", "call a1", None, None)
        self.assertEqual(formatEvent(events[-1]), "audit: local:root hang up call a1")
        LogAudit().wrote("local:root", "change", "extension 1005", after, after)
        self.assertEqual(formatEvent(events[-1]), "audit: local:root change extension 1005 (nothing differs)")

    def test_interfaces(self) -> None:
        """
        Each provider does what it promises.
        """
        for interface, provider in ((IIdentity, AnyOf([])), (IIdentity, FakeIdentity()), (IAudit, LogAudit())):
            verifyObject(interface, provider)
        verifyObject(IAudit, FakeAudit())
