"""
A conference of three that the phone in the middle makes itself: it mixes, and the exchange has two calls of it.
"""

from __future__ import annotations

from tests.calls.case import Conversation, ExchangeCase


class ThreeWayTests(ExchangeCase):
    """
    1001 talks to 1002 and to 1003.
    """

    def test_three_way(self) -> None:
        """
        It holds 1002, calls 1003, and resumes 1002: both calls are up at once, what it says into each is heard there
        and nowhere else, and one ends without the other.
        """
        anna, bert, cleo = self.phone("1001"), self.phone("1002"), self.phone("1003")
        for phone in (anna, bert, cleo):
            phone.listen_for_media()
        first = Conversation(anna, bert)
        self.assertEqual(first.speak(), (10, 10))
        self.assertEqual(first.ask(anna, "INVITE", anna.sdp(direction="sendonly", version=2)).status, 200)
        second = Conversation(anna, cleo)
        # It hears the one that it has called; who is held hears us.
        self.assertEqual(second.speak(first=20), (10, 10))
        self.assertEqual(first.ask(anna, "INVITE", anna.sdp(version=3)).status, 200)
        self.assertEqual(len(self.exchange.switchboard.calls), 2)
        for talk, others in ((first, cleo), (second, bert)):
            before = len(others.media)
            self.assertEqual(talk.speak(first=40), (10, 10))
            self.assertEqual(len(others.media), before)
        second.hang_up(cleo)
        self.assertEqual(len(anna.requests("BYE")), 1)
        self.assertEqual(first.speak(first=60), (10, 10))
        first.hang_up(anna)
        self.assertEqual([record["disposition"] for record in self.exchange.records], ["answered"] * 2)
