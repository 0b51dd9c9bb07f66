"""
Menus that lead out of the house.
"""

from __future__ import annotations

from typing import Any

from pbx.directory.decision import Destination
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.places import Menu, Places
from tests.calls.scripted import Scripted
from tests.calls.test_trunk_forwards import ELSEWHERE, SentOnCase


class MenuTests(SentOnCase):
    """
    Calls in are led to a menu, one of whose keys is a mobile phone.
    """

    inbound = (InboundRoute("hotline", Target("menu", "500")),)

    def setUp(self) -> None:
        """
        The menu, at the expense of 1001.
        """
        async def take(visit: Any) -> Destination | None:
            await visit.answer()
            return Destination("number", ELSEWHERE, "1001")

        self.options = {
            "features": {"places": {"menu": Scripted(take)}, "numbers": Places([Menu("500", "Hotline")])}
        }
        super().setUp()

    def test_a_key_that_leads_out(self) -> None:
        """
        The caller talks to the mobile phone, and the extension that the menu names answers for the call.
        """
        self.want()
        invite = self.a.offer_call()
        answer = self.a.last("INVITE")
        self.a.acknowledge(invite, answer)
        (onward,) = self.b.invites
        self.assertEqual(onward.target.user, ELSEWHERE)
        self.b.reply(onward, 200, body=self.b.sdp())
        self.hang_up(invite, answer)
        self.assertEqual(self.record["legs"][1]["payer"], "1001")
