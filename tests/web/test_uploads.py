"""
Tests for bodies that are files: :class:`pbx.web.routes.Upload`, and the requests of :mod:`pbx.web.server`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pbx.web.identity import IIdentity
from pbx.web.routes import LARGEST_BODY, Ask, Route, Upload
from tests.web.client import Client, parsed

MOST = 2_000_000


class Words(msgspec.Struct, frozen=True):
    """
    What may be sent in place of a file.
    """

    text: str


@implementer(IIdentity)
class SlowIdentity:
    """
    Knows who asks when a test says so.
    """

    def __init__(self) -> None:
        self.asked: list[Deferred[str | None]] = []

    async def who(self, request: Any) -> str | None:
        """
        The name, some day.
        """
        self.asked.append(Deferred())
        return await self.asked[-1]


class UploadCase(SynchronousTestCase):
    """
    A path that takes files, and one that does not.
    """

    identity: Any = None

    def setUp(self) -> None:
        self.asked: list[Ask] = []
        self.client = Client(
            [
                Route("PUT", "/api/files/<name>", self.answer, body=Words, upload=MOST),
                Route("POST", "/api/files/<name>", self.answer, body=Words),
                Route("PUT", "/api/only-files", self.answer, upload=MOST),
            ],
            identity=self.identity,
        )

    async def answer(self, ask: Ask) -> Any:
        """
        Keep what was asked.
        """
        self.asked.append(ask)
        return {"good": True}

    def put(self, body: bytes, content_type: str = "audio/wav", path: str = "/api/files/a") -> int:
        """
        The status of an upload.
        """
        return self.client.ask("PUT", path, body, {"Content-Type": content_type}).status


class UploadTests(UploadCase):
    """
    What a route gets.
    """

    def test_file(self) -> None:
        """
        A file arrives as it was sent, with what it was said to be.
        """
        content = bytes(range(256)) * (MOST // 256)
        self.assertEqual(self.put(content, "Audio/WAV; codecs=1"), 200)
        self.assertEqual(self.asked[0].body, Upload(content, "audio/wav"))
        self.assertEqual(self.put(b"x", path="/api/only-files"), 200)
        self.assertEqual(self.put(b"{}", "application/json", path="/api/only-files"), 200)

    def test_json(self) -> None:
        """
        JSON is still what the route names, and no larger than elsewhere.
        """
        self.assertEqual(self.put(b'{"text": "hello"}', "application/json"), 200)
        self.assertEqual(self.asked[0].body, Words("hello"))
        self.assertEqual(self.put(b'{"text": 1}', "application/json"), 422)
        self.assertEqual(self.put(b'{"text": ""}'.ljust(LARGEST_BODY + 1), "application/json"), 413)

    def test_not_a_file(self) -> None:
        """
        A form with a file in it is refused with the way to do it; so is nothing at all.
        """
        answer = self.client.ask("PUT", "/api/files/a", b"--x", {"Content-Type": "multipart/form-data; boundary=x"})
        self.assertEqual(answer.status, 415)
        self.assertIn("--data-binary", answer.json["detail"])
        self.assertEqual(self.put(b""), 400)

    def test_too_large(self) -> None:
        """
        A larger one is 413, says how large it may be, and is not read when its length says so.
        """
        protocol, transport = self.client.connect()
        head = f"PUT /api/files/a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: {MOST + 1}\r\n\r\n"
        protocol.dataReceived(head.encode())
        answer = parsed(transport.value())
        self.assertEqual((answer.status, answer.json["most"]), (413, MOST))
        self.assertIn("2,000,000", answer.json["detail"])
        self.assertFalse(transport.connected)
        self.assertEqual(self.asked, [])

    def test_unknown_length(self) -> None:
        """
        One of unknown length is counted as it comes.
        """
        for size, status in ((MOST // 0x10000, 200), (MOST // 0x10000 + 1, 413)):
            protocol, transport = self.client.connect()
            protocol.dataReceived(b"PUT /api/files/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(size):
                protocol.dataReceived(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            if transport.connected:
                protocol.dataReceived(b"0\r\n\r\n")
            self.assertEqual(parsed(transport.value()).status, status)
            if transport.connected:
                protocol.connectionLost(Failure(ConnectionLost()))

    def test_other_routes(self) -> None:
        """
        Another method of the path, and another path, take no more than before.
        """
        for method, path in (("POST", "/api/files/a"), ("PUT", "/api/files/a/b"), ("PUT", "/api/files")):
            self.assertEqual(self.client.ask(method, path, b" " * (LARGEST_BODY + 1)).status, 413)


class StrangerTests(UploadCase):
    """
    Large bodies of those nobody knows yet.
    """

    def setUp(self) -> None:
        self.identity = SlowIdentity()
        super().setUp()
        self.protocol, self.transport = self.client.connect()
        self.protocol.dataReceived(b"PUT /api/files/a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
        self.protocol.dataReceived(b"x" * LARGEST_BODY)
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(self.identity.asked, [])
        self.protocol.dataReceived(b"x")

    def test_waits(self) -> None:
        """
        After a little of it, no more is read until it is known who sends it; then the rest is.
        """
        self.assertEqual(self.transport.producerState, "paused")
        self.identity.asked[0].callback("local:root")
        self.assertEqual(self.transport.producerState, "producing")
        self.protocol.dataReceived(b"y" * (200_000 - LARGEST_BODY - 1))
        # It is asked about as any other request.
        self.assertEqual(len(self.identity.asked), 2)
        self.identity.asked[1].callback("local:root")
        self.assertEqual(len(self.asked[0].body.content), 200_000)
        self.assertEqual(parsed(self.transport.value()).status, 200)
        self.protocol.connectionLost(Failure(ConnectionLost()))

    def test_stranger(self) -> None:
        """
        A stranger is told so and cut off.
        """
        self.identity.asked[0].callback(None)
        answer = parsed(self.transport.value())
        self.assertEqual(answer.status, 401)
        self.assertIn("www-authenticate", answer.headers)
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.asked, [])

    def test_cannot_be_told(self) -> None:
        """
        Who cannot be looked up is a stranger; the log says why.
        """
        self.identity.asked[0].errback(RuntimeError("no directory"))
        self.assertEqual(parsed(self.transport.value()).status, 401)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_gone(self) -> None:
        """
        A client that has gone meanwhile changes nothing.
        """
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.identity.asked[0].callback(None)
        self.assertEqual(self.transport.value(), b"")

    def test_whole_meanwhile(self) -> None:
        """
        When the rest was on its way already, the answer to the request is the only one.
        """
        self.protocol.dataReceived(b"y" * (200_000 - LARGEST_BODY - 1))
        self.identity.asked[0].callback(None)
        self.assertEqual(self.transport.value(), b"")
        self.identity.asked[1].callback(None)
        self.assertEqual(parsed(self.transport.value()).status, 401)
        self.protocol.connectionLost(Failure(ConnectionLost()))
