"""
Tests for :mod:`pbx.transport.batch`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.transport.batch import BUSY, MOST, PAUSE, TOGETHER, WANTED, BatchedReader


class Reactor(Clock):
    """
    A clock that knows its readers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:  # noqa: N802
        """
        Watch one.
        """
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:  # noqa: N802
        """
        Watch it no more.
        """
        self.readers.discard(reader)


class Port:
    """
    A port with datagrams that wait.
    """

    def __init__(self, reactor: Reactor) -> None:
        self.waiting = 0
        self.read = 0
        self.holding = False
        self.bundles: list[int] = []
        self.left: list[int] = []
        self.closing = False
        self.failing = False
        self.reader: BatchedReader | None = None
        reactor.addReader(self)
        self._reactor = reactor

    def fileno(self) -> int:
        """
        Some number.
        """
        return 7

    def stopReading(self) -> None:  # noqa: N802
        """
        Read no more by itself.
        """
        self._reactor.removeReader(self)

    @property
    def socket(self) -> Port:
        """
        What is read from.
        """
        return self

    @property
    def protocol(self) -> Port:
        """
        What is told.
        """
        return self

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, tuple[str, int]]:
        """
        The next that waits.
        """
        if not self.waiting:
            raise BlockingIOError
        self.waiting -= 1
        buffer[:2] = b"ab"
        return 2, ("10.0.0.1", 5060)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """
        One was read.
        """
        assert (datagram, addr) == (b"ab", ("10.0.0.1", 5060))
        assert self.holding
        self.read += 1
        self.bundles[-1] += 1
        self.left.append(self.waiting)
        if self.closing:
            assert self.reader is not None
            self.reader.stop()
        if self.failing:
            raise ZeroDivisionError

    def hold(self) -> None:
        """
        Answers are held from now on.
        """
        assert not self.holding
        self.holding = True
        self.bundles.append(0)

    def release(self) -> None:
        """
        They leave.
        """
        assert self.holding
        self.holding = False


class BatchedReaderTests(SynchronousTestCase):
    """
    A socket that is woken for, or looked at.
    """

    def setUp(self) -> None:
        """
        Watch a port.
        """
        self.reactor = Reactor()
        self.reactor.advance(1)
        self.port = Port(self.reactor)
        self.reader = self.port.reader = BatchedReader(self.reactor, self.port)

    def wake(self, datagrams: int = 1) -> None:
        """
        Let datagrams come; the reactor wakes its readers.
        """
        self.port.waiting += datagrams
        for reader in list(self.reactor.readers):
            reader.doRead()

    def test_interface(self) -> None:
        """
        It is what a reactor watches, in the port's place.
        """
        self.assertTrue(verifyObject(IReadDescriptor, self.reader))
        self.assertEqual(self.reactor.readers, {self.reader})
        self.assertEqual(self.reader.fileno(), 7)

    def test_a_quiet_socket_is_read_at_once(self) -> None:
        """
        A datagram now and then is read when it comes.
        """
        for _ in range(5):
            self.wake()
            self.reactor.advance(BUSY)
        self.assertEqual(self.port.read, 5)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_busy_socket_is_looked_at(self) -> None:
        """
        After two wake-ups in quick succession, what comes is read at the next look, all of it.
        """
        self.wake()
        self.reactor.advance(BUSY / 2)
        self.wake()
        self.assertEqual(self.reactor.readers, set())
        self.wake(5)
        self.assertEqual(self.port.read, 2)
        self.reactor.advance(PAUSE)
        self.assertEqual(self.port.read, 7)
        self.assertEqual(self.reactor.readers, set())

    def test_read_together_answered_together(self) -> None:
        """
        Some are read before the first of them is served, and their answers leave when all of them are; then the next.
        """
        self.wake(2 * TOGETHER + 3)
        self.assertEqual(self.port.bundles, [TOGETHER, TOGETHER, 3])
        self.assertEqual(self.port.left, [TOGETHER + 3] * TOGETHER + [3] * TOGETHER + [0] * 3)
        self.assertFalse(self.port.holding)

    def test_never_more_than_the_reactor_can_wait_for(self) -> None:
        """
        However many wait, the reactor has its turn in between.
        """
        self.wake(MOST + 1)
        self.assertEqual((self.port.read, self.port.waiting), (MOST, 1))

    def test_the_busier_the_shorter_the_pause(self) -> None:
        """
        A look that finds many shortens the next pause, so that each finds about as many as wanted; it never grows past
        the longest.
        """
        self.wake()
        self.wake()
        self.port.waiting = 4 * WANTED
        self.reactor.advance(PAUSE)
        (call,) = self.reactor.getDelayedCalls()
        self.assertAlmostEqual(call.getTime() - self.reactor.seconds(), PAUSE / 4)
        self.port.waiting = 1
        self.reactor.advance(PAUSE / 4)
        (call,) = self.reactor.getDelayedCalls()
        self.assertAlmostEqual(call.getTime() - self.reactor.seconds(), PAUSE)

    def test_it_becomes_quiet_again(self) -> None:
        """
        A look that finds nothing is the last one.
        """
        self.wake()
        self.wake()
        self.reactor.advance(PAUSE)
        self.assertEqual(self.reactor.readers, {self.reader})
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.wake()
        self.assertEqual(self.port.read, 3)

    def test_one_that_fails_keeps_none_from_being_read(self) -> None:
        """
        What a datagram brings about is logged, and the next one is read.
        """
        self.port.failing = True
        self.wake(3)
        self.assertEqual((self.port.read, self.port.holding), (3, False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_stopped_by_what_was_read(self) -> None:
        """
        One that is stopped by a datagram that it is just reading is neither watched nor looked at again.
        """
        self.wake()
        self.port.closing = True
        self.wake(3)
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), (set(), []))
        self.assertEqual((self.port.read, self.port.holding), (2, False))

    def test_stopped_in_a_look(self) -> None:
        """
        Likewise when it is being looked at.
        """
        self.wake()
        self.wake()
        self.port.closing = True
        self.port.waiting = 1
        self.reactor.advance(PAUSE)
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), (set(), []))

    def test_stop(self) -> None:
        """
        Nothing is left, whether it was watched or looked at.
        """
        self.wake()
        self.wake()
        self.reader.stop()
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
