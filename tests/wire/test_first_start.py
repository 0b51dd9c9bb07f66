"""
The first minutes: ``tools/run``, the lines that it shows pasted into a shell, a call, Ctrl-C, and once more.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

from twisted.internet.threads import deferToThread

from tests.wire.agent import Agent, sdp
from tests.wire.exchange import ROOT
from tests.wire.lasting import LastingTestCase
from tests.wire.process import eventually

TYPED = """
import sys
from pathlib import Path
from tests.test_tools import loaded
program = loaded("run")
program.environment.prepare = lambda: Path(sys.executable)
sys.exit(program.main())
"""
"""``tools/run`` where the environment is the one that the tests run in."""


class FirstStartTests(LastingTestCase):
    """
    An exchange that nobody prepared anything for.
    """

    async def shown(self, text: str) -> str:
        """
        What the terminal shows, once this is there.
        """

        async def there() -> bool:
            return text in self.exchange.output.read_text()

        await eventually(there, 5, text)
        return str(self.exchange.output.read_text())

    async def registered(self, number: str, password: str) -> Agent:
        """
        A phone that registers with the password that was shown.
        """
        agent = Agent(number, password, (self.exchange.host, self.exchange.sip_port))
        agent.start()
        self.addCleanup(agent.stop)
        self.assertEqual((await agent.register()).status, 200)
        return agent

    async def test_word_for_word(self) -> None:
        """
        The two commands that it shows add two extensions, whose phones call each other with the passwords shown; Ctrl-C
        ends it, and the next start knows them and shows no commands.
        """
        exchange = self.exchange
        exchange.command = lambda: [sys.executable, "-c", TYPED]
        await deferToThread(exchange.start)
        output = await self.shown("The exchange has started")
        commands = re.findall(r"(?m)^  (curl .*\\\n.*)$", output)
        bodies = [json.loads(re.findall(r"-d '(.*)'$", command)[0]) for command in commands]
        for command, body in zip(commands, bodies, strict=True):
            done = await deferToThread(
                subprocess.run, ["/bin/sh", "-c", command], capture_output=True, text=True, check=True, cwd=ROOT
            )
            self.assertEqual(json.loads(done.stdout)["number"], body["number"])
        caller, callee = [await self.registered(body["number"], body["password"]) for body in bodies]
        callee.on_invite = lambda _: (200, "OK", sdp("127.0.0.1", 9000))
        _, dialog = await caller.call(bodies[1]["number"], sdp("127.0.0.1", 9002))
        assert dialog is not None
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        (record,) = await self.new_records()
        self.assertEqual((record["caller"], record["callee"], record["disposition"]), ("1005", "1006", "answered"))
        status, seconds = await deferToThread(exchange.end, signal.SIGINT)
        self.assertEqual(status, 0)
        self.assertLess(seconds, 5)
        exchange.output.unlink()
        await deferToThread(exchange.start)
        again = await self.shown("The exchange has started")
        self.assertIn("The exchange is running", again)
        self.assertNotIn("curl", again)
        self.assertEqual(len((await self.api("GET", "/api/extensions"))[1]["extensions"]), 2)
