"""
A small STUN server on a real socket, which says what a test wants it to (RFC 8489).

It knows nothing of the package under test, so that both cannot share a mistake.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

COOKIE = 0x2112A442


class StunServer:
    """
    A server in a thread of its own.

    Attributes:
        says: the address it answers with, whoever asks; empty for no answer.
        asked: how often it was asked.
        port: its UDP port on loopback.
    """

    def __init__(self, says: str) -> None:
        self.says = says
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """
        Answer nobody any more.
        """
        # Wakes the thread, which a close alone does not.
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, peer = self._socket.recvfrom(2048)
            if not question:
                return
            kind, length, cookie = struct.unpack_from("!HHI", question)
            if (kind, length, cookie) != (1, len(question) - 20, COOKIE):
                continue
            self.asked += 1
            if self.says:
                self._socket.sendto(self._answer(question, peer[1]), peer)

    def _answer(self, question: bytes, port: int) -> bytes:
        address = struct.unpack("!I", socket.inet_aton(self.says))[0] ^ COOKIE
        attribute = struct.pack("!HHxBHI", 0x0020, 8, 1, port ^ COOKIE >> 16, address)
        return struct.pack("!HH", 0x0101, len(attribute)) + question[4:20] + attribute


@contextmanager
def stun_server(says: str) -> Iterator[StunServer]:
    """
    A server for as long as the block lasts.
    """
    server = StunServer(says)
    try:
        yield server
    finally:
        server.close()
