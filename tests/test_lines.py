"""
Tests of :mod:`pbx.lines`: the plan put together, and what is said about it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import formatEvent

from pbx.audio import codec
from pbx.dialog.useragent import UserAgentCore, UserAgentSettings
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import Permissions
from pbx.directory.time_condition import TimeCondition
from pbx.directory.trunk import Trunk
from pbx.lines import Lines
from pbx.ops.settings import Settings, load
from pbx.store.database import Database
from pbx.tasks import Tasks
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.layer import TransportLayer, TransportSettings
from pbx.transport.lookup import Lookup
from tests.store.case import DatabaseTestCase
from tests.store.logged import logged
from tests.transport.rig import NoTrace
from tests.transport.test_resolver import Zone
from tests.wire.process import reactor

CONFIGURATION = """
sip_trunks:
  - {name: provider, host: sip.example.com, username: "493012345", password: SecurePassword123!}
outbound_routes:
  - {name: all, patterns: ["."], trunks: [provider, kept, gone], time: never}
"""


class LinesTests(DatabaseTestCase):
    """
    The lines of an exchange that serves no calls yet.
    """

    async def setUp(self) -> None:
        """
        A folder for the configuration.
        """
        await DatabaseTestCase.setUp(self)
        self.folder = self.new_folder()
        self.warnings = logged(self, "pbx.lines.Lines")

    def new_folder(self) -> Path:
        """
        An empty folder.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return folder

    def settings(self, text: str) -> Settings:
        """
        A configuration.
        """
        (self.folder / "config.yml").write_text(text)
        return load(self.folder / "config.yml", {}, self.folder / "data")

    async def lines(self, text: str, database: Database | None = None) -> Lines:
        """
        Lines that were started.
        """
        tasks = Tasks()
        cdr: Any = None
        transport = TransportLayer(reactor, TransportSettings(), Guard(reactor, GuardSettings()), NoTrace())
        transactions = TransactionLayer(reactor, Timers(), transport, Limits())
        core = UserAgentCore(reactor, Timers(), transactions, tasks, UserAgentSettings())
        people = Directory([Extension("1001", "Ann", permissions=Permissions(hours="lunch"))])
        lines = Lines(
            core, transport, reactor, self.settings(text), people, database or self.database, tasks, time.time, cdr,
            Lookup(Zone(), reactor),
        )
        await lines.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(lines.stop()))
        return lines

    def said(self) -> list[str]:
        """
        The warnings since this was asked last.
        """
        said = [formatEvent(event) for event in self.warnings]
        self.warnings.clear()
        return said

    async def test_codecs_not_installed(self) -> None:
        """
        A trunk in the database that has a codec which can't be spoken any more is told of, with what to install.
        """
        lines = await self.lines("")
        await lines.stored.add("trunk", Trunk("wide", "192.0.2.7", codecs=("G722",)))
        self.patch(codec, "available", lambda: False)
        self.assertEqual([each for each in lines.doubts() if "lunch" not in each], [
            "trunk wide is to have G722, not spoken without PyAV: add PCMU or PCMA, or pip install 'pbx[codecs]' and"
            " restart the exchange",
        ])

    async def test_names_of_nothing(self) -> None:
        """
        A route or an extension that names a trunk or a condition that is nowhere is told of, with what to do; again
        when the configuration was read again.
        """
        lines = await self.lines("")
        await lines.stored.add("trunk", Trunk("kept", "192.0.2.7"))
        self.assertEqual(len(self.said()), 1)
        lines = await self.lines(CONFIGURATION)
        said = self.said()
        self.assertEqual(
            said[0],
            "outbound route all names the trunk 'gone', which there is not: add it to config.yml or by pbxctl trunks"
            " add, or change outbound route all",
        )
        self.assertEqual([line.split(",")[0] for line in said[1:]], [
            "outbound route all names the time condition 'never'", "extension 1001 names the time condition 'lunch'",
        ])
        self.assertEqual(lines.doubts(), said)
        lines.reconfigure(self.settings("time_conditions: [{name: lunch}]"))
        self.assertEqual((self.said(), lines.doubts()), ([], []))
        lines.reconfigure(self.settings("time_conditions: [{name: lunch}]\nemergency: {notify: ['1001', '1002']}"))
        self.assertEqual(self.said(), [
            "emergency.notify names the extension '1002', which there is not: add it by pbxctl extensions add, or"
            " change emergency.notify",
        ])

    async def test_hours_of_the_site(self) -> None:
        """
        The hours within which anybody calls beyond the house may be a time condition of the database as well as one of
        the file; one that is in neither is told of.
        """
        text = "time_conditions: [{name: lunch}]\nlimits: {hours: office}"
        lines = await self.lines(text)
        self.assertEqual(self.said(), [
            "limits.hours names the time condition 'office', which there is not: add it to config.yml or by pbxctl"
            " conditions add, or change limits.hours",
        ])
        await lines.stored.add("time_condition", TimeCondition("office"))
        lines.reconfigure(self.settings(text))
        self.assertEqual((self.said(), lines.doubts()), ([], []))
        self.assertIn(lines.book.plan.limits.hours, lines.book.plan.conditions)

    async def test_hidden(self) -> None:
        """
        What the database has under a name of the configuration is not gone by, and told of.
        """
        lines = await self.lines("time_conditions: [{name: lunch}]")
        await lines.stored.add("trunk", Trunk("provider", "192.0.2.7"))
        await lines.stored.add("outbound_route", OutboundRoute("all", ("1",)))
        self.assertEqual(self.said(), [])
        lines.reconfigure(self.settings(CONFIGURATION + "time_conditions: [{name: lunch}, {name: never}]"))
        said = self.said()
        self.assertEqual(lines.book.plan.trunks["provider"].host, "sip.example.com")
        self.assertEqual([line.split(",")[0] for line in said if "made over the API" in line], [
            "The trunk 'provider' that was made over the API is not used",
            "The outbound route 'all' that was made over the API is not used",
        ])

    async def test_without_a_database(self) -> None:
        """
        While nobody knows what the database has, nobody is told that it has not.
        """
        away = Database(reactor, "postgresql://nobody@127.0.0.1:1/none")
        await away.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(away.stop()))
        lines = await self.lines(CONFIGURATION, away)
        self.assertEqual(self.said(), [])
        self.assertEqual([*lines.book.plan.trunks], ["provider"])

    async def test_counts(self) -> None:
        """
        Trunks are counted by how they are: those that are enabled, and those whose password nobody can read.
        """
        lines = await self.lines(CONFIGURATION)
        await lines.stored.add("trunk", Trunk("off", "192.0.2.7", enabled=False))
        await lines.stored.add("trunk", Trunk("lost", "192.0.2.7", password="SecurePassword123!"))
        self.assertEqual(sum(lines.counts().values()), 2)
        (self.folder / "data" / "secret.key").unlink()
        again = await self.lines(CONFIGURATION)
        self.assertEqual((sum(again.counts().values()), [*again.stored.lost]), (2, ["lost"]))
        self.assertGreaterEqual(again.counts()["down"], 1)
