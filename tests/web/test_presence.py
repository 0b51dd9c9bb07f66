"""
Tests for :mod:`pbx.web.presence`, over an exchange with phones.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from pbx.web.presence import IPresence, LivePresence, Presence
from tests.calls.case import Conversation
from tests.features.lamps import Lamp, LampCase
from tests.web.client import Client


class PresenceTests(LampCase):
    """
    Seeing who does what.
    """

    def setUp(self) -> None:
        super().setUp()
        self.live = LivePresence(self.presence, self.notifier, self.network.clock.seconds, self.exchange.wall)
        self.client = Client(Presence(self.live).routes())

    def test_interface(self) -> None:
        """
        The live presence is what the resource asks for.
        """
        self.assertTrue(verifyObject(IPresence, self.live))

    def test_all(self) -> None:
        """
        Every extension with its state, in the order of their numbers.
        """
        anna, bert = self.pair()
        self.handle("1003", dnd=True)
        self.phone("1003")
        talk = Conversation(anna, bert)
        found = self.client.ask("GET", "/api/presence").json["presence"]
        self.assertEqual(
            [(item["number"], item["state"], item["registered"]) for item in found[:4]],
            [("1001", "busy", True), ("1002", "busy", True), ("1003", "dnd", True), ("1004", "unregistered", False)],
        )
        self.assertEqual((found[3]["since"], found[3]["name"], found[0]["calls"]), (None, "Phone 1004", 1))
        self.assertTrue(found[0]["since"].startswith("2023-11-14T22:13:2"))
        talk.hang_up(anna)

    def test_one(self) -> None:
        """
        One extension with whom it talks to; an anonymous caller is not named; 404 for nobody.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=(("Privacy", "id"),))
        line = {"direction": "inbound", "state": "up", "peer": None, "peer_name": None}
        self.assertEqual(self.client.ask("GET", "/api/presence/1002").json["lines"], [line])
        line = {"direction": "outbound", "state": "up", "peer": "1002", "peer_name": "Phone 1002"}
        self.assertEqual(self.client.ask("GET", "/api/presence/1001").json["lines"], [line])
        self.assertEqual(self.client.ask("GET", "/api/presence/2000").status, 404)
        talk.hang_up(bert)

    def test_subscriptions(self) -> None:
        """
        Which phones want to be told of what, until when.
        """
        phone = self.phone("1003")
        Lamp(phone, "1002", headers=(("User-Agent", "Desk phone 1.0"),))
        Lamp(phone, "1003", "message-summary")
        one, other = self.client.ask("GET", "/api/subscriptions").json["subscriptions"]
        self.assertEqual(
            [one[name] for name in ("extension", "event", "resource", "user_agent")],
            ["1003", "dialog", "1002", "Desk phone 1.0"],
        )
        self.assertIn(phone.address, one["address"])
        self.assertTrue(one["until"].startswith("2023-11-14T22:23:2"), one["until"])
        self.assertEqual((other["event"], other["user_agent"]), ("message-summary", ""))
