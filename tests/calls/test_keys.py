"""
Tests of keys pressed in a call: by SIP INFO, told to the other phone in the way that it knows.
"""

from __future__ import annotations

from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import PCMU, Phone

KEY = (("Content-Type", "application/dtmf-relay"),)
BODY = b"Signal=5\r\nDuration=160\r\n"


class KeyTests(ExchangeCase):
    """
    1001 talks with 1002.
    """

    def press(self, talk: Conversation, phone: Phone) -> None:
        """
        Press 5 by INFO.
        """
        request = talk.request(phone, "INFO", BODY)
        request.headers.set("Content-Type", "application/dtmf-relay")
        phone.send(request)
        self.network.advance(0.5)
        self.assertEqual(phone.last("INFO").status, 200)

    def test_as_events(self) -> None:
        """
        A phone that has agreed on telephone events gets them.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        self.press(talk, anna)
        events = [packet for packet in bert.media if packet[1] & 0x7F == 101]
        self.assertEqual({packet[12] for packet in events}, {5})
        self.assertTrue(any(packet[13] & 0x80 for packet in events))
        talk.hang_up(anna)

    def test_as_tones(self) -> None:
        """
        One that has not hears the tones.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, answer=bert.sdp(formats=(PCMU,)))
        self.press(talk, anna)
        self.assertGreaterEqual(len([packet for packet in bert.media if packet[1] & 0x7F == 0]), 5)
        talk.hang_up(anna)

    def test_as_info(self) -> None:
        """
        One that tells of its own keys by INFO, and has no events, is told so.
        """
        anna, bert = self.pair()
        bert.on_request = lambda request: bert.answer(request, 200) if request.method == "INFO" else None
        talk = Conversation(anna, bert, answer=bert.sdp(formats=(PCMU,)))
        self.press(talk, bert)
        self.press(talk, anna)
        self.assertEqual(bert.requests("INFO")[-1].body, BODY)
        talk.hang_up(anna)

    def test_malformed(self) -> None:
        """
        A key that is none is refused, and harms nothing.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        request = talk.request(anna, "INFO", b"Signal=nothing\r\n")
        request.headers.set("Content-Type", "application/dtmf-relay")
        anna.send(request)
        self.network.advance(0.1)
        self.assertEqual(anna.last("INFO").status, 400)
        talk.hang_up(anna)
