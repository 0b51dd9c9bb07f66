"""
Tests for :mod:`tests.wire.sipp`: a caller and a phone without an exchange.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.wire.scenario import Scenario


class PeersTests(TestCase):
    """
    SIPp calls SIPp.
    """

    timeout = 30

    async def test_calls(self) -> None:
        """
        Calls that go through are counted on both sides, none sent twice.
        """
        phone = Scenario("answer", self.mktemp(), calls=10)
        phone.start()
        self.addCleanup(phone.stop)
        caller = Scenario(
            "call_plain", self.mktemp(), server=f"127.0.0.1:{phone.port}", rows=[("a", "b")], calls=10, pause_ms=100
        )
        made, taken = await caller.outcome(), await phone.outcome()
        self.assertEqual((made.status, made.successful, made.failed, made.resent), (0, 10, 0, 0), made.errors)
        self.assertEqual((taken.status, taken.successful, taken.resent_to_it), (0, 10, 0), taken.errors)

    async def test_failure(self) -> None:
        """
        A call that is refused is a failed one.
        """
        phone = Scenario("busy", self.mktemp(), calls=1)
        phone.start()
        self.addCleanup(phone.stop)
        caller = Scenario("call_plain", self.mktemp(), server=f"127.0.0.1:{phone.port}", rows=[("a", "b")])
        made = await caller.outcome()
        self.assertEqual((made.successful, made.failed), (0, 1), made.errors)
        self.assertNotEqual(made.status, 0)
