"""
What a caller hears before the answer, and provisional responses that are acknowledged (RFC 3262).
"""

from __future__ import annotations

from pbx.calls.tools import CallSettings
from pbx.sip.message import Request, Response
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import PCMA, PCMU, Phone

RELIABLE = ("Require", "100rel")


def provisionals(phone: Phone) -> list[Response]:
    """
    The provisional responses above 100 that a caller was sent.
    """
    return [m for m in phone.received if isinstance(m, Response) and 100 < m.status < 200]


class EarlyMediaTests(ExchangeCase):
    """
    A phone that plays something before it is picked up.
    """

    def test_later_responses_repeat_the_first_description(self) -> None:
        """
        183 with SDP is passed on and heard; 180 and 200 repeat our description byte for byte.
        """
        anna, bert = self.pair()
        invite = anna.call("1002")
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 183, body=bert.sdp())
        bert.reply(rung, 180)
        first, second = provisionals(anna)
        self.assertEqual((first.status, second.status), (183, 180))
        self.assertTrue(first.body)
        self.assertEqual(second.body, first.body)
        anna.speak(first.body, 1)
        bert.speak(rung.body, 20)
        self.assertEqual(len(anna.media), 20)
        bert.reply(rung, 200, body=bert.sdp())
        answer = anna.last("INVITE")
        self.assertEqual((answer.status, answer.body), (200, first.body))
        self.assertEqual({m.to_tag for m in (first, second, answer)}, {answer.to_tag})
        anna.acknowledge(invite, answer)
        bert.speak(rung.body, 5, first=20)
        self.assertEqual(len(anna.media), 25)
        anna.send(anna.within("BYE", invite, answer, cseq=9))

    def test_ringing_with_a_tone(self) -> None:
        """
        180 with SDP is passed on once, and a plain one after it tells nothing new.
        """
        anna, bert = self.pair()
        anna.call("1002")
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 180, body=bert.sdp())
        bert.reply(rung, 180)
        self.assertEqual([(m.status, bool(m.body)) for m in provisionals(anna)], [(180, True)])
        bert.reply(rung, 486)

    def test_codec_changes_between_early_media_and_answer(self) -> None:
        """
        The 200 names another codec than the 183 did: the caller's answer stands, and we convert.
        """
        anna, bert = self.pair()
        invite = anna.call("1002")
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 183, body=bert.sdp(formats=(PCMA,)))
        first = anna.last("INVITE")
        self.assertIn(b"RTP/AVP 8\r\n", first.body.replace(b" 101", b""))
        bert.reply(rung, 200, body=bert.sdp(formats=(PCMU,), version=2))
        answer = anna.last("INVITE")
        self.assertEqual(answer.body, first.body)
        anna.acknowledge(invite, answer)
        bert.speak(rung.body, 5)
        self.assertEqual({packet[1] & 0x7F for packet in anna.media}, {8})
        anna.send(anna.within("BYE", invite, answer, cseq=9))

    def test_plain_ringing(self) -> None:
        """
        Without a description from the far end the caller gets a plain 180 and makes the tone itself; once.
        """
        anna, bert = self.pair()
        anna.call("1002")
        (rung,) = bert.requests("INVITE")
        for _ in range(3):
            bert.reply(rung, 180)
        self.assertEqual([(m.status, m.body) for m in provisionals(anna)], [(180, b"")])
        bert.reply(rung, 486)

    def test_several_phones(self) -> None:
        """
        With several phones ringing nobody's early media is forwarded: a plain 180.
        """
        anna, bert, rita = self.phone("1001"), self.phone("1002"), self.phone("1002")
        anna.call("1002")
        for phone in (bert, rita):
            phone.reply(phone.requests("INVITE")[0], 183, body=phone.sdp())
        self.assertEqual([(m.status, m.body) for m in provisionals(anna)], [(180, b"")])
        for phone in (bert, rita):
            phone.reply(phone.requests("INVITE")[0], 486)

    def test_useless_early_description(self) -> None:
        """
        Early media in a codec that nobody offered is left out, the ringing is not.
        """
        anna, bert = self.pair()
        anna.call("1002")
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 183, body=bert.sdp(formats=((96, "iLBC/8000"),)))
        self.assertEqual([(m.status, m.body) for m in provisionals(anna)], [(180, b"")])
        bert.reply(rung, 486)

    def test_early_media_and_then_refused(self) -> None:
        """
        An announcement and then a refusal, as networks do: the caller hears it and gets the status.
        """
        anna, bert = self.pair()
        anna.call("1002")
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 183, body=bert.sdp())
        bert.reply(rung, 404)
        self.assertEqual(anna.last("INVITE").status, 404)
        self.assertEqual(self.record["status"], 404)


class ReliableTests(ExchangeCase):
    """
    PRACK, both ways.
    """

    options = {"calls": CallSettings(no_answer_timeout=60)}

    def prack(self, phone: Phone, invite: Request, response: Response, cseq: int, body: bytes = b"") -> Response:
        """
        Acknowledge a reliable provisional response; the answer to that.
        """
        number = response.headers.get("RSeq")
        request = phone.within(
            "PRACK", invite, response, cseq=cseq, body=body,
            headers=(("RAck", f"{number} {invite.cseq.number} INVITE"),),
        )
        phone.send(request)
        self.network.advance(0.01)
        return phone.last("PRACK")

    def test_we_acknowledge_the_callee(self) -> None:
        """
        A reliable 183 of the callee gets PRACK, a copy of it none, and the next number one again.
        """
        anna, bert = self.pair()
        invite = anna.call("1002")
        (rung,) = bert.requests("INVITE")
        self.assertIn("100rel", rung.option_tags("Supported"))
        for number in (7, 7, 8):
            bert.reply(rung, 183, body=bert.sdp(), headers=(RELIABLE, ("RSeq", str(number))))
        self.assertEqual([p.headers.get("RAck") for p in bert.requests("PRACK")], ["7 1 INVITE", "8 1 INVITE"])
        self.assertEqual([p.cseq.number for p in bert.requests("PRACK")], [2, 3])
        # One that comes out of order waits for the one before it, which the callee repeats (RFC 3262 4).
        bert.reply(rung, 180, headers=(RELIABLE, ("RSeq", "10")))
        self.assertEqual(len(bert.requests("PRACK")), 2)
        bert.reply(rung, 200, body=bert.sdp())
        answer = anna.last("INVITE")
        # The caller asked for none and gets none.
        self.assertTrue(all(response.headers.get("RSeq") is None for response in provisionals(anna)))
        anna.acknowledge(invite, answer)
        anna.send(anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.01)
        self.assertEqual(bert.requests("BYE")[0].cseq.number, 4)

    def required(self, body: bytes | None = None) -> tuple[Phone, Phone, Request, Request, Response]:
        """
        A caller that requires 100rel, up to the first 180.
        """
        anna, bert = self.pair()
        invite = anna.call("1002", headers=(RELIABLE,), body=body)
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 180)
        (ringing,) = provisionals(anna)
        self.assertEqual(ringing.option_tags("Require"), ["100rel"])
        return anna, bert, invite, rung, ringing

    def test_the_caller_acknowledges_us(self) -> None:
        """
        A caller that requires 100rel gets its 180 until its PRACK comes, and then no more.
        """
        anna, bert, invite, rung, ringing = self.required()
        self.network.advance(3.6)
        self.assertEqual(len(provisionals(anna)), 4)
        self.assertEqual(self.prack(anna, invite, ringing, invite.cseq.number + 1).status, 200)
        self.network.advance(10)
        self.assertEqual(len(provisionals(anna)), 4)
        bert.reply(rung, 200, body=bert.sdp())
        answer = anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        anna.acknowledge(invite, answer)
        anna.send(anna.within("BYE", invite, answer, cseq=9))

    def test_wrong_acknowledgement(self) -> None:
        """
        A PRACK of another number is 481, one without RAck 400.
        """
        anna, bert, invite, rung, ringing = self.required()
        ringing.headers.set("RSeq", "1")
        self.assertEqual(self.prack(anna, invite, ringing, invite.cseq.number + 1).status, 481)
        anna.send(anna.within("PRACK", invite, ringing, cseq=invite.cseq.number + 2))
        self.network.advance(0.01)
        self.assertEqual(anna.last("PRACK").status, 400)
        bert.reply(rung, 486)

    def test_no_acknowledgement(self) -> None:
        """
        No PRACK for 64*T1: the call is refused 504 and the phone stops ringing.
        """
        anna, bert, invite, _, _ = self.required()
        self.network.advance(31.5)
        self.assertEqual(self.exchange.records, [])
        self.network.advance(0.6)
        answer = anna.last("INVITE")
        self.assertEqual(answer.status, 504)
        self.assert_ended("failed", "No PRACK", "system")
        self.assertEqual(self.record["status"], 504)
        anna.acknowledge_refusal(invite, answer)
        self.assertEqual(len(bert.requests("CANCEL")), 1)

    def test_answer_before_the_acknowledgement(self) -> None:
        """
        The callee picks up while our reliable 183 with a description is not acknowledged: the 200 waits for its PRACK.
        """
        anna, bert = self.pair()
        invite = anna.call("1002", headers=(RELIABLE,))
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 183, body=bert.sdp())
        (progress,) = provisionals(anna)
        bert.reply(rung, 200, body=bert.sdp())
        self.assertNotIn(200, anna.responses("INVITE"))
        self.assertEqual(self.prack(anna, invite, progress, invite.cseq.number + 1).status, 200)
        answer = anna.last("INVITE")
        self.assertEqual((answer.status, answer.body), (200, progress.body))
        anna.acknowledge(invite, answer)
        self.assertEqual(len(bert.requests("ACK")), 1)
        anna.send(anna.within("BYE", invite, answer, cseq=9))

    def test_caller_vanishes_before_the_acknowledgement(self) -> None:
        """
        The callee picked up, and the PRACK never comes: the call ends for both.
        """
        anna, bert = self.pair()
        anna.call("1002", headers=(RELIABLE,))
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 183, body=bert.sdp())
        anna.hang_silent()
        bert.reply(rung, 200, body=bert.sdp())
        self.network.advance(33)
        self.assertEqual(len(bert.requests("BYE")), 1)
        self.assertEqual(self.record["reason"], "No PRACK")
        self.network.advance(33)

    def test_hang_up_before_the_acknowledgement(self) -> None:
        """
        The callee picked up and hung up again while the PRACK is still out: everything ends.
        """
        anna, bert = self.pair()
        invite = anna.call("1002", headers=(RELIABLE,))
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 183, body=bert.sdp())
        (progress,) = provisionals(anna)
        answered = bert.reply(rung, 200, body=bert.sdp())
        bert.send(bert.within_received("BYE", rung, answered))
        self.network.advance(0.01)
        answer = anna.last("INVITE")
        self.assertEqual(answer.status, 480)
        self.assertIn("cause=16", answer.headers.get("Reason") or "")
        anna.acknowledge_refusal(invite, answer)
        self.assertEqual(self.prack(anna, invite, progress, invite.cseq.number + 1).status, 481)
        self.assertEqual(self.record["hangup_by"], "callee")

    def test_cancel_and_bye_after_the_callees_answer(self) -> None:
        """
        The callee picked up and the 200 still waits for the PRACK: CANCEL and BYE of the caller end it with 487.
        """
        for method in ("CANCEL", "BYE"):
            with self.subTest(method=method):
                anna, bert = self.pair()
                invite = anna.call("1002", headers=(RELIABLE,))
                (rung,) = bert.requests("INVITE")
                bert.reply(rung, 183, body=bert.sdp())
                bert.reply(rung, 200, body=bert.sdp())
                if method == "CANCEL":
                    anna.cancel(invite)
                else:
                    anna.send(anna.within("BYE", invite, provisionals(anna)[0], cseq=invite.cseq.number + 1))
                    self.network.advance(0.01)
                self.assertEqual(anna.responses(method), [200])
                answer = anna.last("INVITE")
                self.assertEqual(answer.status, 487)
                anna.acknowledge_refusal(invite, answer)
                self.assertEqual(len(bert.requests("BYE")), 1)
                self.assertEqual(self.exchange.records.pop()["hangup_by"], "caller")
                for phone in (anna, bert):
                    self.network.advance(33)
                    phone.hang_silent()

    def test_cancel_before_the_acknowledgement(self) -> None:
        """
        The caller gives up while its PRACK is out: 487, and the 180 is not repeated.
        """
        anna, bert, invite, _, _ = self.required()
        anna.cancel(invite)
        answer = anna.last("INVITE")
        self.assertEqual(answer.status, 487)
        anna.acknowledge_refusal(invite, answer)
        count = len(provisionals(anna))
        self.network.advance(10)
        self.assertEqual(len(provisionals(anna)), count)
        self.assertEqual(len(bert.requests("CANCEL")), 1)

    def test_offer_in_the_provisional_and_answer_in_prack(self) -> None:
        """
        Without an offer in the INVITE, the reliable 180 makes it, PRACK answers, and the 200 has none (RFC 3262 5).
        """
        anna, bert, invite, rung, ringing = self.required(body=b"")
        self.assertIn(b"m=audio", ringing.body)
        response = self.prack(anna, invite, ringing, invite.cseq.number + 1, anna.sdp())
        self.assertEqual(response.status, 200)
        bert.reply(rung, 200, body=bert.sdp())
        answer = anna.last("INVITE")
        self.assertEqual((answer.status, answer.body), (200, b""))
        anna.acknowledge(invite, answer)
        # It has heard the tone until then.
        anna.media.clear()
        anna.speak(ringing.body, 3)
        bert.speak(rung.body, 3)
        self.assertEqual((len(anna.media), len(bert.media)), (3, 3))
        anna.send(anna.within("BYE", invite, answer, cseq=9))

    def test_supported_is_not_required(self) -> None:
        """
        A caller that only supports 100rel is sent plain provisional responses.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=(("Supported", "100rel"),))
        self.assertEqual([m.headers.get("RSeq") for m in provisionals(anna)], [None])
        talk.hang_up(anna)
