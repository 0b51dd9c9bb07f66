"""
Voicemail with real phones: what is said into one is in the file, and in what the owner hears.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from tests.wire import sound
from tests.wire.case import ExchangeTestCase
from tests.wire.lasting import LastingTestCase
from tests.wire.process import eventually, sleep

SPOKEN = 6
"""Seconds for the tone and what the caller says."""


class VoicemailTests(ExchangeTestCase):
    """
    1005 leaves a message for 1006.
    """

    async def test_left_and_heard(self) -> None:
        """
        1006 is not there; what 1005 says after the tone is found in the file, and in what 1006 hears by *97.
        """
        caller = await self.phone("1005", "udp")
        await caller.dial("1006")
        await caller.event("CALL_ESTABLISHED")
        # The greeting is skipped.
        await sleep(1)
        await caller.command("sndcode", "#")
        await sleep(SPOKEN)
        await caller.hang_up()

        async def there() -> list[Any]:
            _, listed = await self.api("GET", "/api/voicemail/1006/messages")
            return list(listed["messages"])

        (message,) = await eventually(there, within=10, what="the message")
        path = self.exchange.data / "voicemail" / "1006" / f"{message['id']}.wav"
        self.assertGreater(sound.find(sound.read(path), caller.said).score, 0.9)
        status, _ = await self.api("PUT", "/api/voicemail/1006", {"pin": "4711", "skip_pin": True})
        self.assertEqual(status, 200)
        owner = await self.phone("1006", "udp")
        await owner.dial("*97")
        await owner.event("CALL_ESTABLISHED")
        await sleep(1)
        await owner.command("sndcode", "1")
        await owner.hears(caller.said, within=30)
        await owner.hang_up()
        await self.nothing_left()


class KilledTests(LastingTestCase):
    """
    The same when the program is killed.
    """

    async def test_killed_in_the_middle(self) -> None:
        """
        What was said up to the last second before a kill -9 is offered after the restart.
        """
        self._voice = 0
        await self.begin("1005", "1006")
        caller = await self.phone("1005", "udp")
        await caller.dial("1006")
        await caller.event("CALL_ESTABLISHED")
        # The greeting is skipped.
        await sleep(1)
        await caller.command("sndcode", "#")
        await sleep(SPOKEN)
        (path,) = self._files()
        there = path.stat().st_size
        await self.end(signal.SIGKILL)
        await self.start()

        async def offered() -> list[Any]:
            _, listed = await self.api("GET", "/api/voicemail/1006/messages")
            return list(listed["messages"])

        (message,) = await eventually(offered, within=10, what="the message")
        self.assertEqual(message["id"], path.stem)
        self.assertGreater(message["seconds"], 3)
        self.assertLess(abs(message["seconds"] - (path.stat().st_size - 44) / 16000), 0.1)
        self.assertGreaterEqual(path.stat().st_size, there - 2)
        self.assertGreater(sound.find(sound.read(path), caller.said).score, 0.9)

    def _files(self) -> list[Path]:
        return list((self.exchange.data / "voicemail" / "1006").glob("*.wav"))
