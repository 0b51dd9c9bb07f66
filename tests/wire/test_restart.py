"""
The exchange ends and comes back: what it does to calls, and what it still knows.
"""

from __future__ import annotations

import os
import signal
import socket
import time

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from tests.wire.agent import Message, sdp
from tests.wire.exchange import PASSWORD
from tests.wire.lasting import LastingTestCase, kill_all
from tests.wire.process import eventually, reactor, sleep
from tests.wire.stream_agent import StreamAgent

KNOCK = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKknock;rport\r\nCall-ID: knock\r\n"
    b"From: <sip:1007@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def answered(_: Message) -> tuple[int, str, bytes]:
    """
    Take a call at once.
    """
    return 200, "OK", sdp("127.0.0.1", 9000)


class RestartTests(LastingTestCase):
    """
    A stop or a kill, and the next start.
    """

    async def on_stream(self, number: str, kind: str) -> StreamAgent:
        """
        An agent that has registered over a connection.
        """
        port = self.exchange.tls_port if kind == "tls" else self.exchange.sip_port
        agent = StreamAgent(number, PASSWORD, (self.exchange.host, port))
        await agent.connect(kind, self.exchange.certificate.read_bytes())
        self.addCleanup(agent.stop)
        agent.on_invite = answered
        self.assertEqual((await agent.register()).status, 200)
        return agent

    def early(self) -> bytes:
        """
        The answer to a request that is sent over TCP, once, as soon as there is somebody to connect to.
        """
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                knocker = socket.create_connection((self.exchange.host, self.exchange.sip_port), 3)
            except ConnectionRefusedError:
                time.sleep(0.005)
                continue
            with knocker:
                knocker.sendall(KNOCK)
                return knocker.recv(1000)
        return b""

    async def registered(self) -> set[tuple[str, str]]:
        """
        Who is registered, and over what.
        """
        _, answer = await self.api("GET", "/api/registrations")
        return {(one["aor"], one["transport"]) for one in answer["registrations"]}

    async def test_bindings(self) -> None:
        """
        Idle, the exchange ends within a second or two, and with it every connection. After the start a phone on UDP
        that did not register again gets its call; those on TCP and TLS are not registered until they come back. Who
        comes back before all is read, as one who has just lost a connection will, is served when it is.
        """
        await self.begin("1005", "1006", "1007", "1008")
        caller, callee = await self.agent("1005"), await self.agent("1006", answered)
        tcp, tls = await self.on_stream("1007", "tcp"), await self.on_stream("1008", "tls")
        before = {("1005", "UDP"), ("1006", "UDP"), ("1007", "TCP"), ("1008", "TLS")}
        self.assertEqual(await self.registered(), before)
        status, seconds = await self.end()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 5)
        await gatherResults([tcp.closed, tls.closed]).addTimeout(1, reactor)
        starting = Deferred.fromCoroutine(self.start())
        self.assertIn(b"SIP/2.0 200 ", await deferToThread(self.early))
        self.assertLess(await starting, 5)
        self.assertEqual(await self.registered(), {("1005", "UDP"), ("1006", "UDP")})
        _, dialog = await caller.call("1006", sdp("127.0.0.1", 9002))
        assert dialog is not None
        invite = next(one for one in callee.received if one.method == "INVITE")
        self.assertIn(callee.contact, invite.first)
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        self.exchange.without_voicemail("1007", "1008")
        for number in ("1007", "1008"):
            response, _ = await caller.call(number, sdp("127.0.0.1", 9002))
            self.assertEqual(response.status, 480)
        again = await self.on_stream("1007", "tcp")
        _, dialog = await caller.call("1007", sdp("127.0.0.1", 9002))
        assert dialog is not None
        self.assertEqual((await again.hang_up(next(iter(again.dialogs.values())))).status, 200)
        await self.new_records(4)

    async def test_live_calls(self) -> None:
        """
        SIGTERM sends BYE to both sides of a call and ends one that rings, on both sides too; a phone that has vanished
        does not hold the end up. The records are there after the next start.
        """
        await self.begin("1005", "1006", "1007", "1008")
        agents = [await self.agent(number, answered) for number in ("1005", "1006", "1007", "1008")]
        ann, bob, cid, gone = agents
        _, talking = await ann.call("1006", sdp("127.0.0.1", 9002))
        _, lost = await cid.call("1008", sdp("127.0.0.1", 9004))
        assert talking is not None and lost is not None
        gone.datagramReceived = lambda *_: None  # type: ignore[method-assign]
        cid.on_invite = lambda _: (180, "Ringing", b"")
        refused = Deferred.fromCoroutine(ann.call("1007", sdp("127.0.0.1", 9006)))
        await eventually(lambda: self.seen(cid, "INVITE"), 5, "the call at 1007")
        # Who presses Ctrl-C once will press it twice.
        os.kill(self.exchange.pid, signal.SIGINT)
        await sleep(0.2)
        status, seconds = await self.end()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 5)
        for dialog in (talking, next(iter(bob.dialogs.values())), lost):
            bye = await dialog.ended.addTimeout(1, reactor)
            self.assertIn("cause=16", bye["reason"])
        response, _ = await refused
        self.assertGreaterEqual(response.status, 480)
        await eventually(lambda: self.seen(cid, "CANCEL"), 1, "CANCEL to 1007")
        await self.start()
        records = await self.new_records(3)
        ended = sorted((one["callee"], one["disposition"], one["hangup_by"]) for one in records)
        self.assertEqual(
            ended,
            [("1006", "answered", "system"), ("1007", ended[1][1], "system"), ("1008", "answered", "system")],
        )
        self.assertNotEqual(ended[1][1], "answered")

    async def test_killed(self) -> None:
        """
        Killed without a word, it starts again, after its database has ended by itself; killed with its database, as
        well: that recovers, what was locked is free, and the phones on UDP are known.
        """
        await self.begin("1005", "1006")
        caller = await self.agent("1005")
        await self.agent("1006", answered)
        _, dialog = await caller.call("1006", sdp("127.0.0.1", 9002))
        assert dialog is not None
        # Bindings and records are written in batches.
        await sleep(0.5)
        await self.end(signal.SIGKILL)
        self.assertLess(await self.start(), 5)
        self.assertEqual(await self.registered(), {("1005", "UDP"), ("1006", "UDP")})
        await deferToThread(kill_all, self.exchange.postgres)
        status, _ = await self.end(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        self.assertTrue((self.exchange.postgres / "postmaster.pid").exists())
        self.assertTrue((self.exchange.data / "pbx.lock").exists())
        self.assertLess(await self.start(), 5)
        self.assertEqual(await self.registered(), {("1005", "UDP"), ("1006", "UDP")})
        # The dialog is not known any more, and says so.
        self.assertEqual((await caller.hang_up(dialog)).status, 481)
        _, dialog = await caller.call("1006", sdp("127.0.0.1", 9002))
        assert dialog is not None
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        await self.new_records(1)
