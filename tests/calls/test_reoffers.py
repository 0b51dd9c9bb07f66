"""
New offers within a call: what a phone is offered that asks for it, and what the other is offered so that both hear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.dialog.refresh import Refresher
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import EVENTS, PCMA, PCMU, Phone
from tests.calls.test_codecs import formats_of
from tests.calls.test_hold import direction

if TYPE_CHECKING:
    from pbx.sip.message import Response

SPEEX = (96, "speex/8000")


class ReofferCase(ExchangeCase):
    """
    Two phones, and calls between them.
    """

    def setUp(self) -> None:
        super().setUp()
        self.anna, self.bert = self.pair()

    def talks(self, anna: tuple[tuple[int, str], ...], bert: tuple[tuple[int, str], ...]) -> Conversation:
        """
        A call with what the caller offers and the callee answers.
        """
        return Conversation(self.anna, self.bert, body=self.anna.sdp(formats=anna), answer=self.bert.sdp(formats=bert))

    def takes(self, phone: Phone, status: int = 200, **options: object) -> None:
        """
        Let a phone answer re-INVITEs so.
        """
        body = phone.sdp(version=9, **options) if status == 200 else b""
        phone.on_request = lambda request: (
            phone.answer(request, status, body=body) and None if request.method == "INVITE" and request.to_tag else None
        )

    def media(self) -> tuple[str, str]:
        """
        How the sound goes, and why.
        """
        (shown,) = self.exchange.switchboard.list()
        return shown["media_path"], shown["media_reason"]

    def asks(self, talk: Conversation, phone: Phone, answer: bytes) -> Response:
        """
        Send a re-INVITE without an offer, and the answer in its ACK; what was offered.
        """
        request = talk.request(phone, "INVITE")
        phone.send(request)
        self.network.advance(0.01)
        offered = phone.last("INVITE")
        phone.send(talk.request(phone, "ACK", body=answer, cseq=request.cseq.number))
        self.network.advance(0.01)
        return offered


class WantedTests(ReofferCase):
    """
    A re-INVITE without an offer (RFC 3261 14.2).
    """

    def test_resume(self) -> None:
        """
        A phone that holds comes back with it: it is offered both directions.
        """
        talk = self.talks((PCMU, EVENTS), (PCMU, EVENTS))
        for phone in (self.anna, self.bert):
            held = talk.ask(phone, "INVITE", phone.sdp(direction="sendonly", version=2))
            self.assertEqual(direction(held.body), "recvonly")
            offered = self.asks(talk, phone, phone.sdp(formats=(PCMU, EVENTS), version=3))
            self.assertEqual(direction(offered.body), "sendrecv")
            self.assertEqual(formats_of(offered.body), ["0", "101", "8", "9", "111", "110"])
            (shown,) = self.exchange.switchboard.list()
            self.assertEqual([leg["on_hold"] for leg in shown["legs"]], [False, False])
        self.assertGreaterEqual(min(talk.speak(10)), 9)
        talk.hang_up(self.anna)

    def test_payload_types_stay(self) -> None:
        """
        What is offered has the numbers that it has in this session, whatever it has in the other leg's.
        """
        talk = self.talks(((111, SPEEX[1]), PCMU), ((96, SPEEX[1]), PCMU))
        offered = self.asks(talk, self.bert, self.bert.sdp(formats=((96, SPEEX[1]), PCMU), version=2))
        self.assertEqual(formats_of(offered.body)[:2], ["111", "0"])
        self.assertNotIn(b" 8 ", offered.body.split(b"\r\n")[5])
        offered = self.asks(talk, self.anna, self.anna.sdp(formats=((111, SPEEX[1]), PCMU), version=2))
        self.assertEqual(formats_of(offered.body)[:2], ["111", "0"])
        self.assertEqual(self.media()[0], "relay")
        talk.hang_up(self.anna)

    def test_another_codec(self) -> None:
        """
        It may take another codec than the other phone hears now: that one is offered it in turn.
        """
        talk = self.talks((SPEEX, PCMU), (SPEEX, PCMU))
        self.takes(self.anna, formats=(PCMU,))
        self.asks(talk, self.bert, self.bert.sdp(formats=(PCMU,), version=2))
        self.network.advance(0.1)
        self.assertEqual(formats_of(self.anna.requests("INVITE")[-1].body)[0], "0")
        self.assertEqual(self.media(), ("relay", "both sides have PCMU"))
        self.assertGreaterEqual(min(talk.speak(10)), 9)
        talk.hang_up(self.anna)


class CodecChangeTests(ReofferCase):
    """
    A phone in a call between codecs that we can't convert changes to another.
    """

    def test_the_other_has_it_too(self) -> None:
        """
        It is taken, and the other phone, which has said that it has it, is offered it.
        """
        for index in (0, 1):
            talk = self.talks((SPEEX, PCMU, EVENTS), (SPEEX, PCMU, EVENTS))
            one, other = (self.anna, self.bert) if index == 0 else (self.bert, self.anna)
            self.takes(other, formats=(PCMU, EVENTS))
            answer = talk.ask(one, "INVITE", one.sdp(formats=(PCMU, EVENTS), version=2))
            self.assertEqual((answer.status, formats_of(answer.body)), (200, ["0", "101"]))
            self.network.advance(0.1)
            self.assertEqual(formats_of(other.requests("INVITE")[-1].body), ["0", "101"])
            self.assertEqual(self.media(), ("relay", "both sides have PCMU"))
            self.assertGreaterEqual(min(talk.speak(10)), 9)
            other.on_request = None
            talk.hang_up(one)
            self.network.advance(35)
            self.exchange.records.clear()

    def test_the_other_is_not_known_to_have_it(self) -> None:
        """
        It is refused, and the call goes on as it was, in the codec and with the directions it had.
        """
        talk = self.talks((SPEEX, PCMU), (SPEEX,))
        answer = talk.ask(self.anna, "INVITE", self.anna.sdp(formats=(PCMU,), direction="sendonly", version=2))
        self.assertEqual(answer.status, 488)
        self.assertEqual(len(self.bert.requests("INVITE")), 1)
        (shown,) = self.exchange.switchboard.list()
        self.assertEqual([leg["on_hold"] for leg in shown["legs"]], [False, False])
        self.assertEqual(self.media(), ("relay", "both sides have speex"))
        self.anna.media.clear()
        self.bert.media.clear()
        for n in range(5):
            self.anna.speak(talk.answer.body, 1, first=n, payload_type=96, ssrc=11)
            self.bert.speak(talk.rung.body, 1, first=n, payload_type=96, ssrc=12)
        self.assertGreaterEqual(min(len(self.anna.media), len(self.bert.media)), 4)
        talk.hang_up(self.anna)

    def test_the_other_refuses(self) -> None:
        """
        A phone that refuses what it said it has: nobody hears, and the call says so.
        """
        talk = self.talks((SPEEX, PCMU), (SPEEX, PCMU))
        self.takes(self.bert, 488)
        talk.ask(self.anna, "INVITE", self.anna.sdp(formats=(PCMU,), version=2))
        self.network.advance(0.1)
        reason = "one side has PCMU, the other speex, and these can't be converted"
        self.assertEqual(self.media(), ("none", reason))
        self.assertEqual(len(self.logged(f"no sound: {reason}")), 1)
        talk.hang_up(self.anna)
        self.assertEqual(self.record["media_path"], "none")

    def test_answered_otherwise_than_announced(self) -> None:
        """
        A callee that announces one codec and answers in another: the caller, who has both, is offered that one.
        """
        invite = self.anna.call("1002", body=self.anna.sdp(formats=(SPEEX, PCMU)))
        (rung,) = self.bert.requests("INVITE")
        self.bert.reply(rung, 183, body=self.bert.sdp(formats=(SPEEX,)))
        self.bert.reply(rung, 200, body=self.bert.sdp(formats=(PCMU,), version=2))
        self.takes(self.anna, formats=(PCMU,))
        answer = self.anna.last("INVITE")
        self.assertEqual((answer.status, formats_of(answer.body)), (200, ["96"]))
        self.assertEqual(self.anna.requests("INVITE"), [])
        self.anna.acknowledge(invite, answer)
        self.network.advance(0.1)
        self.assertEqual(formats_of(self.anna.requests("INVITE")[0].body)[0], "0")
        self.assertEqual(self.media(), ("relay", "both sides have PCMU"))
        self.anna.send(self.anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)


class LateOfferTests(ReofferCase):
    """
    The offer of a codec in common after a late offer, where the callee is in no hurry to take it.
    """

    def late(self) -> Conversation:
        """
        The callee has taken µ-law, the caller's ACK A-law.
        """
        return Conversation(
            self.anna, self.bert, body=b"", answer=self.bert.sdp(formats=(PCMU,)),
            acknowledge=self.anna.sdp(formats=(PCMA,)),
        )

    def test_overtaken(self) -> None:
        """
        A callee that refuses it with 491 and then makes an offer of its own is not asked again; the version of our
        descriptions never goes back.
        """
        talk = self.late()
        self.network.advance(0.01)
        again = self.bert.requests("INVITE")[1]
        self.bert.reply(again, 491)
        held = talk.ask(self.bert, "INVITE", self.bert.sdp(formats=(PCMU,), direction="sendonly", version=2))
        self.assertEqual((held.status, direction(held.body)), (200, "recvonly"))
        versions = [int(body.split(b"\r\n")[1].split()[2]) for body in (talk.rung.body, again.body, held.body)]
        self.assertEqual(versions, [1, 2, 3])
        self.network.advance(6)
        self.assertEqual(len(self.bert.requests("INVITE")), 2)
        (shown,) = self.exchange.switchboard.list()
        self.assertEqual((shown["media_path"], [leg["on_hold"] for leg in shown["legs"]]), ("transcode", [False, True]))
        talk.hang_up(self.anna)

    def test_refreshed_between_two_tries(self) -> None:
        """
        A session refresh that falls between two tries stands on what was agreed, and the next try goes on from there.
        """
        talk = self.late()
        self.network.advance(0.01)
        first = self.bert.requests("INVITE")[1]
        self.bert.reply(first, 491)
        (call,) = self.exchange.switchboard.calls.values()
        Refresher(call.far.session).due()
        self.network.advance(0.01)
        refresh = self.bert.requests("INVITE")[2]
        self.assertEqual(refresh.body, talk.rung.body)
        self.bert.reply(refresh, 200, body=self.bert.sdp(formats=(PCMU,)))
        self.assertEqual((self.loud, self.media()[0]), ([], "transcode"))
        self.takes(self.bert, formats=(PCMA,))
        self.network.advance(4)
        self.assertEqual(formats_of(self.bert.requests("INVITE")[-1].body), formats_of(first.body))
        self.assertEqual(self.media(), ("relay", "both sides have PCMA"))
        talk.hang_up(self.anna)

    def test_not_answered(self) -> None:
        """
        A callee that never answers it stays in the call.
        """
        talk = self.late()
        self.network.advance(40)
        self.assertEqual(self.exchange.records, [])
        self.assertEqual(self.media()[0], "transcode")
        self.assertEqual(self.loud, [])
        self.assertEqual(talk.hang_up(self.anna).status, 200)
        self.assert_ended("answered", "Normal call clearing", "caller")
