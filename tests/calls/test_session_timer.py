"""
Session timers on both legs of a call (RFC 4028).
"""

from __future__ import annotations

from itertools import pairwise

from pbx.dialog.useragent import UserAgentSettings
from pbx.sip.message import Request
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import Phone

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"
TIMER = ("Supported", "timer")


Fields = tuple[tuple[str, str], ...]


def wants(interval: int, refresher: str = "", *, update: bool = True, supported: bool = True) -> Fields:
    """
    The header fields by which a phone asks for a session interval, or grants it.
    """
    return (
        ("Session-Expires", f"{interval};refresher={refresher}" if refresher else str(interval)),
        ("Allow", ALLOW + (", UPDATE" if update else "")),
        *((TIMER,) if supported else ()),
    )


class Refreshed:
    """
    A phone's part in refreshes: it answers those that come, and sends its own where it must.

    Attributes:
        seen: When each refresh was received, with its method.
        status: What those of the methods in ``refused`` are answered with; ``None`` for nothing.
    """

    def __init__(self, talk: Conversation, phone: Phone, granted: str) -> None:
        self.talk, self.phone = talk, phone
        self.granted = granted
        self.seen: list[tuple[float, str]] = []
        self.bodies: set[bytes] = set()
        self.status: int | None = 200
        self.refused = ("INVITE", "UPDATE")
        phone.on_request = self.requested

    def requested(self, request: Request) -> None:
        """
        Answer a refresh.
        """
        if request.method not in ("INVITE", "UPDATE"):
            return
        self.seen.append((self.phone.network.clock.seconds(), request.method))
        status = self.status if request.method in self.refused else 200
        if status is None:
            return
        if request.method == "INVITE":
            self.bodies.add(request.body)
        headers = (("Session-Expires", self.granted), TIMER) if self.granted else ()
        body = self.phone.sdp() if request.method == "INVITE" and status == 200 else b""
        self.phone.answer(request, status, headers=headers, body=body)

    def send(self, seconds: float, every: float) -> list[int]:
        """
        Let time pass, and refresh every so often by UPDATE; the answers.
        """
        answers, passed = [], 0.0
        while passed < seconds:
            self.phone.network.advance(every)
            passed += every
            response = self.talk.ask(self.phone, "UPDATE", headers=wants(90, "uac"))
            answers.append(response.status)
        return answers


class SessionTimerTests(ExchangeCase):
    """
    A call that lasts two hours, and calls whose refreshes fail.
    """

    options = {"agent": UserAgentSettings(session_expires=90)}

    def two_hours(self, talk: Conversation) -> None:
        """
        Let two hours pass in which both phones are heard, and hang up.
        """
        self.network.advance(7200 - 20)
        self.assertEqual(self.exchange.records, [])
        self.assertEqual(talk.speak(5, first=50), (5, 5))
        talk.hang_up(talk.caller)
        self.assert_ended("answered", "Normal call clearing", "caller")
        self.assertGreater(self.record["billable"], 7100)

    def assert_regular(self, refreshes: Refreshed, every: float, method: str) -> None:
        """
        The refreshes came at a steady pace, by one method.
        """
        self.assertEqual({used for _, used in refreshes.seen}, {method})
        times = [at for at, _ in refreshes.seen]
        pauses = [later - earlier for earlier, later in pairwise(times)]
        self.assertGreaterEqual(len(times), 150)
        self.assertTrue(all(abs(pause - every) < 1 for pause in pauses), pauses)

    def test_we_refresh_both_by_update(self) -> None:
        """
        Both phones leave the refreshing to us and take UPDATE: each gets one every 45 s, for two hours.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=wants(90, "uas"), answer_headers=wants(90, "uac"))
        self.assertEqual(talk.answer.headers.get("Session-Expires"), "90;refresher=uas")
        refreshes = Refreshed(talk, anna, "90;refresher=uac"), Refreshed(talk, bert, "90;refresher=uac")
        self.two_hours(talk)
        for one in refreshes:
            self.assert_regular(one, 45, "UPDATE")

    def test_we_refresh_by_reinvite(self) -> None:
        """
        Phones without UPDATE get a re-INVITE with the description they know, byte for byte.
        """
        anna, bert = self.pair()
        talk = Conversation(
            anna, bert, headers=wants(90, "uas", update=False), answer_headers=wants(90, "uac", update=False)
        )
        refreshes = Refreshed(talk, anna, "90;refresher=uac"), Refreshed(talk, bert, "90;refresher=uac")
        self.two_hours(talk)
        for one, known in zip(refreshes, (talk.answer.body, talk.rung.body), strict=True):
            self.assert_regular(one, 45, "INVITE")
            self.assertEqual(one.bodies, {known})
        self.assertEqual(len(anna.requests("ACK")), len(refreshes[0].seen))

    def test_phones_without_timers(self) -> None:
        """
        Phones that know nothing of session timers are refreshed by us all the same (RFC 4028 9, table 2).
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        self.assertNotIn("timer", talk.answer.headers.get("Require") or "")
        refreshes = Refreshed(talk, anna, ""), Refreshed(talk, bert, "")
        self.two_hours(talk)
        for one in refreshes:
            self.assert_regular(one, 45, "INVITE")

    def test_the_caller_refreshes(self) -> None:
        """
        The caller refreshes as ``uac``: we answer, the other leg never sees it, and the call lives on.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=wants(90, "uac"), answer_headers=wants(90, "uac"))
        self.assertEqual(talk.answer.headers.get("Session-Expires"), "90;refresher=uac")
        self.assertEqual(talk.answer.option_tags("Require"), ["timer"])
        Refreshed(talk, bert, "90;refresher=uac")
        ours = Refreshed(talk, anna, "")
        self.assertEqual(set(ours.send(7200, 45)), {200})
        self.assertEqual(ours.seen, [])
        self.assertEqual(self.exchange.records, [])
        talk.hang_up(bert)
        self.assert_ended("answered", "Normal call clearing", "callee")

    def test_the_callee_refreshes(self) -> None:
        """
        The callee took the refreshing upon itself as ``uas``.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=wants(90, "uas"), answer_headers=wants(90, "uas"))
        Refreshed(talk, anna, "90;refresher=uac")
        theirs = Refreshed(talk, bert, "")
        self.assertEqual(set(theirs.send(7200, 45)), {200})
        self.assertEqual(theirs.seen, [])
        self.assertEqual(self.exchange.records, [])
        talk.hang_up(anna)

    def test_the_caller_does_not_refresh(self) -> None:
        """
        The caller was to refresh and did not: BYE to both, 30 s before the end of the interval (RFC 4028 10).
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=wants(90, "uac"), answer_headers=wants(90, "uac"))
        Refreshed(talk, bert, "90;refresher=uac")
        self.network.advance(59)
        self.assertEqual(self.exchange.records, [])
        self.network.advance(2)
        self.assert_ended("answered", "Session timer expired", "system")
        self.assertEqual([len(phone.requests("BYE")) for phone in (anna, bert)], [1, 1])

    def failing(self, status: int | None, *, update: bool = True) -> tuple[Phone, Phone, Refreshed]:
        """
        A call in which the callee answers our first refresh like this.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=wants(90, "uas"), answer_headers=wants(90, "uac", update=update))
        Refreshed(talk, anna, "90;refresher=uac")
        theirs = Refreshed(talk, bert, "90;refresher=uac")
        theirs.status = status
        return anna, bert, theirs

    def test_refresh_of_a_forgotten_session(self) -> None:
        """
        A refresh that is answered 481 ends the call for both.
        """
        anna, bert, _ = self.failing(481)
        self.network.advance(46)
        self.assert_ended("answered", "Session refresh failed with 481", "system")
        self.assertEqual([len(phone.requests("BYE")) for phone in (anna, bert)], [1, 1])

    def test_refresh_without_answer(self) -> None:
        """
        So does one that nobody answers.
        """
        for update in (True, False):
            with self.subTest(update=update):
                self.failing(None, update=update)
                self.network.advance(45 + 33)
                self.assertEqual(self.exchange.records.pop()["reason"], "Session refresh failed with 408")
                self.network.advance(33)
                for phone in self.phones:
                    phone.hang_silent()

    def test_update_refused(self) -> None:
        """
        A phone whose Allow promised UPDATE and that answers 501 is refreshed by re-INVITE.
        """
        *_, theirs = self.failing(501)
        theirs.refused = ("UPDATE",)
        self.two_hours(theirs.talk)
        self.assertEqual([method for _, method in theirs.seen[:4]], ["UPDATE", "INVITE"] * 2)

    def test_refresh_refused(self) -> None:
        """
        A phone that will have no re-INVITE is alive: the call goes on, and it is asked again each time.
        """
        *_, theirs = self.failing(488, update=False)
        self.two_hours(theirs.talk)
        self.assert_regular(theirs, 45, "INVITE")

    def test_refresh_meets_glare(self) -> None:
        """
        A refresh that is answered 491 is tried again a little later.
        """
        *_, theirs = self.failing(491)
        self.network.advance(45.1)
        theirs.status = 200
        self.network.advance(5)
        self.assertEqual(len(theirs.seen), 2)
        self.assertEqual(self.exchange.records, [])
        self.exchange.switchboard.hang_up(self.exchange.switchboard.list()[0]["id"])

    def test_refresh_with_a_longer_interval(self) -> None:
        """
        A refresh that is answered 422 is made again with the interval of its Min-SE.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=wants(90, "uas"), answer_headers=wants(90, "uac"))
        Refreshed(talk, anna, "90;refresher=uac")
        asked = []

        def requested(request: Request) -> None:
            if request.method == "UPDATE":
                asked.append(request.headers.get("Session-Expires"))
                if len(asked) == 1:
                    bert.answer(request, 422, headers=(("Min-SE", "240"),))
                else:
                    bert.answer(request, 200, headers=(("Session-Expires", "240;refresher=uac"),))

        bert.on_request = requested
        self.network.advance(160)
        self.assertEqual(asked, ["90;refresher=uac", "240;refresher=uac"])
        self.network.advance(10)
        self.assertEqual(len(asked), 3)
        talk.hang_up(anna)

    def test_interval_too_small_for_us(self) -> None:
        """
        A caller that asks for less than 90 s is told 422 with our Min-SE; one without timers is not (RFC 4028 8).
        """
        anna, _ = self.pair()
        request = anna.authenticated(anna.request(
            "INVITE", "sip:1002@10.0.0.1", body=anna.sdp(), headers=wants(60)
        ))
        answer = anna.last("INVITE")
        self.assertEqual((answer.status, answer.headers.get("Min-SE")), (422, "90"))
        anna.acknowledge_refusal(request, answer)
        self.assertEqual(self.exchange.records, [])
        anna.received.clear()
        request = anna.call("1003", headers=wants(60, supported=False))
        self.assertEqual(anna.last("INVITE").status, 480)
        anna.acknowledge_refusal(request, anna.last("INVITE"))

    def test_interval_too_small_for_the_callee(self) -> None:
        """
        A callee that refuses our interval with 422 is asked again with the one it names, and rings.
        """
        anna, bert = self.pair()
        invite = anna.call("1002")
        first = bert.requests("INVITE")[0]
        self.assertEqual(first.headers.get("Session-Expires"), "90")
        bert.reply(first, 422, headers=(("Min-SE", "1800"),))
        second = bert.requests("INVITE")[1]
        self.assertEqual(
            (second.headers.get("Session-Expires"), second.headers.get("Min-SE"), second.cseq.number, second.call_id),
            ("1800", "1800", first.cseq.number + 1, first.call_id),
        )
        bert.reply(second, 200, body=bert.sdp(), headers=wants(1800, "uac"))
        answer = anna.last("INVITE")
        self.assertEqual(answer.status, 200)
        anna.acknowledge(invite, answer)
        self.network.advance(40)
        anna.send(anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.01)
        # Each leg's CSeq goes on from its own last request.
        self.assertEqual(bert.requests("BYE")[0].cseq.number, second.cseq.number + 1)

    def test_reinvites_cross(self) -> None:
        """
        A re-INVITE of the phone meets ours on the way: 491 from both sides, and both are made again with success.
        """
        _, bert, theirs = self.failing(491, update=False)
        talk = theirs.talk
        self.network.advance(44.9)
        while not theirs.seen:
            # Both are under way at once: ours has left, theirs leaves before it has come.
            own = talk.request(bert, "INVITE", bert.sdp(direction="sendonly", version=2), cseq=50)
            before = len(self.exchange.core.transactions._clients)
            self.network.advance(0.0005)
            if len(self.exchange.core.transactions._clients) > before:
                bert.send(own)
        self.network.advance(0.01)
        self.assertEqual([m.status for m in bert.received if not isinstance(m, Request) and m.cseq.number == 50], [491])
        bert.acknowledge_refusal(own, bert.last("INVITE"))
        theirs.status = 200
        # Ours began the dialog, so we wait 2.1 to 4 s; the phone, which did not, at most 2 s (RFC 3261 14.1).
        self.network.advance(1)
        talk._cseq[bert] = 50
        self.assertEqual(talk.ask(bert, "INVITE", bert.sdp(direction="sendonly", version=2)).status, 200)
        self.assertEqual(len(theirs.seen), 1)
        self.network.advance(4)
        self.assertEqual(len(theirs.seen), 2)
        self.assertTrue(2.1 <= theirs.seen[1][0] - theirs.seen[0][0] <= 4.1)
        self.network.advance(60)
        self.assertEqual(self.exchange.records, [])
        talk.hang_up(bert)

    def test_rtcp_stays_on_the_rtp_port(self) -> None:
        """
        A phone that took ``rtcp-mux`` (RFC 5761) is sent its reports to the RTP port after a refresh as before.
        """
        anna, bert = self.pair()
        body = anna.sdp() + b"a=rtcp-mux\r\n"
        talk = Conversation(anna, bert, body=body, headers=wants(90, "uas", update=False))
        self.assertIn(b"a=rtcp-mux", talk.answer.body)
        anna.on_request = lambda request: (
            anna.answer(request, 200, body=body) and None if request.method == "INVITE" else None
        )
        for _ in range(2):
            talk.speak(50)
            anna.media.clear()
            self.network.advance(40)
            self.assertTrue(any(packet[1] == 200 for packet in anna.media))
        self.assertEqual(len(anna.requests("INVITE")), 1)
        talk.hang_up(anna)
