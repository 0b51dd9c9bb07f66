"""
What each setting of a trunk does to the calls over it.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from pbx.directory.permissions import TollLimits
from pbx.sip.digest import Challenge, Credentials, answer
from pbx.sip.message import Request, Response
from tests.calls.carrier import MOBILE
from tests.calls.phone import EVENTS, PCMA, PCMU, said, sdp
from tests.calls.test_hold import direction
from tests.calls.test_trunk_calls import DiallingCase

ONE: dict[str, dict[str, Any]] = {"A": {"caller_id": "+4930123456"}}


def formats(invite: Request) -> list[str]:
    """
    The codecs that are offered.
    """
    return [line.split()[1].partition("/")[0] for line in invite.body.decode().split("\r\n") if "a=rtpmap" in line]


class TalkCase(DiallingCase):
    """
    Calls that are answered.
    """

    trunks = ONE

    def answered(self, **options: Any) -> Response:
        """
        Let the provider answer; the caller's answer.
        """
        self.out = self.a.invites[-1]
        self.taken = self.a.reply(self.out, 200, body=self.a.sdp(), **options)
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.anna.acknowledge(self.invite, answer)
        return answer

    def end(self) -> None:
        """
        The caller hangs up.
        """
        self.anna.send(self.anna.within("BYE", self.invite, self.anna.last("INVITE"), cseq=90))
        self.network.advance(0.1)
        self.assertEqual(len(self.a.requests("BYE")), 1)

    def refuse(self) -> None:
        """
        The provider is busy.
        """
        self.a.reply(self.a.invites[-1], 486)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))


class IdentityTests(TalkCase):
    """
    Who the provider is told is calling.
    """

    def test_known(self) -> None:
        """
        From and P-Asserted-Identity have the number that is to be shown, at the provider's domain.
        """
        self.dial()
        (invite,) = self.a.invites
        self.assertEqual(str(invite.from_.uri), "sip:+4930123456@10.9.0.1")
        self.assertEqual(str(invite.to.uri), f"sip:{MOBILE}@10.9.0.1")
        self.assertEqual(invite.headers.get("P-Asserted-Identity"), '"Phone 1001" <sip:+4930123456@10.9.0.1>')
        self.assertNotIn("Privacy", invite.headers)
        self.refuse()

    def test_anonymous(self) -> None:
        """
        Who stays unknown is asserted all the same, by the house's number, which the provider shows nobody.
        """
        self.dial(headers=(("Privacy", "id"),))
        (invite,) = self.a.invites
        self.assertIn("anonymous.invalid", str(invite.from_.uri))
        self.assertEqual(invite.headers.get("P-Asserted-Identity"), "<sip:+4930123456@10.9.0.1>")
        self.assertEqual(invite.headers.get("Privacy"), "id")
        self.assertNotIn(b"1001", said(invite))
        self.refuse()

    def test_what_the_phone_shows(self) -> None:
        """
        The caller's phone shows the number that was called, as it is dialled.
        """
        self.dial()
        self.assertIn("<sip:017612345678@10.0.0.1>", self.answered().headers.get("P-Asserted-Identity") or "")
        self.end()


class WithoutIdentityTests(TalkCase):
    """
    A provider that is not told the caller beside From; its domain is another than its host.
    """

    trunks = {"A": {"send_pai": False, "from_domain": "provider.example", "caller_id": "+4930123456",
                    "number_format": "national"}}

    def test_none(self) -> None:
        """
        There is no P-Asserted-Identity, and numbers are as they are dialled within the country.
        """
        self.dial()
        (invite,) = self.a.invites
        self.assertNotIn("P-Asserted-Identity", invite.headers)
        self.assertEqual(str(invite.from_.uri), "sip:030123456@provider.example")
        self.assertEqual(str(invite.to.uri), "sip:017612345678@provider.example")
        self.assertEqual(invite.uri, "sip:017612345678@10.9.0.1")
        self.refuse()


class TimerTests(TalkCase):
    """
    Session timers, where the provider takes them.
    """

    def test_refreshed(self) -> None:
        """
        They are asked for, and the session is refreshed at half its interval.
        """
        self.dial()
        self.assertEqual(self.a.invites[0].headers.get("Session-Expires"), "1800")
        self.answered(headers=(("Session-Expires", "600;refresher=uac"), ("Allow", "UPDATE")))
        self.network.advance(300.2)
        (update,) = self.a.requests("UPDATE")
        self.a.reply(update, 200, headers=(("Session-Expires", "600;refresher=uac"),))
        self.end()


class WithoutTimerTests(TalkCase):
    """
    Session timers, where the trunk is set not to have them.
    """

    trunks = {"A": {"session_timers": False, "caller_id": "+4930123456"}}

    def test_never(self) -> None:
        """
        Nothing is said of them, whatever the provider says, and nothing is refreshed.
        """
        self.dial()
        self.assertNotIn("Session-Expires", self.a.invites[0].headers)
        self.assertNotIn("timer", self.a.invites[0].option_tags("Supported"))
        self.answered()
        self.network.advance(50)
        self.anna.speak(self.anna.last("INVITE").body, 1)
        self.assertEqual((self.a.requests("UPDATE"), len(self.a.invites)), ([], 1))
        update = self.a.within_received(
            "UPDATE", self.out, self.taken, cseq=2, headers=(("Session-Expires", "600"), ("Supported", "timer"))
        )
        self.a.send(update)
        self.network.advance(0.01)
        self.assertNotIn("Session-Expires", self.a.last("UPDATE").headers)
        self.network.advance(45)
        self.end()

    def test_inbound(self) -> None:
        """
        Nor in the answer to a call in.
        """
        self.anna = self.phone("1001")
        invite = self.a.offer_call(headers=(("Supported", "timer"), ("Session-Expires", "600")))
        rung = self.anna.requests("INVITE")[-1]
        answered = self.anna.reply(rung, 200, body=self.anna.sdp())
        self.assertNotIn("Session-Expires", self.a.last("INVITE").headers)
        self.a.acknowledge(invite, self.a.last("INVITE"))
        self.anna.send(self.anna.within_received("BYE", rung, answered))
        self.network.advance(0.1)


class CodecTests(TalkCase):
    """
    A trunk whose codecs are listed.
    """

    trunks = {"A": {"codecs": ("PCMA",), "caller_id": "+4930123456"}}

    def test_offered(self) -> None:
        """
        Only those are offered; the sound of a phone that has another is converted.
        """
        self.dial(body=sdp("10.0.1.1", 4000, (PCMU, EVENTS)))
        self.assertEqual(formats(self.a.invites[0]), ["PCMA", "telephone-event"])
        self.out = self.a.invites[0]
        self.a.reply(self.out, 200, body=self.a.sdp(formats=(PCMA, EVENTS)))
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.anna.acknowledge(self.invite, answer)
        (call,) = self.exchange.switchboard.list()
        self.assertEqual(call["media_path"], "transcode")
        self.end()

    def test_taken(self) -> None:
        """
        Of what the provider offers only those are taken, and none other means 488.
        """
        self.anna = self.phone("1001")
        invite = self.a.offer_call(body=self.a.sdp(formats=(PCMU, PCMA, EVENTS)))
        rung = self.anna.requests("INVITE")[-1]
        self.assertEqual(formats(rung)[0], "PCMA")
        self.anna.reply(rung, 200, body=self.anna.sdp(formats=(PCMU,)))
        answer = self.a.last("INVITE")
        self.assertIn(b"PCMA", answer.body)
        self.assertNotIn(b"PCMU", answer.body)
        self.a.acknowledge(invite, answer)
        # The phone's own codec is never offered there, to save converting it, and all is offered anew as it was.
        again = self.a.within("INVITE", invite, answer, cseq=5)
        self.a.send(again)
        self.network.advance(0.01)
        offered = self.a.last("INVITE")
        self.assertNotIn(b"PCMU", offered.body)
        self.a.send(self.a.within("ACK", again, offered, cseq=5, body=self.a.sdp(formats=(PCMA, EVENTS), version=2)))
        self.network.advance(0.01)
        self.a.send(self.a.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)
        other = self.a.offer_call(body=self.a.sdp(formats=(PCMU,)))
        self.assertEqual(self.a.last("INVITE").status, 488)
        self.a.acknowledge_refusal(other, self.a.last("INVITE"))


class HoldTests(TalkCase):
    """
    The phone puts the provider's side on hold.
    """

    passes = False

    def hold(self, way: str, version: int) -> str:
        """
        Re-INVITE by the phone; what it was answered.
        """
        request = self.anna.within(
            "INVITE", self.invite, self.anna.last("INVITE"), cseq=10 + version,
            body=self.anna.sdp(direction=way, version=version),
        )
        request.headers.add("Content-Type", "application/sdp") if "Content-Type" not in request.headers else None
        self.anna.send(request)
        self.network.advance(0.05)
        answer = self.anna.last("INVITE")
        self.anna.send(self.anna.within("ACK", request, answer, cseq=10 + version))
        self.network.advance(0.05)
        return direction(answer.body)

    def test_hold(self) -> None:
        """
        The provider never sees it: there is music, and no re-INVITE.
        """
        self.dial()
        self.answered()
        self.assertEqual(self.hold("sendonly", 2), "recvonly")
        self.assertEqual(len(self.a.invites), 1)
        before = len(self.a.media)
        self.network.advance(1)
        self.assertTrue(45 <= len(self.a.media) - before <= 51)
        self.assertEqual(self.hold("sendrecv", 3), "sendrecv")
        self.end()


class PassedHoldTests(HoldTests):
    """
    The same, with pass_hold.
    """

    trunks = {"A": {"pass_hold": True, "caller_id": "+4930123456"}}

    def take(self, way: str) -> str:
        """
        Let the provider answer the re-INVITE that it was sent; its direction.
        """
        invite = self.a.invites[-1]
        version = 1 + len(self.a.invites)
        self.a.reply(invite, 200, body=self.a.sdp(direction=way, version=version))
        return direction(invite.body)

    def test_hold(self) -> None:
        """
        The provider is told by re-INVITE, hears music while it may, and is told when it is over.
        """
        self.dial()
        self.answered()
        self.assertEqual(self.hold("sendonly", 2), "recvonly")
        self.assertEqual(len(self.a.invites), 2)
        self.assertEqual(self.take("recvonly"), "sendonly")
        before = len(self.a.media)
        self.network.advance(1)
        self.assertTrue(45 <= len(self.a.media) - before <= 51)
        self.hold("inactive", 3)
        self.assertEqual(self.take("inactive"), "inactive")
        self.hold("sendrecv", 4)
        self.assertEqual(self.take("sendrecv"), "sendrecv")
        self.assertEqual(len(self.a.invites), 4)
        self.a.media.clear()
        self.anna.speak(self.anna.last("INVITE").body, 5, first=200)
        self.assertEqual(len(self.a.media), 5)
        self.end()

    def test_refused(self) -> None:
        """
        A provider that takes no hold stays as it was, and the phone has its hold all the same.
        """
        self.dial()
        self.answered()
        self.hold("sendonly", 2)
        self.a.reply(self.a.invites[-1], 488)
        before = len(self.a.media)
        self.network.advance(1)
        self.assertTrue(45 <= len(self.a.media) - before <= 51)
        self.end()


class CredentialTests(TalkCase):
    """
    A provider that asks who we are.
    """

    trunks = {"A": {"username": "account", "password": "a long secret", "register": False, "caller_id": "+4930123456"}}

    def test_proved(self) -> None:
        """
        The INVITE is sent again with what was asked for, and so is a BYE.
        """
        self.dial()
        challenge = 'Digest realm="provider", nonce="abc", algorithm=MD5, qop="auth"'
        self.a.reply(self.a.invites[0], 407, headers=(("Proxy-Authenticate", challenge),))
        first, again = self.a.invites
        self.assertEqual(again.cseq.number, first.cseq.number + 1)
        given = Credentials.parse(again.headers.get("Proxy-Authorization") or "")
        expected = answer(
            Challenge.parse(challenge), "account", method="INVITE", uri=again.uri, nc=1, cnonce=given.cnonce or "",
            password="a long secret",
        )
        self.assertEqual(given.response, expected.response)
        self.answered()
        self.assertEqual(self.channels(), {"A": 1})
        self.end()
        self.assertIn("Proxy-Authorization", self.a.requests("BYE")[0].headers)
        self.assertEqual([leg.get("trunk") for leg in self.record["legs"]], [None, "A"])


class RedirectTests(TalkCase):
    """
    A provider sends our call elsewhere.
    """

    def test_within_its_house(self) -> None:
        """
        To another name at its own domain, or the same number otherwise written: followed.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 302, headers=(("Contact", "<sip:other@10.9.0.1>"),))
        self.assertEqual(self.a.invites[1].uri, "sip:other@10.9.0.1")
        self.a.reply(self.a.invites[1], 302, headers=(("Contact", "<sip:0176-12345678@10.9.0.1>"),))
        self.assertEqual(self.a.invites[2].uri, "sip:0176-12345678@10.9.0.1")
        self.refuse()

    def test_another_number(self) -> None:
        """
        To another number there: a failure, since whoever was called could name any, at the caller's expense.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 302, headers=(("Contact", "<sip:+882.1699-9999;rn=1@10.9.0.1>"),))
        self.assertEqual(len(self.a.invites), 1)
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 480)
        self.anna.acknowledge_refusal(self.invite, answer)

    def test_round_and_round(self) -> None:
        """
        Not without end.
        """
        self.dial()
        for n in range(4):
            self.a.reply(self.a.invites[n], 302, headers=(("Contact", "<sip:other@10.9.0.1>"),))
        self.assertEqual(len(self.a.invites), 4)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.assertEqual(self.record["reason"], "trunk A answered 302 Moved Temporarily")

    def test_elsewhere(self) -> None:
        """
        To anywhere else: a failure, since nobody here has dialled that.
        """
        self.assert_not_followed("+8829999@premium.example")

    def test_the_number_elsewhere(self) -> None:
        """
        Also to the same number at anybody else's domain.
        """
        self.assert_not_followed(f"{MOBILE}@premium.example")

    def assert_not_followed(self, place: str) -> None:
        """
        A redirection there is a failure.
        """
        self.dial()
        self.a.reply(self.a.invites[0], 302, headers=(("Contact", f"<sip:{place}>"),))
        self.assertEqual(len(self.a.invites), 1)
        answer = self.anna.last("INVITE")
        self.assertEqual(answer.status, 480)
        self.anna.acknowledge_refusal(self.invite, answer)


class EarlyTests(TalkCase):
    """
    What the provider plays before the answer.
    """

    def test_heard(self) -> None:
        """
        An announcement in early media is heard by the caller.
        """
        self.dial()
        self.out = self.a.invites[0]
        self.a.reply(self.out, 183, body=self.a.sdp())
        early = self.anna.last("INVITE")
        self.assertEqual(early.status, 183)
        self.a.speak(self.out.body, 5)
        self.assertEqual(len(self.anna.media), 5)
        answer = self.answered()
        self.assertEqual(answer.body, early.body)
        self.end()

    def test_late_offer(self) -> None:
        """
        A provider that makes no offer is made one, and answers with its ACK.
        """
        self.anna = self.phone("1001")
        self.anna.listen_for_media()
        self.a.listen_for_media()
        invite = self.a.offer_call(body=b"")
        rung = self.anna.requests("INVITE")[-1]
        answered = self.anna.reply(rung, 200, body=self.anna.sdp())
        answer = self.a.last("INVITE")
        self.assertIn(b"m=audio", answer.body)
        self.a.acknowledge(invite, answer, self.a.sdp())
        self.a.speak(answer.body, 5)
        self.assertEqual(len(self.anna.media), 5)
        self.anna.send(self.anna.within_received("BYE", rung, answered))
        self.network.advance(0.1)


class LongestTests(TalkCase):
    """
    A call may last for an hour.
    """

    def test_ended(self) -> None:
        """
        It is ended then, for a reason that says so.
        """
        plan = self.exchange.book.plan
        self.exchange.book.configure(evolve(plan, limits=TollLimits(longest=1)))
        self.dial()
        self.answered()
        self.network.advance(50)
        self.assertEqual(self.a.requests("BYE"), [])
        self.network.advance(11)
        self.assertEqual((len(self.a.requests("BYE")), len(self.anna.requests("BYE"))), (1, 1))
        self.assert_ended("answered", "The longest time for a call is over", "system")
