"""
Media whose loss, jitter and round trip are known: a process that sends PCMU and answers RTCP.

Run as ``python -m tests.wire.rtp_generator``; it is told in JSON lines on its standard input and answers in JSON lines:

- it begins with ``{"rtp": PORT, "rtcp": PORT}``, the ports it listens on;
- ``{"send": {"host":, "port":, "rtcp_port":, "seconds":}}`` starts sending; when the time is over it writes its
  :class:`Report` and goes on answering RTCP;
- the end of its input ends it.

Loss is exact: of every 20 packets one at a chosen place is left out (at 5 %). A packet leaves late by a random time
between 0 and three times the wished jitter, which makes the mean difference of two delays that jitter; it may overtake
another. The jitter of RFC 3550 A.8 is then computed from the very times the packets left at.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import select
import socket
import struct
import sys
import time
from typing import Any

from attrs import asdict, define, field

from tests.wire import sound

CLOCK = 8000
PTIME = 0.020
EPOCH = 2208988800
"""Seconds between 1900, where NTP begins, and 1970."""


@define
class Reference:
    """
    Reception statistics as RFC 3550 A.1, A.3 and A.8 have them, written down once more.
    """

    first: int | None = None
    highest: int = 0
    packets: int = 0
    jitter: float = 0.0
    _transit: float | None = None

    def arrived(self, sequence: int, timestamp: int, at: float) -> None:
        """
        Count one packet; ``sequence`` does not wrap, ``at`` is in seconds.
        """
        if self.first is None:
            self.first = self.highest = sequence
        self.highest = max(self.highest, sequence)
        self.packets += 1
        transit = at * CLOCK - timestamp
        if self._transit is not None:
            self.jitter += (abs(transit - self._transit) - self.jitter) / 16
        self._transit = transit

    @property
    def lost(self) -> int:
        """
        How many of the expected packets never came.
        """
        return 0 if self.first is None else self.highest - self.first + 1 - self.packets


@define
class Report:
    """
    What the generator knows about its own stream and what it received.

    Attributes:
        sent: packets that left.
        lost: packets left out between the first and the last that left.
        loss_percent: those as a share of the expected ones.
        jitter_ms: RFC 3550 jitter of the departing packets after the last.
        jitter_mean_ms: its mean over the second half of the stream, where it has settled.
        received: packets that came in.
        received_lost: packets missing among them.
        received_jitter_ms: their RFC 3550 jitter.
        rtcp_received: RTCP packets that came in.
        reports: the report blocks about this stream that came in: fraction lost (0 to 1), lost, jitter in ms.
    """

    sent: int = 0
    lost: int = 0
    loss_percent: float = 0.0
    jitter_ms: float = 0.0
    jitter_mean_ms: float = 0.0
    received: int = 0
    received_lost: int = 0
    received_jitter_ms: float = 0.0
    rtcp_received: int = 0
    reports: list[tuple[float, int, float]] = field(factory=list)


def departures(seconds: float, loss: float, jitter: float, seed: int) -> list[tuple[float, int]]:
    """
    When each packet leaves (seconds from the start) and its number, in the order of leaving.

    Args:
        seconds: the length of the stream.
        loss: the share of packets left out, 0 to 1.
        jitter: the mean difference of the delays of two packets, seconds.
        seed: the same seed gives the same pattern.
    """
    dice = random.Random(seed)  # noqa: S311 - a pattern, no secret
    count = round(seconds / PTIME)
    block = round(1 / loss) if loss else 0
    left_out = {start + dice.randrange(block) for start in range(0, count, block)} if block else set()
    # The first and the last packet are sent, so that whoever counts expects as many as we.
    left_out -= {0, count - 1}
    return sorted((n * PTIME + dice.uniform(0, 3 * jitter), n) for n in range(count) if n not in left_out)


def mulaw(samples: Any) -> bytes:
    """
    PCMU of 16-bit samples (ITU-T G.711).
    """
    encoded = bytearray()
    for sample in samples.tolist():
        magnitude = min(abs(sample), 32635) + 132
        exponent = magnitude.bit_length() - 8
        encoded.append(~((0x80 if sample < 0 else 0) | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF)
    return bytes(encoded)


class Generator:
    """
    One stream out, one in, and the RTCP of both.
    """

    def __init__(self, host: str, loss: float, jitter: float, rtt: float, seed: int) -> None:
        self.loss, self.jitter, self.rtt, self.seed = loss, jitter, rtt, seed
        self.ssrc = random.Random(seed).getrandbits(32)  # noqa: S311 - a pattern, no secret
        self.rtp, self.rtcp = self._pair(host)
        self.report = Report()
        self.receiving = Reference()
        self._rollovers = 0
        self._source = 0
        self._remote_rtcp: tuple[str, int] | None = None
        self._later: list[tuple[float, bytes]] = []
        self._sender_report = (0, 0.0)

    @staticmethod
    def _pair(host: str) -> tuple[socket.socket, socket.socket]:
        while True:
            rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            try:
                if port % 2 == 0:
                    rtcp.bind((host, port + 1))
                    return rtp, rtcp
            except OSError:
                pass
            rtp.close()
            rtcp.close()

    def send(self, host: str, port: int, rtcp_port: int, seconds: float) -> Report:
        """
        Send the whole stream, answering RTCP meanwhile.
        """
        self._remote_rtcp = (host, rtcp_port)
        said = mulaw(sound.voice(self.seed, 10))
        plan = departures(seconds, self.loss, self.jitter, self.seed)
        reference = Reference()
        half, sum_, counted = len(plan) // 2, 0.0, 0
        start = time.monotonic() + 0.05
        report_at = start + 1.0
        for position, (due, number) in enumerate(plan):
            while (wait := start + due - time.monotonic()) > 0:
                self.listen(min(wait, 0.005) if wait > 0.0005 else 0)
            if time.monotonic() >= report_at:
                self._report_sending(position, number)
                report_at += 2.0
            offset = number * 160 % (len(said) - 160)
            header = struct.pack("!BBHII", 0x80, 0, (number + 64000) & 0xFFFF, number * 160, self.ssrc)
            at = time.monotonic()
            self.rtp.sendto(header + said[offset : offset + 160], (host, port))
            reference.arrived(number, number * 160, at)
            if position >= half:
                sum_, counted = sum_ + reference.jitter, counted + 1
        self.listen(0.2)
        self.report.sent, self.report.lost = reference.packets, reference.lost
        self.report.loss_percent = 100 * reference.lost / (reference.lost + reference.packets)
        self.report.jitter_ms = 1000 * reference.jitter / CLOCK
        self.report.jitter_mean_ms = 1000 * sum_ / max(counted, 1) / CLOCK
        self.report.received, self.report.received_lost = self.receiving.packets, max(self.receiving.lost, 0)
        self.report.received_jitter_ms = 1000 * self.receiving.jitter / CLOCK
        return self.report

    def listen(self, seconds: float) -> None:
        """
        Take what comes for this long, and send the answers that have waited long enough.
        """
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            while self._later and self._later[0][0] <= time.monotonic():
                self._answer(heapq.heappop(self._later)[1])
            wait = min(left, max(0.0, self._later[0][0] - time.monotonic())) if self._later else left
            ready, _, _ = select.select([self.rtp, self.rtcp], [], [], wait)
            for one in ready:
                data, address = one.recvfrom(2048)
                # RTCP may come on the port of RTP (RFC 5761 4: its types lie between 192 and 223).
                if len(data) > 8 and 192 <= data[1] <= 223:
                    self.report.rtcp_received += 1
                    self._remote_rtcp = self._remote_rtcp or address
                    # The way there and back takes `rtt`: the answer pretends to have left at once.
                    heapq.heappush(self._later, (time.monotonic() + self.rtt, data))
                elif len(data) >= 12:
                    self._received(data)
            if not ready and left <= 0:
                return

    def _received(self, data: bytes) -> None:
        sequence, timestamp, ssrc = struct.unpack_from("!HII", data, 2)
        if ssrc != self._source:
            self._source, self._rollovers, self.receiving = ssrc, 0, Reference()
        extended = sequence + 65536 * self._rollovers
        if self.receiving.packets and extended < self.receiving.highest - 32768:
            self._rollovers += 1
            extended += 65536
        self.receiving.arrived(extended, timestamp, time.monotonic())

    def _answer(self, compound: bytes) -> None:
        """
        Look through one compound packet that came ``rtt`` ago; a sender report is answered.
        """
        position = 0
        while position + 8 <= len(compound):
            first, kind, words = struct.unpack_from("!BBH", compound, position)
            body = compound[position + 4 : position + 4 + 4 * words]
            blocks = body[24:] if kind == 200 else body[4:] if kind == 201 else b""
            for number in range(first & 0x1F if blocks else 0):
                ssrc, lost, _, jitter = struct.unpack_from("!IIII", blocks, 24 * number)
                if ssrc == self.ssrc:
                    block = ((lost >> 24) / 256, lost & 0xFFFFFF, 1000 * jitter / CLOCK)
                    self.report.reports.append(block)
            if kind == 200 and self._remote_rtcp is not None:
                # LSR: the middle 32 bits of the report's NTP time. DLSR 0: the delay is the network's.
                last = struct.unpack_from("!I", body, 6)[0]
                source = struct.unpack_from("!I", body)[0]
                self.rtcp.sendto(self._receiver_report(source, last), self._remote_rtcp)
            position += 4 + 4 * words

    def _block(self, source: int, last: int) -> bytes:
        got = self.receiving
        expected = max(1, got.packets + max(got.lost, 0))
        fraction = min(255, 256 * max(got.lost, 0) // expected)
        lost = fraction << 24 | max(got.lost, 0) & 0xFFFFFF
        return struct.pack("!IIIIII", source, lost, got.highest & 0xFFFFFFFF, int(got.jitter), last, 0)

    def _receiver_report(self, source: int, last: int) -> bytes:
        return struct.pack("!BBHI", 0x81, 201, 7, self.ssrc) + self._block(source, last) + self._name()

    def _name(self) -> bytes:
        # SDES with a CNAME (RFC 3550 6.5), which every compound packet carries.
        text = b"\x01\x09generator"
        item = struct.pack("!I", self.ssrc) + text + bytes(4 - len(text) % 4)
        return struct.pack("!BBH", 0x81, 202, len(item) // 4) + item

    def _report_sending(self, packets: int, number: int) -> None:
        now = time.time() + EPOCH
        ntp = int(now) << 32 | int(now % 1 * 2**32)
        report = struct.pack(
            "!BBHIQIII", 0x80, 200, 6, self.ssrc, ntp, number * 160 & 0xFFFFFFFF, packets, packets * 160
        )
        if self._remote_rtcp is not None:
            self.rtcp.sendto(report + self._name(), self._remote_rtcp)


def main() -> None:
    """
    Do what standard input says.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--loss", type=float, default=0.0, help="0 to 1")
    parser.add_argument("--jitter", type=float, default=0.0, help="seconds")
    parser.add_argument("--rtt", type=float, default=0.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    generator = Generator(given.host, given.loss, given.jitter, given.rtt, given.seed)

    def tell(value: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    tell({"rtp": generator.rtp.getsockname()[1], "rtcp": generator.rtcp.getsockname()[1]})
    while True:
        ready, _, _ = select.select([sys.stdin, generator.rtp, generator.rtcp], [], [], 0.01)
        generator.listen(0)
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            tell(asdict(generator.send(**json.loads(line)["send"])))


if __name__ == "__main__":
    main()
