"""
Tests for :mod:`pbx.media.engine`.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.media.engine import IMediaEngine
from pbx.media.ports import PortsExhausted
from pbx.media.settings import MediaSettings
from tests.media.memory import PCMU, Phone, memory_engine
from tests.network import Network


class EngineTests(SynchronousTestCase):
    """
    Sessions opened and closed.
    """

    def setUp(self) -> None:
        self.network = Network()
        self.host = self.network.host("10.0.0.1")
        self.engine = memory_engine(self.network, MediaSettings(port_range_start=10000, port_range_end=10007))
        self.lines: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.lines.append)

    def tearDown(self) -> None:
        self.engine.stop()
        self.network.advance()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual([key for key in self.host.bound if 10000 <= key[2] <= 10007], [])
        self.assertEqual(self.engine.pool.in_use, 0)

    def open(self) -> Any:
        return self.engine.open("10.0.0.1", "203.0.113.1", call_id="c")

    def test_interface(self) -> None:
        """
        It is a media engine.
        """
        self.assertTrue(verifyObject(IMediaEngine, self.engine))

    def test_opened_and_closed(self) -> None:
        """
        A session has an even port and the next, marked with DSCP 46, and names the address it was told to; nothing of
        it is left after closing.
        """
        session = self.open()
        self.assertIn(session.port, (10000, 10002, 10004, 10006))
        self.assertEqual((session.host, session.rtcp_port), ("203.0.113.1", session.port + 1))
        self.assertEqual(self.engine.sessions, 1)
        marks = [sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) for sock in (session._rtp, session._rtcp)]
        self.assertEqual(marks, [184, 184])
        session.close()
        self.assertEqual((self.engine.sessions, self.engine.pool.in_use), (0, 0))
        self.assertNotEqual(self.open().port, session.port)

    def test_port_taken(self) -> None:
        """
        A pair of which another program has a port is passed over.
        """
        for port in (10000, 10003, 10005):
            self.network.socket("10.0.0.1").bind(("10.0.0.1", port))
        self.assertEqual(self.open().port, 10006)
        for port in (10002, 10004):
            self.assertNotIn(("UDP", "10.0.0.1", port), self.host.bound)
        self.engine.stop()
        self.host.bound.clear()

    def test_not_our_address(self) -> None:
        """
        An address that is not ours is an error at once, and costs no port.
        """
        self.assertRaises(OSError, self.engine.open, "10.9.9.9", "x", call_id="c")
        self.assertEqual(self.engine.pool.in_use, 0)

    def test_exhausted(self) -> None:
        """
        Without a free port opening fails; the log says what to change, once a minute. A closed session makes room.
        """
        sessions = [self.open() for _ in range(4)]
        for _ in range(70):
            self.assertRaises(PortsExhausted, self.open)
            self.network.advance(1)
        lines = [line for line in self.lines if "no media port is free" in str(line.get("log_format"))]
        self.assertEqual([line["refused"] for line in lines], [1, 61])
        self.assertIn("server.rtp_port_range_end", lines[0]["log_format"])
        self.assertEqual(self.engine.refused, 70)
        sessions[2].close()
        self.assertEqual(self.open().port, sessions[2].port)

    def test_stop(self) -> None:
        """
        Stopping closes every session.
        """
        sessions = [self.open() for _ in range(3)]
        sessions[0].configure(Phone(self.network, "10.0.0.1", 20000, 1).audio(), [PCMU], [PCMU])
        self.engine.stop()
        self.assertTrue(all(session.closed for session in sessions))
