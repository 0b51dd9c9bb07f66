"""
Hold and resume by real phones: what is heard meanwhile, and after.

baresip holds as phones do, but its recording ends with that: what the holder hears after it is told by a handset of
our own.
"""

from __future__ import annotations

from tests.wire.ears import MUSIC, ListeningTestCase, shipped


class HoldTests(ListeningTestCase):
    """
    1005 talks to 1006.
    """

    extensions = ("1005", "1006", "1007")

    async def test_hold(self) -> None:
        """
        The held phone hears the music; after resuming, the voice, and no music.
        """
        music = shipped("music/default")
        caller, callee = await self.phone("1005"), await self.phone("1006")
        await self.connect(caller, callee)
        await self.assert_talking(caller, callee, music)
        await caller.command("hold")
        await self.assert_music(callee, music, caller.said)
        await caller.command("resume")
        await self.assert_heard((callee, caller.said), strangers=[music])
        await caller.hang_up()
        (record,) = await self.new_records()
        self.assertEqual(record["disposition"], "answered")
        await self.nothing_left()

    async def test_both(self) -> None:
        """
        Both hold: neither hears the other. The first to come back hears the music until the other does as well.
        """
        music = shipped("music/default")
        caller, callee = await self.handset("1005"), await self.handset("1006")
        here = await caller.dial("1006")
        (there,) = callee.dialogs.values()
        self.assertIn(b"a=recvonly", (await caller.hold(here)).body)
        await self.assert_music(callee, music, caller.said)
        await callee.hold(there)
        await self.assert_silent(caller, callee, but=(caller.said, callee.said))
        self.assertIn(b"a=sendrecv", (await caller.resume(here)).body)
        await self.assert_music(caller, music, callee.said)
        await callee.resume(there)
        await self.assert_talking(caller, callee, music)
        await caller.hang_up(here)
        await self.nothing_left()

    async def test_consultation(self) -> None:
        """
        The caller holds and calls somebody else: music while that rings and while they talk, and the voice again after.
        """
        music = shipped("music/default")
        caller, callee = await self.phone("1005"), await self.phone("1006")
        expert = await self.phone("1007", answer="manual")
        await self.connect(caller, callee)
        await caller.command("hold")
        await caller.dial("1007")
        await expert.event("CALL_INCOMING")
        await self.assert_music(callee, music, caller.said)
        await expert.accept()
        await caller.event("CALL_ESTABLISHED", count=2)
        await self.assert_heard((caller, expert.said), (expert, caller.said), (callee, music), seconds=MUSIC)
        await expert.hang_up()
        await caller.event("CALL_CLOSED")
        await caller.command("resume")
        await self.assert_heard((callee, caller.said), strangers=[music, expert.said])
        await caller.hang_up()
        await self.new_records(2)
        await self.nothing_left()
