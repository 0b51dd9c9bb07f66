"""
Lamps on real sockets: what a key is told of a call, and that it is told after the exchange was killed and came back.
"""

from __future__ import annotations

import re
import signal
import time

from twisted.internet.task import LoopingCall

from tests.wire.agent import Agent, Dialog, Message, sdp
from tests.wire.lasting import LastingTestCase
from tests.wire.process import eventually, sleep


def answered(_: Message) -> tuple[int, str, bytes]:
    """
    Take a call at once.
    """
    return 200, "OK", sdp("127.0.0.1", 9000)


class SubscriptionTests(LastingTestCase):
    """
    Subscriptions of phones on UDP.
    """

    async def subscribe(self, agent: Agent, number: str, event: str) -> Dialog:
        """
        Subscribe to something.
        """
        host, port = agent.server
        headers = [("To", f"<sip:{number}@{host}>"), ("Event", event), ("Expires", "600")]
        answer = await agent.authenticated("SUBSCRIBE", f"sip:{number}@{host}:{port}", headers)
        self.assertEqual((answer.status, answer["expires"]), (200, "600"))
        return Dialog(answer["call-id"], answer["from"], answer["to"], answer.contact, 2)

    def refreshing(self, agent: Agent, dialog: Dialog, event: str) -> list[tuple[str, str]]:
        """
        The headers of the next refresh of a subscription.
        """
        dialog.cseq += 1
        return [
            ("From", dialog.local), ("To", dialog.remote), ("Call-ID", dialog.call_id), ("Event", event),
            ("CSeq", f"{dialog.cseq} SUBSCRIBE"), ("Contact", f"<{agent.contact}>"), ("Expires", "600"),
        ]

    async def refresh(self, agent: Agent, dialog: Dialog, event: str) -> int:
        """
        Refresh a subscription; the status of the answer.
        """
        return (await agent.request("SUBSCRIBE", dialog.target, self.refreshing(agent, dialog, event))).status

    @staticmethod
    def told(agent: Agent, dialog: Dialog) -> list[str]:
        """
        The bodies of the NOTIFYs of a subscription.
        """
        found = [m for m in agent.received if m.method == "NOTIFY" and m["call-id"] == dialog.call_id and not m.status]
        bodies = {message["cseq"]: message.body.decode() for message in found}
        return list(bodies.values())

    async def until(self, agent: Agent, dialog: Dialog, pattern: str, within: float = 5) -> None:
        """
        Wait until the last body says something.
        """
        async def says() -> bool:
            bodies = self.told(agent, dialog)
            return bool(bodies) and re.search(pattern, bodies[-1]) is not None

        await eventually(says, within=within, what=f"a NOTIFY with {pattern}", interval=0.02)

    async def test_killed(self) -> None:
        """
        A key is told of a call; after a kill and a start it is told the whole state within 5 seconds, unasked, its
        refresh is 200, and of the next call it is told again. The versions go on.
        """
        await self.begin("1005", "1006", "1007")
        caller, _, watcher = await self.agent("1005"), await self.agent("1006", answered), await self.agent("1007")
        lamp = await self.subscribe(watcher, "1006", "dialog")
        contact = await self.subscribe(watcher, "1005", "presence")
        await self.until(watcher, lamp, "dialog-info")
        response, talk = await caller.call("1006", sdp("127.0.0.1", 9002))
        assert talk is not None, response.first
        await self.until(watcher, lamp, 'direction="recipient">\\s*<state>confirmed</state>')
        await self.until(watcher, contact, "on-the-phone")
        await caller.hang_up(talk)
        await self.until(watcher, lamp, "<state>terminated</state>")
        _, shown = await self.api("GET", "/api/subscriptions")
        self.assertEqual(
            sorted((one["extension"], one["event"], one["resource"]) for one in shown["subscriptions"]),
            [("1007", "dialog", "1006"), ("1007", "presence", "1005")],
        )
        await sleep(1.5)
        await self.end(signal.SIGKILL)
        counts = [len(self.told(watcher, dialog)) for dialog in (lamp, contact)]
        await self.start()
        started = time.monotonic()

        async def again() -> bool:
            return all(len(self.told(watcher, d)) > n for d, n in zip((lamp, contact), counts, strict=True))

        await eventually(again, within=5, what="both told again", interval=0.02)
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual(await self.refresh(watcher, lamp, "dialog"), 200)
        self.assertEqual(await self.refresh(watcher, contact, "presence"), 200)
        _, shown = await self.api("GET", "/api/presence/1006")
        self.assertEqual((shown["state"], shown["registered"]), ("available", True))
        response, talk = await caller.call("1006", sdp("127.0.0.1", 9002))
        assert talk is not None, response.first
        await self.until(watcher, lamp, "<state>confirmed</state>")
        _, shown = await self.api("GET", "/api/presence/1006")
        self.assertEqual((shown["state"], shown["lines"][0]["peer"]), ("busy", "1005"))
        await caller.hang_up(talk)
        await self.until(watcher, lamp, "<state>terminated</state>")
        found = [re.search(r'version="(\d+)"', body) for body in self.told(watcher, lamp)]
        versions = [int(match[1]) for match in found if match is not None]
        self.assertEqual(versions, sorted(set(versions)))

    async def test_refresh_at_once(self) -> None:
        """
        A phone that refreshes while the exchange starts is answered 200 as soon as it is served at all.
        """
        await self.begin("1006", "1007")
        watcher = await self.agent("1007")
        lamp = await self.subscribe(watcher, "1006", "dialog")
        await sleep(1.5)
        await self.end(signal.SIGKILL)
        fields = self.refreshing(watcher, lamp, "dialog")
        via = ("Via", f"SIP/2.0/UDP {watcher.host}:{watcher.port};branch=z9hG4bKearly;rport")
        data = watcher._bytes(f"SUBSCRIBE {lamp.target} SIP/2.0", [via, ("Max-Forwards", "70"), *fields], b"")
        # As a phone would send it again, but more often: it is to be among the first that come.
        asking = LoopingCall(lambda: watcher.transport.write(data, watcher.server))
        asking.start(0.05)
        await self.start()
        await sleep(0.5)
        asking.stop()
        answers = {message.status for message in watcher.received if "z9hG4bKearly" in message["via"]}
        self.assertEqual(answers, {200})
