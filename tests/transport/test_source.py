"""
Tests for :mod:`pbx.transport.source`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.limits import Admission, Limits
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.source import source_of

NETWORK = "2001:db8:1:2::/64"


class SourceTests(SynchronousTestCase):
    """
    Who a sender is counted as.
    """

    def test_keys(self) -> None:
        """
        An IPv4 address is counted by itself, an IPv6 address by its network of 64 bits, whatever way it is written.
        """
        for address, source in (
            ("203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2::7", NETWORK),
            ("2001:0db8:1:2:ffff::9%eth0", NETWORK),
            (NETWORK, NETWORK),
            ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ):
            with self.subTest(address=address):
                self.assertEqual(source_of(address), source)


class OneMachineTests(SynchronousTestCase):
    """
    A machine that takes a new IPv6 address for each packet.
    """

    def guard(self, **settings: int) -> Guard:
        """
        A guard.
        """
        return Guard(Clock(), GuardSettings(**settings))

    def test_guesses(self) -> None:
        """
        It guesses no more often than one with a single address; its neighbours in other networks are let in.
        """
        guard = self.guard(failures=10)
        for number in range(10):
            self.assertFalse(guard.blocked(f"2001:db8:1:2::{number:x}", "1001"))
            guard.failed(f"2001:db8:1:2::{number:x}", "1001")
        self.assertTrue(guard.blocked("2001:db8:1:2:ffff::1", "1001"))
        self.assertFalse(guard.blocked("2001:db8:1:3::1", "1001"))
        self.assertEqual([(block.address, block.user) for block in guard.blocks()], [(NETWORK, "1001")])
        self.assertTrue(guard.unblock("2001:db8:1:2:abcd::"))
        self.assertEqual(guard.blocks(), [])

    def test_users(self) -> None:
        """
        Five users that failed from the network block the whole of it, unless a phone is registered from there.
        """
        guard = self.guard(users=5)
        asked: list[str] = []
        blocked: list[str] = []
        guard.has_registration = lambda address: bool(asked.append(address))
        guard.on_blocked = blocked.append
        for number in range(5):
            guard.failed(f"2001:db8:1:2::{number:x}", f"100{number}")
        self.assertFalse(guard.allowed("2001:db8:1:2::aaaa"))
        self.assertEqual((set(asked), blocked), ({"2001:db8:1:2::4"}, [NETWORK]))

    def test_right_answer(self) -> None:
        """
        A right answer from any of its addresses forgives.
        """
        guard = self.guard(failures=2)
        guard.failed("2001:db8:1:2::1", "1001")
        guard.succeeded("2001:db8:1:2::2", "1001")
        guard.failed("2001:db8:1:2::3", "1001")
        self.assertEqual(guard.blocks(), [])

    def test_rate(self) -> None:
        """
        It sends no more than one with a single address.
        """
        guard = self.guard(rate=1, burst=10)
        let_in = sum(guard.allowed(f"2001:db8:1:2::{number:x}") for number in range(100))
        self.assertEqual(let_in, 11)

    def test_allowed_address(self) -> None:
        """
        One address that the operator allowed is never held back, though its neighbours are blocked.
        """
        guard = Guard(Clock(), GuardSettings(allow=("2001:db8:1:2::7",), users=1))
        guard.failed("2001:db8:1:2::8", "1001")
        self.assertFalse(guard.allowed("2001:db8:1:2::8"))
        self.assertTrue(guard.allowed("2001:db8:1:2::7"))

    def test_transactions(self) -> None:
        """
        Its unanswered requests count together.
        """
        admission = Admission(Clock(), Limits(unauthenticated_per_address=2))
        self.assertEqual([admission.enter(f"2001:db8:1:2::{n}") for n in range(3)], [True, True, False])
        admission.leave("2001:db8:1:2::9")
        self.assertTrue(admission.enter("2001:db8:1:2::1"))
