"""
Tests for :mod:`pbx.transport.guard`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.logger._format import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pbx.transport.guard import Block, Guard, GuardSettings
from tests.transport.rig import PHONE, Rig, request

BAD = "203.0.113.9"


class GuardTests(SynchronousTestCase):
    """
    Who is let in.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        observer: Any = lambda event: self.lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def guard(self, **settings: Any) -> Guard:
        """
        A guard with these settings.
        """
        return Guard(self.clock, GuardSettings(**settings))

    def test_one_user_is_refused_alone(self) -> None:
        """
        Ten failures of one user from one address refuse that user there, with one line that names both, for a time.
        """
        guard = self.guard(failures=10, block_time=900)
        for _ in range(9):
            guard.failed(BAD, "1005")
        self.assertFalse(guard.blocked(BAD, "1005"))
        guard.failed(BAD, "1005")
        self.assertTrue(guard.blocked(BAD, "1005"))
        guard.failed(BAD, "1005")
        self.assertEqual([line for line in self.lines if "IP blocked" in line],
                         ["IP blocked: 203.0.113.9 as user 1005 for 900 s after 10 failures"])
        self.assertFalse(guard.blocked(BAD, "1006"))
        self.assertFalse(guard.blocked("203.0.113.8", "1005"))
        self.assertTrue(guard.allowed(BAD))
        self.assertEqual(guard.blocks(), [Block(BAD, "1005", 900.0)])
        self.clock.advance(900)
        self.assertFalse(guard.blocked(BAD, "1005"))
        self.assertEqual(guard.blocks(), [])

    def test_other_settings(self) -> None:
        """
        What was counted counts by the limits of now, a block lasts as it was said, and who is allowed now is let in.
        """
        guard = self.guard(failures=10, block_time=900)
        for _ in range(4):
            guard.failed(BAD, "1005")
        guard.reconfigure(GuardSettings(failures=5, block_time=60))
        guard.failed(BAD, "1005")
        self.assertEqual(guard.blocks(), [Block(BAD, "1005", 60.0)])
        guard.reconfigure(GuardSettings(failures=5, block_time=900))
        self.assertEqual(guard.blocks(), [Block(BAD, "1005", 60.0)])
        self.assertTrue(guard.blocked(BAD, "1005"))
        guard.reconfigure(GuardSettings(allow=("203.0.113.0/24",)))
        self.assertFalse(guard.blocked(BAD, "1005"))
        self.assertRaises(ValueError, guard.reconfigure, GuardSettings(allow=("office",)))
        self.assertFalse(guard.blocked(BAD, "1005"))
        guard.reconfigure(GuardSettings())
        self.assertTrue(guard.blocked(BAD, "1005"))

    def test_count_begins_anew_after_a_block(self) -> None:
        """
        One failure after a block has ended is one failure.
        """
        guard = self.guard(failures=3, window=10_000)
        for _ in range(3):
            guard.failed(BAD, "1005")
        self.clock.advance(901)
        guard.failed(BAD, "1005")
        self.assertFalse(guard.blocked(BAD, "1005"))

    def test_old_failures_do_not_count(self) -> None:
        """
        Failures count for ten minutes; a success ends the count too.
        """
        guard = self.guard(failures=3, window=600)
        for _ in range(2):
            guard.failed(BAD, "1005")
        self.clock.advance(601)
        guard.failed(BAD, "1005")
        guard.failed(BAD, "1005")
        self.assertFalse(guard.blocked(BAD, "1005"))
        guard.succeeded(BAD, "1005")
        guard.failed(BAD, "1005")
        guard.failed(BAD, "1005")
        self.assertFalse(guard.blocked(BAD, "1005"))
        guard.failed(BAD, "1005")
        self.assertTrue(guard.blocked(BAD, "1005"))

    def test_address_is_blocked_for_five_users(self) -> None:
        """
        Failures of five users from an address without a registration block it all, with a line that names it.
        """
        guard = self.guard()
        told: list[str] = []
        guard.on_blocked = told.append
        for user in ("100", "101", "102", "103"):
            guard.failed(BAD, user)
            guard.failed(BAD, user)
        self.assertTrue(guard.allowed(BAD))
        guard.failed(BAD, "104")
        self.assertFalse(guard.allowed(BAD))
        self.assertEqual((told, guard.refused), ([BAD], 1))
        (line,) = [line for line in self.lines if "IP blocked" in line]
        self.assertIn(BAD, line)
        self.assertIn("user 104", line)
        self.assertTrue(guard.allowed("203.0.113.8"))
        self.clock.advance(899)
        self.assertFalse(guard.allowed(BAD))
        self.clock.advance(1)
        self.assertTrue(guard.allowed(BAD))

    def test_address_with_a_registration_is_not_blocked(self) -> None:
        """
        An office whose phones are registered is never blocked as a whole, whoever fails there.
        """
        guard = self.guard()
        guard.has_registration = lambda address: address == BAD
        for number in range(50):
            guard.failed(BAD, str(number))
        self.assertTrue(guard.allowed(BAD))
        guard.has_registration = lambda address: False
        guard.failed(BAD, "51")
        self.assertFalse(guard.allowed(BAD))

    def test_users_of_an_hour_ago_do_not_count(self) -> None:
        """
        Five users that fail now and then over hours block nothing.
        """
        guard = self.guard()
        for number in range(20):
            guard.failed(BAD, str(number))
            self.clock.advance(200)
        self.assertTrue(guard.allowed(BAD))

    def test_a_success_takes_its_user_out(self) -> None:
        """
        A user that mistyped at first does not count among those that failed.
        """
        guard = self.guard()
        for number in range(4):
            guard.failed(BAD, str(number))
        guard.succeeded(BAD, "0")
        guard.failed(BAD, "4")
        self.assertTrue(guard.allowed(BAD))

    def test_never_blocked(self) -> None:
        """
        Loopback, trunks and what the operator allowed are neither blocked nor held back.
        """
        guard = self.guard(allow=("198.51.100.0/24", "2001:db8::/32"), rate=10, burst=5)
        guard.is_trunk = lambda address: address == "192.0.2.1"
        for address in ("127.0.0.1", "127.1.2.3", "::1", "198.51.100.7", "2001:db8::5", "192.0.2.1"):
            for number in range(20):
                guard.failed(address, str(number % 6))
                self.assertTrue(guard.allowed(address), address)
            self.assertFalse(guard.blocked(address, "1"))
        self.assertEqual(guard.blocks(), [])

    def test_an_address_that_becomes_a_trunk(self) -> None:
        """
        A block ends when its address turns out to be a trunk's.
        """
        guard = self.guard()
        for number in range(5):
            guard.failed(BAD, str(number))
        self.assertFalse(guard.allowed(BAD))
        guard.is_trunk = lambda address: True
        self.assertTrue(guard.allowed(BAD))

    def test_unblock(self) -> None:
        """
        The operator can lift a block, and all is forgotten.
        """
        guard = self.guard(failures=2)
        for number in range(5):
            guard.failed(BAD, str(number))
        guard.failed(BAD, "0")
        self.assertTrue(guard.unblock(BAD))
        self.assertFalse(guard.unblock(BAD))
        self.assertTrue(guard.allowed(BAD))
        guard.failed(BAD, "0")
        self.assertFalse(guard.blocked(BAD, "0"))

    def test_rate(self) -> None:
        """
        An address may send a burst and a rate after it; the rest is dropped, with one line a minute.
        """
        guard = self.guard(rate=128, burst=512)
        self.assertEqual(sum(guard.allowed(BAD) for _ in range(1000)), 513)
        self.clock.advance(1)
        self.assertEqual(sum(guard.allowed(BAD) for _ in range(1000)), 128)
        self.assertEqual(guard.held_back, 487 + 872)
        self.assertTrue(guard.allowed("203.0.113.8"))
        self.assertEqual(len([line for line in self.lines if "messages per second" in line]), 1)
        self.clock.advance(60)
        self.assertEqual(sum(guard.allowed(BAD) for _ in range(1000)), 513)

    def test_a_site_comes_back(self) -> None:
        """
        200 phones behind one address register within 10 s, each with ten messages, and none is dropped.
        """
        guard = self.guard()
        for _ in range(10):
            for _ in range(200):
                self.assertTrue(guard.allowed(BAD))
            self.clock.advance(1)
        self.assertEqual(sum(guard.allowed("203.0.113.8") for _ in range(2000)), 2000)

    def test_a_registered_site_may_send_more(self) -> None:
        """
        From an address with a registered phone ten times the rate is let in, but no more.
        """
        guard = self.guard(rate=100, burst=100, registered_factor=10)
        guard.has_registration = lambda address: True
        list(map(guard.allowed, [BAD] * 5000))
        let_in = 0
        for _ in range(1000):
            self.clock.advance(0.01)
            let_in += sum(guard.allowed(BAD) for _ in range(30))
        self.assertTrue(9_900 <= let_in <= 10_100, let_in)

    def test_tables_are_bounded(self) -> None:
        """
        Whatever strangers send, no table grows beyond its limit.
        """
        guard = self.guard(max_entries=100, failures=1, users=2)
        for number in range(500):
            address = f"198.51.{number // 250}.{number % 250}"
            guard.allowed(address)
            guard.failed(address, "a" * 10_000)
            guard.failed(address, f"b{number}")
        tables = (guard._due, guard._failures, guard._users, guard._blocks, guard._exempt)
        self.assertTrue(all(len(table) <= 100 for table in tables), list(map(len, tables)))
        self.assertTrue(all(len(user or "") <= 64 for _, user in guard._blocks))

    def test_names_for_the_log(self) -> None:
        """
        A user name cannot break a log line, nor forge another.
        """
        guard = self.guard(failures=1)
        guard.failed(BAD, "x\n2026-01-01 IP blocked: 10.0.0.1 {fake} \x1b[2J")
        (line,) = [line for line in self.lines if "IP blocked" in line]
        self.assertNotIn("\n", line)
        self.assertNotIn("\x1b", line)

    def test_bad_settings(self) -> None:
        """
        An address that is none is refused at start.
        """
        self.assertRaises(ValueError, self.guard, allow=("office",))


class GuardedLayerTests(SynchronousTestCase):
    """
    The guard at its post.
    """

    def test_nothing_of_a_blocked_address_is_parsed(self) -> None:
        """
        Datagrams and connections of a blocked address come to nothing, and those it has are closed.
        """
        rig = Rig(guard=GuardSettings(users=1))
        self.addCleanup(rig.stop, self)
        other = rig.udp_phone("10.0.0.3")
        phone, stream = rig.udp_phone(), rig.stream_phone()
        rig.guard.failed(PHONE, "1005")
        rig.advance()
        self.assertIsNotNone(stream.ended_at)
        phone.say(request())
        late = rig.stream_phone()
        self.assertIsNotNone(late.ended_at)
        other.say(request())
        rig.advance()
        self.assertEqual([flow.remote[0] for _, flow in rig.receiver.got], ["10.0.0.3"])
        self.assertEqual(rig.layer.connections.refused, 1)
