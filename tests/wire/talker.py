"""
One end of an audio stream that says one thing all the time and notes what it hears.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall

from tests.wire.process import eventually, reactor

HEADER = 12
SAMPLES = 160


class Talker(DatagramProtocol):
    """
    Sends PCMU of one value every 20 ms.

    Attributes:
        word: The value it sends.
        heard: How often it heard each value.
        longest_gap: The longest time between two packets it heard, in seconds.
    """

    noisy = False

    def __init__(self, word: int, host: str = "127.0.0.1") -> None:
        self.word, self.host = word, host
        self.heard: Counter[int] = Counter()
        self.longest_gap = 0.0
        self._last: float | None = None
        self._sent = 0
        self._beat: LoopingCall | None = None
        self._port = reactor.listenUDP(0, self, interface=host)
        self.port = int(self._port.getHost().port)

    def talk_to(self, host: str, port: int) -> None:
        """
        Begin to talk.
        """

        def say() -> None:
            self._sent += 1
            head = b"\x80\x00" + (self._sent & 0xFFFF).to_bytes(2, "big") + (self._sent * SAMPLES).to_bytes(4, "big")
            self.transport.write(head + bytes([self.word]) * (4 + SAMPLES), (host, port))

        self._beat = LoopingCall(say)
        self._beat.clock = reactor
        self._beat.start(0.02)

    def datagramReceived(self, data: bytes, addr: Any) -> None:
        """
        Note a packet of audio; RTCP has a port of its own.
        """
        if len(data) != HEADER + SAMPLES:
            return
        now = reactor.seconds()
        if self._last is not None:
            self.longest_gap = max(self.longest_gap, now - self._last)
        self._last = now
        self.heard[data[HEADER]] += 1

    async def hears(self, word: int, packets: int = 5, within: float = 5) -> None:
        """
        Wait until so many packets more of a value were heard.
        """
        before = self.heard[word]

        async def enough() -> bool:
            return self.heard[word] >= before + packets

        await eventually(enough, within, f"{packets} packets of {word}", 0.02)

    async def stop(self) -> None:
        """
        Fall silent.
        """
        if self._beat is not None and self._beat.running:
            self._beat.stop()
        await self._port.stopListening()
