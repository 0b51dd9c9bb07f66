"""
Encrypted audio: keys are given to each leg for itself, and end at the exchange (RFC 4568).
"""

from __future__ import annotations

import base64
import re

from pylibsrtp import Policy, Session

from pbx.calls.tools import CallSettings
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import PCMU, Phone

SUITE = "AES_CM_128_HMAC_SHA1_80"
OURS = base64.b64encode(bytes(range(30))).decode()


def crypto(key: str = OURS, tag: int = 1, suite: str = SUITE) -> bytes:
    """
    An ``a=crypto`` line.
    """
    return f"a=crypto:{tag} {suite} inline:{key}\r\n".encode()


def cryptos(body: bytes) -> list[tuple[str, str, bytes]]:
    """
    Tag, suite and key of each crypto line of a description.
    """
    found = re.findall(r"a=crypto:(\d+) (\S+) inline:([^|\s]+)", body.decode())
    return [(tag, suite, base64.b64decode(key)) for tag, suite, key in found]


def session(key: bytes, kind: int) -> Session:
    """
    One direction of SRTP.
    """
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80))


class SrtpTests(ExchangeCase):
    """
    Keys, where they are allowed in the clear: what TLS shows and hides is not asked here.
    """

    options = {"calls": CallSettings(srtp_in_clear=True)}

    def secure(self, phone: Phone, profile: str = "RTP/SAVP") -> bytes:
        """
        A phone's description with a key.
        """
        return phone.sdp(formats=(PCMU,), profile=profile) + crypto()

    def assert_encrypted(self, talk: Conversation, phone: Phone, described: bytes) -> None:
        """
        What the phone says in SRTP arrives in the clear at the other, and the other way round.
        """
        other = talk.callee if phone is talk.caller else talk.caller
        far = talk.rung.body if phone is talk.caller else talk.answer.body
        (_, _, theirs), *_ = cryptos(described)
        protect, open_ = session(bytes(range(30)), Policy.SSRC_ANY_OUTBOUND), session(theirs, Policy.SSRC_ANY_INBOUND)
        host, port = "10.0.0.1", int(re.findall(rb"m=audio (\d+)", described)[0])
        for n in range(5):
            packet = b"\x80\x00" + n.to_bytes(2, "big") + (160 * n).to_bytes(4, "big") + b"\0\0\0\x07" + b"\x55" * 160
            phone._rtp.sendto(protect.protect(packet), (host, port))
            other.speak(far, 1, first=n, payload=b"\x2a" * 160, ssrc=12)
        self.assertEqual([packet[12:] for packet in other.media], [b"\x55" * 160] * 5)
        self.assertEqual([open_.unprotect(packet)[12:] for packet in phone.media], [b"\x2a" * 160] * 5)

    def test_caller_with_srtp(self) -> None:
        """
        SAVP is answered with SAVP and a key of ours; the callee is offered keys that are other ones, and needs none.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, body=self.secure(anna), answer=bert.sdp(formats=(PCMU,)))
        self.assertIn(b"RTP/SAVP 0", talk.answer.body)
        ((tag, suite, key),) = cryptos(talk.answer.body)
        self.assertEqual((tag, suite), ("1", SUITE))
        self.assertNotIn(b"RTP/SAVP", talk.rung.body)
        keys = {key, bytes(range(30)), *(offered for _, _, offered in cryptos(talk.rung.body))}
        self.assertEqual(len(keys), 4)
        self.assert_encrypted(talk, anna, talk.answer.body)
        talk.hang_up(anna)
        told = {leg["party"]: leg["quality"]["srtp"] for leg in self.record["legs"]}
        self.assertEqual(told, {"1001": SUITE, "1002": None})

    def test_offered_in_plain_profile(self) -> None:
        """
        AVP with ``a=crypto`` is answered likewise: AVP with a key.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, body=self.secure(anna, "RTP/AVP"), answer=bert.sdp(formats=(PCMU,)))
        self.assertIn(b"RTP/AVP 0", talk.answer.body)
        self.assertEqual(len(cryptos(talk.answer.body)), 1)
        self.assert_encrypted(talk, anna, talk.answer.body)
        talk.hang_up(anna)

    def test_callee_with_srtp(self) -> None:
        """
        The callee takes one of the keys that it was offered; the caller has none.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, answer=self.secure(bert, "RTP/AVP"))
        self.assertEqual(cryptos(talk.answer.body), [])
        self.assert_encrypted(talk, bert, talk.rung.body)
        talk.hang_up(anna)

    def test_callee_that_insists(self) -> None:
        """
        A phone that refuses AVP with 488, since it insists on SAVP, is asked once more with that.
        """
        anna, bert = self.pair()
        invite = anna.call("1002")
        bert.reply(bert.requests("INVITE")[0], 488)
        self.assertNotIn(488, anna.responses("INVITE"))
        again = bert.requests("INVITE")[1]
        self.assertIn(b"RTP/SAVP ", again.body)
        self.assertNotEqual(again.call_id, bert.requests("INVITE")[0].call_id)
        bert.reply(again, 488)
        self.assertEqual(len(bert.requests("INVITE")), 2)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual(self.record["status"], 488)

    def test_answer_without_a_key(self) -> None:
        """
        SAVP answered without a key of ours is no answer: the phone is sent away.
        """
        for line in (b"", crypto(tag=9), crypto(suite="AES_CM_128_HMAC_SHA1_32")):
            with self.subTest(line=line):
                anna, bert = self.pair()
                invite = anna.call("1002")
                bert.reply(bert.requests("INVITE")[0], 488)
                body = bert.sdp(formats=(PCMU,), profile="RTP/SAVP") + line
                bert.reply(bert.requests("INVITE")[1], 200, body=body)
                self.assertEqual(len(bert.requests("BYE")), 1)
                anna.acknowledge_refusal(invite, anna.last("INVITE"))
                self.assertEqual(self.exchange.records.pop()["reason"], "No SRTP suite in common")
                for phone in (anna, bert):
                    phone.register(expires=0)
                    phone.hang_silent()

    def test_offer_without_a_suite_of_ours(self) -> None:
        """
        SAVP with suites that we do not have is 488.
        """
        anna, _ = self.pair()
        body = anna.sdp(profile="RTP/SAVP") + crypto(suite="AES_256_CM_HMAC_SHA1_80")
        invite = anna.call("1002", body=body)
        anna.acknowledge_refusal(invite, anna.last("INVITE"))
        self.assertEqual((self.record["status"], self.record["reason"]), (488, "No SRTP suite in common"))

    def test_refresh_keeps_the_key(self) -> None:
        """
        A re-INVITE with the same key gets our same key, and sound goes on under it.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, body=self.secure(anna), answer=bert.sdp(formats=(PCMU,)))
        again = talk.ask(anna, "INVITE", self.secure(anna))
        self.assertEqual(again.body, talk.answer.body)
        self.assert_encrypted(talk, anna, again.body)
        talk.hang_up(anna)


class InTheClearTests(ExchangeCase):
    """
    Keys over a transport that anybody can read.
    """

    def test_keys_are_neither_given_nor_taken(self) -> None:
        """
        Over UDP no key is offered, and one in an offer is passed over.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, body=anna.sdp() + crypto())
        self.assertEqual(cryptos(talk.answer.body) + cryptos(talk.rung.body), [])
        self.assertEqual(talk.speak(5), (5, 5))
        talk.hang_up(anna)
