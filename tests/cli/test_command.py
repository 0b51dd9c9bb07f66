"""
Tests for :mod:`pbx.cli.command` and :mod:`pbx.cli.exchange`, against the API with everything behind it in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - the command itself is run over real sockets
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pbx.cli import api, tables
from pbx.cli.api import CliError
from pbx.cli.command import parser
from pbx.cli.offer import read_password
from pbx.directory.extension import Extension
from pbx.ops.certificate import OwnCertificate
from pbx.tasks import Tasks
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.tls import ServerCertificate
from pbx.web.app import WebApp
from pbx.web.blocks import Blocks
from pbx.web.calls import CallRecords, Calls, Registrations
from pbx.web.extensions import Extensions
from pbx.web.server import WebServer
from pbx.web.site import GuardBlocks
from pbx.web.status import Status
from tests.cli.case import CommandCase
from tests.web.client import FakeAudit, FakeIdentity
from tests.web.fakes import MemoryCalls, MemoryCdr, MemoryExtensions, MemoryRegistrations, MemoryStatus

TOP = Path(__file__).resolve().parents[2]


class Exchange:
    """
    The API over fakes.
    """

    def __init__(self) -> None:
        self.extensions, self.calls, self.cdr = MemoryExtensions(), MemoryCalls(), MemoryCdr()
        self.identity = FakeIdentity()
        clock = Clock()
        self.guard = Guard(clock, GuardSettings())
        status, audit = MemoryStatus(), FakeAudit()
        resources = (
            Extensions(self.extensions, audit),
            Calls(self.calls, audit),
            CallRecords(self.cdr),
            Registrations(MemoryRegistrations()),
            Blocks(GuardBlocks(self.guard, clock.seconds, lambda: 1_700_000_000.0), audit),
            Status(status, status),
        )
        routes = [route for resource in resources for route in resource.routes()]
        self.app = WebApp(routes, self.identity, Tasks())


class CommandTests(CommandCase):
    """
    What each command does and shows.
    """

    def setUp(self) -> None:
        self.exchange = Exchange()
        self.app = self.exchange.app

    def test_extensions(self) -> None:
        """
        Extensions are added, listed as a table, and removed.
        """
        self.assertEqual(self.type("extensions list"), "There are no extensions.")
        said = self.type("extensions add 1005 John --external", "SecurePassword123!")
        self.assertEqual(said, "Extension 1005 (John) was added.")
        self.assertEqual(self.exchange.extensions.passwords, {"1005": "SecurePassword123!"})
        self.assertTrue(self.exchange.extensions.kept["1005"].allow_external)
        self.assertEqual(
            self.type("extensions list").splitlines(),
            ["NUMBER  NAME  EMAIL  EXTERNAL  ADMIN  ENABLED", "1005    John  -      yes       no     yes"],
        )
        self.assertEqual(self.type("extensions remove 1005"), "Extension 1005 was removed.")
        self.assertEqual(self.exchange.extensions.kept, {})

    def test_refused(self) -> None:
        """
        What the exchange refuses is said in its words, with the fields.
        """
        failure = self.failureResultOf(self.typed("extensions add 1005 John", "short"), CliError)
        self.assertIn("password: has 5 characters", failure.getErrorMessage())
        failure = self.failureResultOf(self.typed("extensions remove 1/2"), CliError)
        self.assertIn("There is no", failure.getErrorMessage())
        self.exchange.identity.name = None
        failure = self.failureResultOf(self.typed("status"), CliError)
        self.assertIn("pbx-admin", failure.getErrorMessage())

    def test_calls(self) -> None:
        """
        Calls are listed and ended.
        """
        self.assertIn("a1  1005    1006    answered", self.type("calls"))
        self.assertEqual(self.type("hangup a1"), "Call a1 was ended.")
        self.assertEqual(self.type("calls"), "There are no calls.")

    def test_registrations(self) -> None:
        """
        Registered phones are listed.
        """
        self.assertIn("sip:1005@192.0.2.7", self.type("registrations"))

    def test_blocks(self) -> None:
        """
        Who guessed too often is listed, and let in again.
        """
        self.assertEqual(self.type("blocks"), "Nobody is blocked.")
        for user in range(5):
            self.exchange.guard.failed("2001:db8:1:2::9", f"100{user}")
        self.assertRegex(self.type("blocks").splitlines()[1], r"^2001:db8:1:2::/64  -     \d{4}-\d\d-\d\d ")
        said = self.type("unblock 2001:db8:1:2::/64")
        self.assertEqual(said, "2001:db8:1:2::/64 is let in again.")
        self.assertEqual(self.exchange.guard.blocks(), [])
        failure = self.failureResultOf(self.typed("unblock 192.0.2.1"), CliError)
        self.assertIn("192.0.2.1 is not blocked", failure.getErrorMessage())

    def test_cdr(self) -> None:
        """
        The last calls are listed, filtered as asked.
        """
        self.assertIn("answered", self.type("cdr --limit 5 --caller 1005 --before 2026-01-02T00:00:00+01:00"))
        [(limit, before, caller, callee, disposition, *beyond)] = self.exchange.cdr.asked
        self.assertEqual((limit, caller, callee, disposition), (5, "1005", None, None))
        self.assertEqual(beyond, [None, None])
        self.type("cdr --direction outbound --trunk A")
        self.assertEqual(self.exchange.cdr.asked[1][-2:], ("outbound", "A"))
        self.assertEqual(before, dt.datetime(2026, 1, 1, 23, tzinfo=dt.UTC))

    def test_status(self) -> None:
        """
        The status is shown as lines.
        """
        self.assertEqual(self.type("status"), "version: 0.1.0")

    def test_json(self) -> None:
        """
        With ``--json``, before the command or after it, the API's own answer is shown.
        """
        self.exchange.extensions.kept["1005"] = Extension("1005", "John")
        for line in ("--json extensions list", "extensions list --json"):
            self.assertEqual(json.loads(self.type(line))["extensions"][0]["number"], "1005")


class ShapeTests(SynchronousTestCase):
    """
    Tables and lines.
    """

    def test_cells(self) -> None:
        """
        Nothing, yes and no, times and what a phone sent are shown for people.
        """
        columns = [("A", "a"), ("SINCE", "since")]
        rows: list[dict[str, Any]] = [{"a": None}, {"a": True, "since": "x"}, {"a": "\x1b[2J", "since": 0}]
        lines = tables.table(rows, columns, "").splitlines()
        self.assertEqual(lines[1].split(), ["-", "-"])
        self.assertEqual(lines[2].split(), ["yes", "x"])
        self.assertRegex(lines[3], r"^\?\[2J  (1969|1970)-\d\d-\d\d \d\d:\d\d:\d\d$")

    def test_tree(self) -> None:
        """
        Nested values are indented.
        """
        text = tables.tree({"calls": {"now": 2, "answered": 5}, "sockets": [["UDP", "0.0.0.0", 5060]], "none": {}})  # noqa: S104
        self.assertEqual(text, "calls:\n  now: 2\n  answered: 5\nsockets: UDP 0.0.0.0 5060")

    def test_piped_password(self) -> None:
        """
        A password can be piped in; it is never an argument.
        """
        self.patch(sys, "stdin", io.StringIO("SecurePassword123!\n"))
        self.assertEqual(read_password(), "SecurePassword123!")
        with contextlib.redirect_stderr(io.StringIO()):
            line = ["extensions", "add", "1", "A", "--password=x"]
            error = self.assertRaises(SystemExit, parser().parse_args, line)
        self.assertEqual(error.code, 2)


class ProgramTests(TestCase):
    """
    The command as a person types it.
    """

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        self.own = OwnCertificate(folder / "pbx.crt", folder / "pbx.key", "pbx.example.org")
        self.own.ensure(dt.datetime.now(dt.UTC))
        certificate = ServerCertificate(self.own.cert_file, self.own.key_file)
        self.server = WebServer(reactor, "127.0.0.1", 0, certificate, Exchange().app.resource())
        self.server.startService()
        self.addCleanup(self.server.stopService)

    async def pbxctl(self, *arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        """
        Run the command against the server.
        """
        script = "import sys; from pbx.cli.command import main; main(sys.argv[1:])"
        url = f"https://localhost:{self.server.port}"
        command = [sys.executable, "-c", script, "--url", url, *arguments]
        environ = {**os.environ, "PYTHONPATH": str(TOP)}
        streams = {"stdout": stdout, "stderr": subprocess.PIPE}
        return await deferToThread(subprocess.run, command, text=True, env=environ, **streams)

    async def test_certificates(self) -> None:
        """
        The exchange's certificate is accepted when it is named, any with ``-k``, and no other; the message says how.
        """
        done = await self.pbxctl("calls", "--cert", str(self.own.cert_file))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("1005", done.stdout)
        self.assertEqual((await self.pbxctl("-k", "calls")).stdout, done.stdout)
        other = OwnCertificate(self.own.cert_file.with_name("b.crt"), self.own.cert_file.with_name("b.key"), "b")
        other.ensure(dt.datetime.now(dt.UTC))
        # A body is still being sent when the certificate turns out to be wrong.
        cases = TOP / "etc" / "routing-cases.yml"
        for typed in (("calls",), ("route", "--check", str(cases))):
            done = await self.pbxctl(*typed, "--cert", str(other.cert_file))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("--cert", done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    async def test_not_running(self) -> None:
        """
        When nothing answers, it says so and fails.
        """
        await self.server.stopService()
        done = await self.pbxctl("-k", "--url", f"https://127.0.0.1:{self.server.port or 1}", "status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Is the exchange running?", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)


    async def test_no_address(self) -> None:
        """
        What can be no address of an exchange is said to be none.
        """
        for url in ("pbx.example.org:8080", "pbx", "https://", "ftp://localhost", "https://localhost:many"):
            done = await self.pbxctl("-k", "--url", url, "status")
            self.assertEqual((done.returncode, done.stdout), (1, ""), url)
            self.assertEqual(done.stderr, f"{url!r} is no address of an exchange, such as https://localhost:8080.\n")

    async def test_reader_that_has_seen_enough(self) -> None:
        """
        Nobody is told when what is shown is not read to its end, as by ``head``.
        """
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        for typed in (("calls",), ("--json", "calls")):
            done = await self.pbxctl("-k", *typed, stdout=writer)
            self.assertEqual(done.stderr, "", typed)


class PolicyTests(SynchronousTestCase):
    """
    Which certificate is expected.
    """

    def test_unreadable(self) -> None:
        """
        A certificate file that cannot be read is named.
        """
        options = argparse.Namespace(insecure=False, cert=Path("/nowhere/pbx.crt"), url="https://localhost")
        error = self.assertRaises(CliError, api.policy, options)
        self.assertIn("/nowhere/pbx.crt", str(error))
