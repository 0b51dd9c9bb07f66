"""
Strangers who send rubbish, too much, too slowly or nothing, while others talk.
"""

from __future__ import annotations

import random
import resource
import socket
import time
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from tests.wire.agent import Agent, sdp
from tests.wire.exchange import PASSWORD
from tests.wire.lasting import LastingTestCase
from tests.wire.process import eventually, sleep
from tests.wire.stream_agent import StreamAgent

LARGEST = 65_507
"""Bytes that fit into a datagram over IPv4."""

CROWD = 2000
"""Connections that say nothing."""


def request(method: str = "OPTIONS", *more: str, body: bytes = b"", length: object = None, via: str = "UDP") -> bytes:
    """
    A request that would be answered, with headers more, and perhaps with a false length.
    """
    branch = f"z9hG4bK{random.getrandbits(48):x}"
    lines = [
        f"{method} sip:1006@127.0.0.1 SIP/2.0", f"Via: SIP/2.0/{via} 127.0.0.1:9;branch={branch};rport",
        "From: <sip:1005@127.0.0.1>;tag=a", "To: <sip:1006@127.0.0.1>", f"Call-ID: {branch}", f"CSeq: 1 {method}",
        "Max-Forwards: 70", *more, f"Content-Length: {len(body) if length is None else length}", "", "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


def rubbish() -> list[bytes]:
    """
    Datagrams that nobody should send; the same at each call.
    """
    dice = random.Random(7)  # noqa: S311 - a pattern, no secret
    headers = ("Contact: <sip:1005@127.0.0.1:9>", "Content-Type: application/sdp")
    whole = request("INVITE", *headers, body=sdp("127.0.0.1", 9))
    found = [
        b"", b"\0" * 100, b"\r\n" * 50, b"\xff" * 1500, b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n",
        b"INVITE", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE sip: SIP/2.0\r\n\r\n", whole.replace(b"\r\n", b"\n"),
        b"INVITE sip:1006@127.0.0.1 SIP/3.0\r\n\r\n",
        request(length=-1), request(length="9" * 4000), request(length="one"), request(length=4000, body=b"short"),
        request("INVITE", "Contact: *", "Require: " + "x," * 3000), request("REGISTER", "Expires: " + "9" * 500),
        request("REGISTER", "Authorization: Digest " + 'username="' * 500), request("A" * 5000),
        request("INVITE", *["Via: SIP/2.0/UDP 10.0.0.1"] * 250), request("ACK"), request("CANCEL"), request("BYE"),
        request("INVITE", "Subject: \udcff\udcfe", body=b"v=0\r\nm=audio 99999999 RTP/AVP 0\r\n"),
        bytes(LARGEST), dice.randbytes(LARGEST), request("INVITE", body=dice.randbytes(LARGEST - 600)),
        request("INVITE", *[f"X-{number}: {'y' * 200}" for number in range(250)]), b"\r\n".join([b"A: b"] * 10_000),
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKno\r\nCSeq: 1 INVITE\r\n\r\n",
    ]
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 30)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        found.append(bytes(data[: dice.randrange(len(data))] if dice.random() < 0.3 else data))
    found += [dice.randbytes(dice.randrange(1, 1400)) for _ in range(300)]
    return found


class HostileTests(LastingTestCase):
    """
    An exchange among strangers. They come from the machine itself, which the guard never blocks: nothing but the
    exchange's own limits stands between.
    """

    def files(self) -> int:
        """
        How many files the exchange has open.
        """
        return len(list(Path(f"/proc/{self.exchange.pid}/fd").iterdir()))

    def memory(self) -> int:
        """
        Its resident memory in bytes.
        """
        pages = int(Path(f"/proc/{self.exchange.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    async def two_agents(self) -> tuple[Agent, Agent]:
        """
        Two phones, of which the second answers.
        """
        await self.begin("1005", "1006")
        return await self.agent("1005"), await self.agent("1006", lambda _: (200, "OK", sdp("127.0.0.1", 9000)))

    async def call(self, caller: Any) -> float:
        """
        A call to 1006 that succeeds; gives the seconds until it was answered.
        """
        began = time.monotonic()
        _, dialog = await caller.call("1006", sdp("127.0.0.1", 9002))
        assert dialog is not None
        took = time.monotonic() - began
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        return took

    async def test_rubbish(self) -> None:
        """
        Garbage over UDP, of up to 64 kB, brings nobody down, leaves nothing, makes no record and no noise in the log;
        a request of 64 kB that is one is answered.
        """
        caller, _ = await self.two_agents()
        before = self.memory()
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        stranger.connect((self.exchange.host, self.exchange.sip_port))
        calls = 0
        for number, data in enumerate(rubbish()):
            stranger.send(data)
            if number % 20 == 0:
                # Not faster than it is read: what the kernel drops tests nothing.
                await sleep(0.02)
            if number % 100 == 0:
                calls += 1
                self.assertLess(await self.call(caller), 2)
        stranger.settimeout(5)
        big = request(body=bytes(LARGEST - 600))
        own = big[big.index(b"z9hG4bK") :].split(b";")[0]
        stranger.send(big)
        answers = await deferToThread(self.until, stranger, own)
        self.assertTrue(answers[-1].startswith(b"SIP/2.0 200 "), answers[-1])
        statuses = {answer.split()[1] for answer in answers}
        # Our fault is none of it.
        self.assertEqual(statuses & {b"500", b"503"}, set())
        await self.nothing_left()
        records = await self.new_records(calls)
        self.assertEqual({record["disposition"] for record in records}, {"answered"})
        self.assertEqual(len([line for line in self.exchange.log() if " WARNING " in line]), 0)
        self.assertLess(self.memory() - before, 40_000_000)

    @staticmethod
    def until(stranger: socket.socket, sought: bytes) -> list[bytes]:
        """
        What a socket receives up to the message that holds these bytes.
        """
        answers = [stranger.recv(LARGEST)]
        while sought not in answers[-1]:
            answers.append(stranger.recv(LARGEST))
        return answers

    async def test_crowd(self) -> None:
        """
        2,000 connections that say nothing, some that send a byte a second and some that send keep-alives alone are
        closed after 30 seconds, not before; calls over UDP and TCP are set up meanwhile as ever.
        """
        caller, _ = await self.two_agents()
        other = StreamAgent("1005", PASSWORD, (self.exchange.host, self.exchange.sip_port))
        await other.connect()
        self.addCleanup(other.stop)
        before = self.files()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * CROWD), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        began = time.monotonic()
        crowd = await deferToThread(self.connected, CROWD - 20, self.exchange.sip_port)
        crowd += await deferToThread(self.connected, 20, self.exchange.tls_port)
        slow = await deferToThread(self.connected, 3, self.exchange.sip_port)
        alive = await deferToThread(self.connected, 3, self.exchange.sip_port)
        # One that has behaved at first.
        begun = (await deferToThread(self.connected, 1, self.exchange.sip_port))[0]
        begun.sendall(request(via="TCP"))

        async def accepted() -> bool:
            return self.files() >= before + CROWD

        # The kernel has connected them; the exchange takes them as it comes to it.
        await eventually(accepted, 5, "all connections accepted")
        text = request("INVITE", via="TCP")
        for second in range(27):
            for one in (*slow, begun):
                one.sendall(text[second : second + 1])
            for one in alive:
                one.sendall(b"\r\n\r\n")
            if second % 3 == 0:
                self.assertLess(await self.call(caller), 1)
                self.assertLess(await self.call(other), 1)
            await sleep(max(0, began + second + 1 - time.monotonic()))
        everyone = [*crowd, *slow, *alive, begun]
        self.assertEqual([one for one in everyone if self.is_closed(one)], [])
        await sleep(began + 31.5 - time.monotonic())
        self.assertEqual([one for one in everyone if not self.is_closed(one)], [])

        async def given_back() -> bool:
            return self.files() <= before + 5

        # None of the crowd's is left. The pool of the database and the API may have opened some of their own meanwhile.
        await eventually(given_back, 5, "all files given back")
        self.assertLess(await self.call(other), 1)

    def connected(self, count: int, port: int) -> list[socket.socket]:
        """
        So many connections.
        """
        found = []
        for _ in range(count):
            one = socket.create_connection((self.exchange.host, port), 5)
            self.addCleanup(one.close)
            one.setblocking(False)
            found.append(one)
        return found

    @staticmethod
    def is_closed(connection: socket.socket) -> bool:
        """
        Whether the exchange has closed a connection.
        """
        try:
            while connection.recv(65_536):
                pass
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return True
