"""
Tests for :mod:`pbx.media.kept`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.media.kept import BUSY, KEPT, LATE, WITHIN
from pbx.media.settings import MediaSettings
from tests.media.memory import PCMU, Phone, memory_engine
from tests.network import Network

PBX = "10.0.0.1"


class KeptCase(SynchronousTestCase):
    """
    A busy engine with ports, of which it may have two pairs open.
    """

    ports = 4
    most = 2

    def setUp(self) -> None:
        self.network = Network()
        self.host = self.network.host(PBX)
        self.network.host("10.0.0.2")
        self.network.host("10.0.0.3")
        settings = MediaSettings(port_range_start=10000, port_range_end=9999 + self.ports)
        self.engine = memory_engine(self.network, settings, most_pairs=self.most)
        self.alice = Phone(self.network, "10.0.0.2", 4000, 0xA)
        self.bob = Phone(self.network, "10.0.0.3", 5000, 0xB)
        for _ in range(BUSY):
            self.open().close()
        self.assertEqual(self.bound(), [])

    def tearDown(self) -> None:
        self.engine.stop()
        self.network.advance()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.assertEqual(self.bound(), [])
        self.assertEqual((self.engine.pool.in_use, self.engine.sessions), (0, 0))

    def bound(self) -> list[int]:
        """
        The media ports that are open.
        """
        return sorted(key[2] for key in self.host.bound if 10000 <= key[2] <= 10100)

    def open(self, phone: Phone | None = None, host: str = PBX) -> Any:
        """
        A session, in a call with a phone if there is one.
        """
        session = self.engine.open(host, PBX, call_id="c")
        if phone is not None:
            session.configure(phone.audio(PCMU), [PCMU], [PCMU])
        return session

    def descriptors(self, session: Any) -> list[int]:
        """
        The descriptors of its sockets.
        """
        return [sock.fileno() for sock in session.sockets]


class KeptPairsTests(KeptCase):
    """
    An engine with two pairs of ports that keeps their sockets.
    """

    def round(self, phone: Phone | None = None) -> tuple[Any, Any, list[int]]:
        """
        A session that was closed, the next one on its ports, and the descriptors of the first.
        """
        first = self.open(self.alice)
        self.alice.talk((PBX, first.port), 3)
        descriptors = self.descriptors(first)
        first.close()
        self.open().close()
        return first, self.open(phone), descriptors

    def test_used_again(self) -> None:
        """
        The next session on the same ports has the same sockets; whoever holds those of the first holds closed ones.
        """
        first, second, descriptors = self.round()
        self.assertEqual((second.port, self.descriptors(second)), (first.port, descriptors))
        self.assertEqual(self.descriptors(first), [-1, -1])
        self.assertRaises(OSError, first.sockets[0].sendto, b"x", ("10.0.0.2", 4000))

    def test_in_the_pool_s_order(self) -> None:
        """
        A closed pair of ports is handed out last, whether its sockets are kept or not.
        """
        ports = []
        for _ in range(6):
            session = self.open()
            ports.append(session.port)
            session.close()
        self.assertEqual(sorted(ports[:2]), [10000, 10002])
        self.assertEqual(ports, ports[:2] * 3)

    def test_hears_its_own_phone(self) -> None:
        """
        A session on kept sockets hears and measures its own phone, and sends to it, although the sockets were connected
        to another.
        """
        first, second, _ = self.round(self.bob)
        self.assertEqual(first.quality().packets_in, 3)
        self.bob.talk((PBX, second.port), 5)
        self.assertEqual((second.quality().packets_in, second.latched), (5, ("10.0.0.3", 5000)))
        second.outgoing.send_frame(0, bytes(160), self.network.clock.seconds(), first=True)
        self.network.advance(0.1)
        self.assertEqual((len(self.bob.heard), self.alice.heard), (1, []))

    def test_late_packets_are_dropped(self) -> None:
        """
        What the first phone still sends does not reach the next session.
        """
        first = self.open(self.alice)
        first.close()
        self.open().close()
        self.alice.talk((PBX, first.port), 3)
        # And some that were not read yet.
        for sock in self.engine._kept._pairs[first.port].sockets:
            sock.arrivals.extend([(bytes(200), ("10.0.0.2", 4000))] * 3)  # type: ignore[attr-defined]  # in memory
        second = self.open(self.alice)
        self.assertEqual(second.port, first.port)
        self.assertEqual([len(sock.arrivals) for sock in second.sockets], [0, 0])
        self.network.advance(0.1)
        self.assertEqual(second.quality().packets_in, 0)

    def test_early_packets_wait(self) -> None:
        """
        What comes after the session was opened and before it is configured is heard, as on new sockets.
        """
        _, second, _ = self.round()
        self.bob.talk((PBX, second.port), 3)
        second.configure(self.bob.audio(PCMU), [PCMU], [PCMU])
        self.network.advance(0.1)
        self.assertEqual(second.quality().packets_in, 3)

    def test_strangers_close_it(self) -> None:
        """
        A pair that gets more packets than a call leaves behind is closed; the next session opens its own.
        """
        first = self.open(self.alice)
        first.close()
        self.alice.talk((PBX, first.port), LATE)
        self.assertIn(first.port, self.bound())
        self.alice.talk((PBX, first.port), 1)
        self.assertNotIn(first.port, self.bound())
        self.open().close()
        self.assertEqual(self.open().port, first.port)

    def test_a_flood_that_nobody_read_yet(self) -> None:
        """
        When there is too much to be read for a session to wait for, it opens sockets of its own.
        """
        first = self.open(self.alice)
        first.close()
        self.open().close()
        for sock in self.engine._kept._pairs[first.port].sockets:
            sock.arrivals.extend([(bytes(200), ("10.0.0.2", 4000))] * (LATE + 1))  # type: ignore[attr-defined]
        second = self.open()
        self.assertEqual(second.port, first.port)
        self.assertEqual([len(sock.arrivals) for sock in second.sockets], [0, 0])

    def test_another_address(self) -> None:
        """
        A session on another address of ours opens its own sockets, and the kept ones of that port are closed.
        """
        self.host.add_address("10.0.0.9")
        self.open().close()
        self.open().close()
        session = self.open(host="10.0.0.9")
        self.assertIn(("UDP", "10.0.0.9", session.port), self.host.bound)
        self.assertNotIn(("UDP", PBX, session.port), self.host.bound)

    def test_closed_after_a_while(self) -> None:
        """
        What is not used again is closed, and then nothing is left to be done.
        """
        self.open().close()
        self.network.advance(KEPT - 1)
        self.assertEqual(len(self.bound()), 2)
        self.network.advance(2)
        self.assertEqual((self.bound(), self.network.clock.getDelayedCalls()), ([], []))

    def test_a_quiet_engine_keeps_none(self) -> None:
        """
        When few sessions end, each closes its sockets.
        """
        self.network.advance(WITHIN)
        for _ in range(BUSY - 1):
            self.open().close()
            self.assertEqual(self.bound(), [])
        self.network.advance(WITHIN / 2)
        self.open().close()
        self.assertEqual(self.bound(), [])
        self.open().close()
        self.assertEqual(len(self.bound()), 2)

    def test_stop(self) -> None:
        """
        When the engine stops, nothing is kept any more, nor is what closes then.
        """
        self.open().close()
        self.open(self.alice)
        self.engine.stop()
        self.assertEqual(self.bound(), [])


class FewFilesTests(KeptCase):
    """
    An engine with more ports than it may have open.
    """

    ports = 20

    def test_never_more_open(self) -> None:
        """
        The longest kept makes room for what is opened, and for nothing else.
        """
        sessions = [self.open() for _ in range(2)]
        for session in sessions:
            session.close()
        self.assertEqual(len(self.bound()), 4)
        third = self.open()
        self.assertEqual(self.bound(), sorted([third.port, third.port + 1, sessions[1].port, sessions[1].port + 1]))
        more = [self.open() for _ in range(4)]
        self.assertEqual(len(self.bound()), 2 * 5)
        more[0].close()
        self.assertNotIn(more[0].port, self.bound())
