"""
Tests for :mod:`pbx.web.blocks`, over the guard itself.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.transport.guard import Guard, GuardSettings
from pbx.web.blocks import Blocks, IBlocks
from pbx.web.site import GuardBlocks
from tests.web.client import Client, FakeAudit


class BlocksTests(SynchronousTestCase):
    """
    Seeing who is blocked, and letting them in again.
    """

    def setUp(self) -> None:
        self.clock, self.audit = Clock(), FakeAudit()
        self.clock.advance(1000)
        self.guard = Guard(self.clock, GuardSettings(failures=1, block_time=900))
        self.blocks = GuardBlocks(self.guard, self.clock.seconds, lambda: 1_700_000_000.0)
        self.client = Client(Blocks(self.blocks, self.audit).routes())

    def test_interface(self) -> None:
        """
        The guard's blocks are what the resource asks for.
        """
        verifyObject(IBlocks, self.blocks)

    def test_list(self) -> None:
        """
        Each block is shown with its address, its user, and the time of day at which it ends.
        """
        self.assertEqual(self.client.ask("GET", "/api/blocks").json, {"blocks": []})
        self.guard.failed("203.0.113.9", "1001")
        self.clock.advance(400)
        self.assertEqual(
            self.client.ask("GET", "/api/blocks").json["blocks"],
            [{"address": "203.0.113.9", "user": "1001", "until": "2023-11-14T22:21:40.000+00:00"}],
        )

    def test_unblock(self) -> None:
        """
        An address is let in again once, an IPv6 network by its name or any address in it; the audit knows by whom.
        """
        for blocked, named in (
            ("203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::7", "2001:db8:1:2::/64".replace("/", "%2F")),
            ("2001:db8:1:2::7", "2001:db8:1:2::7"),
        ):
            with self.subTest(named=named):
                self.guard.failed(blocked, "1001")
                self.assertTrue(self.guard.blocked(blocked, "1001"))
                self.assertEqual(self.client.ask("DELETE", f"/api/blocks/{named}").status, 204)
                self.assertFalse(self.guard.blocked(blocked, "1001"))
                self.assertEqual(self.client.ask("DELETE", f"/api/blocks/{named}").status, 404)
        self.assertEqual(self.audit.rows[0], ("local:root", "unblock", "address 203.0.113.9", None, None))
        self.assertEqual(len(self.audit.rows), 4)

    def test_no_address(self) -> None:
        """
        What is no address is not blocked.
        """
        for text in ("nobody", "a:b", "::1::"):
            self.assertEqual(self.client.ask("DELETE", f"/api/blocks/{text}").status, 404)
