"""
Tests for :class:`pbx.web.server.WebServer`, with a real socket and the ``curl`` of the operations manual.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import subprocess
import zlib
from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - curl talks to real sockets only
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from pbx.ops.certificate import OwnCertificate
from pbx.tasks import Tasks
from pbx.transport.tls import ServerCertificate
from pbx.web import server as server_module
from pbx.web.app import WebApp
from pbx.web.extensions import Extensions
from pbx.web.local_operator import LocalOperator
from pbx.web.routes import Ask, Route
from pbx.web.server import ServerError, WebServer
from tests.web.client import FakeAudit
from tests.web.fakes import MemoryExtensions


class WebServerTests(TestCase):
    """
    The server as the manual's ``curl`` meets it.
    """

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        self.big = folder / "big"
        own = OwnCertificate(folder / "pbx.crt", folder / "pbx.key", "pbx.example.org")
        own.ensure(dt.datetime.now(dt.UTC))
        self.certificate, self.cert_file = ServerCertificate(own.cert_file, own.key_file), own.cert_file
        self.extensions = MemoryExtensions()
        operator = self.operator = LocalOperator(deferToThread)
        files = Route("PUT", "/api/extensions", self.uploaded, upload=4_000_000)
        self.app = WebApp([*Extensions(self.extensions, FakeAudit()).routes(), files], operator, Tasks())
        self.server = WebServer(reactor, "127.0.0.1", 0, self.certificate, self.app.resource())
        self.server.serve(self.app.resource(), self.app)
        self.server.startService()
        self.addCleanup(self.server.stopService)
        self.url = f"https://localhost:{self.server.port}/api/extensions"

    async def uploaded(self, ask: Ask) -> object:
        """
        A file has come.
        """
        return {"sum": zlib.crc32(ask.body.content)}

    async def curl(self, *arguments: str, user: int | None = None) -> tuple[int, Any]:
        """
        The status and the JSON that ``curl`` gets.
        """
        command = ["curl", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}", *arguments, self.url]
        done = await deferToThread(subprocess.run, command, capture_output=True, text=True, user=user)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body) if body else None

    async def test_manual(self) -> None:
        """
        The manual's request adds an extension, checked against our certificate, and ``-k`` lists it.
        """
        body = json.dumps({"number": "1005", "name": "John Doe", "password": "SecurePassword123!"})
        header = ("-H", "Content-Type: application/json")
        status, answer = await self.curl("--cacert", str(self.cert_file), "-X", "POST", *header, "-d", body)
        self.assertEqual((status, answer["number"]), (201, "1005"))
        status, answer = await self.curl("-k")
        self.assertEqual((status, [each["number"] for each in answer["extensions"]]), (200, ["1005"]))

    async def test_other_user(self) -> None:
        """
        Another user of the machine gets 401, and so does what pretends to be a page in a browser.
        """
        if os.getuid() == 0:
            status, answer = await self.curl("-k", user=65534)
        else:
            # We cannot ask as another user, so the exchange is another user's.
            self.operator._own_uid = 65534
            status, answer = await self.curl("-k")
        self.assertEqual((status, answer["status"]), (401, 401))
        self.assertEqual((await self.curl("-k", "-H", "Origin: https://evil.example"))[0], 401)
        self.assertEqual((await self.curl("-k", "-H", "Host: rebound.example"))[0], 401)

    async def test_large_upload(self) -> None:
        """
        A client that sends megabytes reads why they are not taken.
        """
        self.big.write_bytes(b" " * 5_000_000)
        header = ("-H", "Content-Type: application/json")
        status, _ = await self.curl("-k", "-X", "POST", *header, "--data-binary", f"@{self.big}")
        self.assertEqual(status, 413)

    async def test_upload(self) -> None:
        """
        A file of megabytes arrives as it is; a stranger's is not read, and neither is a larger one.
        """
        content = os.urandom(3_500_000)
        self.big.write_bytes(content)
        self.assertEqual(await self.curl("-k", "-T", str(self.big)), (200, {"sum": zlib.crc32(content)}))
        status, _ = await self.curl("-k", "-T", str(self.big), "-H", "Origin: https://evil.example")
        self.assertEqual(status, 401)
        self.big.write_bytes(content * 2)
        self.assertEqual((await self.curl("-k", "-T", str(self.big)))[0], 413)

    def test_port_taken(self) -> None:
        """
        A second server on the port fails with a message that names it and the key to change.
        """
        second = WebServer(reactor, "127.0.0.1", self.server.port, self.certificate, self.app.resource())
        error = str(self.assertRaises(ServerError, second.startService))
        self.assertIn(str(self.server.port), error)
        self.assertIn("api.port", error)

    async def test_connections_are_limited(self) -> None:
        """
        One address can hold a limited number of connections; the next is closed at once, and others go on.
        """
        self.patch(server_module, "MOST_PER_ADDRESS", 3)
        held = [await deferToThread(socket.create_connection, ("127.0.0.1", self.server.port)) for _ in range(3)]
        for each in held:
            self.addCleanup(each.close)
        # The third is accepted by now; were it not, the fourth would be left waiting, and the test with it.
        fourth = await deferToThread(socket.create_connection, ("127.0.0.1", self.server.port))
        self.addCleanup(fourth.close)
        fourth.settimeout(20)
        self.assertEqual(await deferToThread(fourth.recv, 1), b"")
        await deferToThread(held.pop().close)
        while len(self.server._tls.protocols) > 2:
            await deferLater(reactor, 0.01)
        self.assertEqual((await self.curl("-k"))[0], 200)
