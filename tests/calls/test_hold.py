"""
Hold and resume, which end at the exchange: the other phone never hears of them.
"""

from __future__ import annotations

from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import PCMA, PCMU, Phone


def direction(body: bytes) -> str:
    """
    The direction that a description names.
    """
    found = [word for word in ("sendrecv", "sendonly", "recvonly", "inactive") if f"a={word}".encode() in body]
    assert len(found) == 1, body
    return found[0]


class HoldTests(ExchangeCase):
    """
    One phone puts the other on hold.
    """

    def setUp(self) -> None:
        """
        Two phones in a call.
        """
        super().setUp()
        self.anna, self.bert = self.pair()
        self.talk = Conversation(self.anna, self.bert)
        self.assertEqual(self.talk.speak(), (10, 10))

    def offer(self, phone: Phone, version: int, way: str = "sendrecv", **options: str) -> str:
        """
        Send a re-INVITE; the direction that it was answered with.
        """
        response = self.talk.ask(phone, "INVITE", phone.sdp(direction=way, version=version, **options))
        self.assertEqual(response.status, 200)
        return direction(response.body)

    def hold_and_resume(self, holder: Phone, other: Phone, **options: str) -> str:
        """
        Hold, look at what the other hears, resume; the answer's direction.
        """
        media = len(other.media)
        answered = self.offer(holder, 2, **options)
        self.network.advance(1)
        noise = other.media[media:]
        self.assertTrue(45 <= len(noise) <= 51, len(noise))
        # One stream: the noise goes on where the voice stopped.
        sequence = [int.from_bytes(packet[2:4], "big") for packet in other.media[media - 1 :]]
        self.assertEqual(sequence, list(range(sequence[0], sequence[0] + len(sequence))))
        self.assertEqual({packet[8:12] for packet in other.media}, {other.media[0][8:12]})
        self.assertTrue(all(len(packet) == 172 and packet[1] & 0x7F == 0 for packet in noise))
        (shown,) = self.exchange.switchboard.list()
        self.assertEqual([leg["on_hold"] for leg in shown["legs"]], [holder is self.anna, holder is self.bert])
        # What the other says meanwhile goes nowhere.
        heard = len(holder.media)
        self.talk.speak(5, first=100)
        self.assertEqual(len(holder.media), heard)
        self.assertEqual(self.offer(holder, 3), "sendrecv")
        media = len(other.media)
        self.network.advance(1)
        self.assertEqual(len(other.media), media)
        self.assertEqual(self.talk.speak(10, first=200), (10, 10))
        self.assertEqual(len(other.requests("INVITE")) + len(other.requests("UPDATE")), int(other is self.bert))
        return answered

    def finish(self) -> None:
        """
        Hang up.
        """
        self.talk.hang_up(self.anna)
        self.assertEqual(self.record["disposition"], "answered")

    def test_music(self) -> None:
        """
        Where there is music, it is played to who is held, until the end of the hold.
        """
        heard: list[str] = []

        class Piece:
            def stop(self) -> None:
                heard.append("stop")

        def play(session: object) -> Piece:
            heard.append("play")
            return Piece()

        self.patch(self.exchange.music, "play", play)
        self.talk.hang_up(self.anna)
        talk = self.talk = Conversation(self.anna, self.bert)
        self.offer(self.anna, 3, way="sendonly")
        self.assertEqual(heard, ["play"])
        self.offer(self.anna, 4)
        self.assertEqual(heard, ["play", "stop"])
        self.assertEqual(talk.speak(), (10, 10))
        talk.hang_up(self.anna)

    def test_sendonly_by_the_caller(self) -> None:
        """
        The caller's sendonly is answered recvonly; the callee hears comfort noise until it is resumed.
        """
        self.assertEqual(self.hold_and_resume(self.anna, self.bert, way="sendonly"), "recvonly")
        self.finish()

    def test_sendonly_by_the_callee(self) -> None:
        """
        The same the other way round.
        """
        self.assertEqual(self.hold_and_resume(self.bert, self.anna, way="sendonly"), "recvonly")
        self.finish()

    def test_inactive(self) -> None:
        """
        Inactive is answered inactive.
        """
        self.assertEqual(self.hold_and_resume(self.anna, self.bert, way="inactive"), "inactive")
        self.finish()

    def test_address_of_nobody(self) -> None:
        """
        The hold of old phones, an address of 0.0.0.0, is answered inactive.
        """
        self.assertEqual(self.hold_and_resume(self.bert, self.anna, connection="0.0.0.0"), "inactive")  # noqa: S104
        self.finish()

    def test_both_hold(self) -> None:
        """
        Both hold each other; each is resumed for itself.
        """
        self.assertEqual(self.offer(self.anna, 2, "sendonly"), "recvonly")
        self.assertEqual(self.offer(self.bert, 2, "sendonly"), "recvonly")
        media = len(self.anna.media), len(self.bert.media)
        self.network.advance(1)
        # Neither wants to hear anything, so neither is sent anything.
        self.assertEqual((len(self.anna.media), len(self.bert.media)), media)
        self.offer(self.anna, 3)
        self.network.advance(1)
        self.assertGreater(len(self.anna.media), media[0] + 45)
        self.offer(self.bert, 3)
        self.assertEqual(self.talk.speak(10, first=300), (10, 10))
        self.finish()

    def test_a_held_leg_is_not_lost(self) -> None:
        """
        A phone that holds may be silent for a quarter of an hour before it is asked whether it is there.
        """
        self.offer(self.anna, 2, "inactive")
        self.network.advance(890)
        self.assertEqual(self.anna.requests("OPTIONS"), [])
        self.network.advance(20)
        self.assertEqual(len(self.anna.requests("OPTIONS")), 1)
        self.assertEqual(self.exchange.records, [])
        # The session was refreshed meanwhile; until that is answered, an offer of the phone's would be 491.
        self.anna.reply(self.anna.requests("INVITE")[-1], 200, body=self.anna.sdp(direction="inactive", version=2))
        self.offer(self.anna, 3)
        self.finish()

    def test_hang_up_on_hold(self) -> None:
        """
        The held phone hangs up; the noise ends with the call.
        """
        self.offer(self.anna, 2, "sendonly")
        self.talk.hang_up(self.bert)
        self.network.advance(0.1)
        media = len(self.bert.media)
        self.network.advance(1)
        self.assertEqual(len(self.bert.media), media)
        self.assert_ended("answered", "Normal call clearing", "callee")

    def test_unchanged_offer(self) -> None:
        """
        A re-INVITE that repeats the offer gets the same answer byte for byte, and so does one with a version counted
        up for no reason; a changed one gets the next version.
        """
        first = self.talk.ask(self.anna, "INVITE", self.anna.sdp())
        self.assertEqual(first.body, self.talk.answer.body)
        again = self.talk.ask(self.anna, "INVITE", self.anna.sdp(version=7))
        self.assertEqual(again.body, self.talk.answer.body)
        changed = self.talk.ask(self.anna, "INVITE", self.anna.sdp(version=8, direction="sendonly"))
        session = self.talk.answer.body.split(b"o=- ")[1].split()
        self.assertEqual(changed.body.split(b"o=- ")[1].split()[:2], [session[0], b"%d" % (int(session[1]) + 1)])
        self.finish()

    def test_update_with_offer(self) -> None:
        """
        Hold by UPDATE (RFC 3311) is answered in its 200.
        """
        response = self.talk.ask(self.bert, "UPDATE", self.bert.sdp(direction="sendonly", version=2))
        self.assertEqual((response.status, direction(response.body)), (200, "recvonly"))
        self.finish()

    def test_offer_that_cannot_be_served(self) -> None:
        """
        A re-INVITE with nothing that we have is 488, and the call goes on as it was (RFC 3261 14.2).
        """
        response = self.talk.ask(self.anna, "INVITE", self.anna.sdp(formats=((96, "iLBC/8000"),), version=2))
        self.assertEqual(response.status, 488)
        self.assertEqual(self.talk.speak(10, first=50), (10, 10))
        again = self.talk.ask(self.anna, "INVITE", self.anna.sdp())
        self.assertEqual(again.body, self.talk.answer.body)
        self.finish()

    def test_phone_moves_its_media(self) -> None:
        """
        A re-INVITE with another port: what is sent goes there from then on.
        """
        self.anna._rtp.close()
        self.anna.media_port = 4100
        self.anna.listen_for_media()
        self.assertEqual(self.offer(self.anna, 2), "sendrecv")
        self.anna.media.clear()
        self.bert.speak(self.talk.rung.body, 5, first=20, ssrc=12)
        self.assertEqual(len(self.anna.media), 5)
        self.finish()

    def test_codec_change_in_the_call(self) -> None:
        """
        A phone that changes to another codec in the call is converted for, and the other phone is not asked.
        """
        response = self.talk.ask(self.anna, "INVITE", self.anna.sdp(formats=(PCMA,), version=2))
        self.assertIn(b"RTP/AVP 8\r\n", response.body)
        self.anna.media.clear()
        self.bert.media.clear()
        self.bert.speak(self.talk.rung.body, 5, first=20, ssrc=12, payload=b"\xff" * 160)
        self.assertEqual({packet[1] & 0x7F for packet in self.anna.media}, {8})
        self.assertEqual(self.anna.media[-1][12:], b"\xd5" * 160)
        (shown,) = self.exchange.switchboard.list()
        self.assertEqual(shown["media_path"], "transcode")
        self.assertEqual(len(self.bert.requests("INVITE")), 1)
        self.talk.ask(self.anna, "INVITE", self.anna.sdp(formats=(PCMU,), version=3))
        self.finish()
