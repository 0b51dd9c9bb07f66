"""
Calls that are sent on to beyond the house: by forwards, phones that follow, transfers and inbound routes.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from pbx.directory.decision import Destination
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.permissions import Permissions
from pbx.features.follow_me import confirmation
from pbx.sip.diversion import Diversion
from pbx.sip.history_info import Entry
from pbx.sip.message import Request, Response
from pbx.sip.reasons import parse_reasons
from tests.calls.carrier import MAIN, MOBILE
from tests.calls.phone import Phone
from tests.calls.scripted import Scripted
from tests.calls.test_trunk_inbound import IncomingCase

ELSEWHERE = "+4915112345678"
"""Where 1001 wants its calls to go."""


class SentOnCase(IncomingCase):
    """
    Calls come in over the first trunk, which is full then, and go out over the second.
    """

    trunks: dict[str, dict[str, Any]] = {"A": {"max_channels": 1}, "B": {"caller_id": "+4930123450"}}

    def want(self, number: str = "1001", **handling: Any) -> None:
        """
        Say what an extension wants done with its calls.
        """
        handling.setdefault("voicemail", False)
        self.allow(number, handling=Handling(**handling))

    def accept(self, invite: Request) -> Response:
        """
        Whoever is called beyond the house answers, and the caller hears of it; the caller's ACK is sent.
        """
        self.b.reply(self.b.invites[-1], 200, body=self.b.sdp())
        answer = self.a.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.a.acknowledge(invite, answer)
        return answer

    def hang_up(self, invite: Request, answer: Response) -> None:
        """
        The caller hangs up.
        """
        self.a.send(self.a.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.1)
        self.assertEqual(len(self.b.requests("BYE")), 1)


class ForwardTests(SentOnCase):
    """
    1001 forwards its calls to a mobile phone.
    """

    def test_always(self) -> None:
        """
        A caller from outside reaches it over the other trunk, which shows the caller's own number and is told who
        forwarded the call; both channels count.
        """
        self.want(forward_always=ELSEWHERE)
        invite = self.a.offer_call()
        (onward,) = self.b.invites
        self.assertEqual(self.channels(), {"A": 1, "B": 1})
        self.assertEqual(onward.target.user, ELSEWHERE)
        self.assertEqual(onward.from_.uri.user, MOBILE)
        (diversion,) = Diversion.parse_all(onward.headers.get_all("Diversion"))
        self.assertEqual((diversion.uri.user, diversion.reason), ("+4930123450", "unconditional"))
        history = Entry.parse_all(onward.headers.get_all("History-Info"))
        self.assertEqual(
            [(entry.uri.user, entry.index, entry.mapped_from, entry.cause) for entry in history],
            [("+4930123450", "1", "", None), (ELSEWHERE, "1.1", "1", 302)],
        )
        self.assertIn("histinfo", onward.option_tags("Supported"))
        self.hang_up(invite, self.accept(invite))
        self.assertEqual((self.record["direction"], self.record["trunk"]), ("inbound", "A"))
        self.assertEqual([leg["party"] for leg in self.record["legs"]], [MOBILE, ELSEWHERE])
        self.assertEqual(self.record["legs"][1]["payer"], "1001")

    def test_busy(self) -> None:
        """
        Of a colleague, when busy: the forwarder's own number is the one that diverted.
        """
        self.want(forward_busy=ELSEWHERE)
        self.allow("1001", permissions=Permissions(caller_id="+49301234501"), handling=Handling(
            forward_busy=ELSEWHERE, voicemail=False,
        ))
        bert = self.phone("1002")
        invite = bert.call("1001")
        self.anna.reply(self.rung, 486)
        (onward,) = self.a.invites
        (diversion,) = Diversion.parse_all(onward.headers.get_all("Diversion"))
        self.assertEqual((diversion.uri.user, diversion.reason), ("+49301234501", "user-busy"))
        # Whoever forwards pays, and is shown: the caller's own number is one of the house.
        self.assertEqual(onward.from_.uri.user, "+49301234501")
        self.a.reply(onward, 486)
        bert.acknowledge_refusal(invite, bert.last("INVITE"))
        self.assertEqual(self.record["status"], 486)

    def test_not_allowed(self) -> None:
        """
        Who may not call beyond the house does not forward to it either.
        """
        self.want(forward_always=ELSEWHERE)
        extension = self.exchange.directory.extension("1001")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, allow_external=False))
        invite = self.a.offer_call()
        self.assertEqual(self.b.invites, [])
        self.busy(invite)

    def test_302(self) -> None:
        """
        A phone sends its callers on to a number beyond the house.
        """
        invite = self.a.offer_call()
        self.anna.reply(self.rung, 302, headers=(("Contact", f"<sip:{ELSEWHERE}@10.0.0.1>"),))
        (onward,) = self.b.invites
        self.assertEqual(onward.target.user, ELSEWHERE)
        self.hang_up(invite, self.accept(invite))

    def test_nobody_is_told_without_diversion(self) -> None:
        """
        A trunk that is not to be told shows the forwarder's number, and says nothing of the caller's.
        """
        line = self.exchange.lines.line("B")
        line.trunk = evolve(line.trunk, diversion=False)
        plan = self.exchange.book.plan
        self.exchange.book.configure(evolve(plan, trunks={**plan.trunks, "B": line.trunk}))
        self.want(forward_always=ELSEWHERE)
        invite = self.a.offer_call()
        (onward,) = self.b.invites
        self.assertEqual(onward.from_.uri.user, "+4930123450")
        for name in ("Diversion", "History-Info"):
            self.assertNotIn(name, onward.headers)
        self.assertNotIn(MOBILE.encode(), onward.to_bytes())
        self.hang_up(invite, self.accept(invite))


class FollowTests(SentOnCase):
    """
    A mobile phone rings together with the phone of 1001, or after it.
    """

    def test_together(self) -> None:
        """
        The first to answer has the call, the other stops ringing.
        """
        self.want(simultaneous=(ELSEWHERE,))
        invite = self.a.offer_call()
        (onward,) = self.b.invites
        (diversion,) = Diversion.parse_all(onward.headers.get_all("Diversion"))
        self.assertEqual(diversion.reason, "follow-me")
        self.anna.reply(self.rung, 180)
        self.b.reply(onward, 180)
        self.hang_up(invite, self.accept(invite))
        self.assertEqual(len(self.anna.requests("CANCEL")), 1)
        self.assertEqual(self.record["legs"][-1]["payer"], "1001")

    def test_early_media_of_the_phone(self) -> None:
        """
        While a trunk is still being looked for, the phone does not ring alone: what it plays is not heard.
        """
        waits = self.exchange.lines.line("B").waits = Deferred()
        self.want(simultaneous=(ELSEWHERE,))
        invite = self.a.offer_call()
        self.anna.reply(self.rung, 183, body=self.anna.sdp())
        self.assertEqual([(each.status, each.body) for each in self.a.received if isinstance(each, Response)], [
            (180, b"")
        ])
        waits.callback(None)
        self.network.advance(0.01)
        self.b.reply(self.b.invites[0], 486)
        self.busy(invite)

    def test_phone_first(self) -> None:
        """
        The phone answers: the trunk is told that the call was completed elsewhere.
        """
        self.want(simultaneous=(ELSEWHERE,))
        invite = self.a.offer_call()
        self.b.reply(self.b.invites[0], 180)
        answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        self.a.acknowledge(invite, self.a.last("INVITE"))
        (cancel,) = self.b.requests("CANCEL")
        self.assertIn("Call completed elsewhere", cancel.headers.get("Reason") or "")
        self.assertEqual(self.channels(), {"A": 1, "B": 0})
        self.anna.send(self.anna.within_received("BYE", self.rung, answered))
        self.network.advance(0.1)

    def test_trunk_fails(self) -> None:
        """
        The trunk fails while the phone rings on.
        """
        self.want(simultaneous=(ELSEWHERE,))
        invite = self.a.offer_call()
        self.b.reply(self.b.invites[0], 500)
        self.assertEqual(self.a.responses("INVITE"), [])
        self.busy(invite)

    def test_after(self) -> None:
        """
        It begins later and stops again: the number is rung for as long as it was asked to.
        """
        self.want(follow_me=(FollowMe(ELSEWHERE, 5, 10),))
        invite = self.a.offer_call()
        self.anna.reply(self.rung, 180)
        self.network.advance(4)
        self.assertEqual(self.b.invites, [])
        self.network.advance(1.1)
        self.b.reply(self.b.invites[0], 180)
        self.network.advance(10)
        self.assertEqual(len(self.b.requests("CANCEL")), 1)
        self.busy(invite)


class TandemTests(SentOnCase):
    """
    An inbound route leads to a number beyond the house.
    """

    inbound = (InboundRoute("on call", Target("external", ELSEWHERE), did=MAIN, classes=("mobile",)),)

    def test_tandem(self) -> None:
        """
        Both channels count, the route pays, and both hear each other.
        """
        invite = self.a.offer_call()
        answer = self.accept(invite)
        self.assertEqual(self.channels(), {"A": 1, "B": 1})
        self.b.listen_for_media()
        self.a.speak(answer.body, 5)
        self.b.speak(self.b.invites[0].body, 5, ssrc=3)
        self.assertEqual((len(self.b.media), len(self.a.media)), (5, 5))
        # Who is called is none of the provider's business, and neither are names of the house.
        for message in (answer, self.b.invites[0]):
            self.assertNotIn(b"10.0.0.1>;tag=x", message.to_bytes())
        self.assertNotIn("P-Asserted-Identity", answer.headers)
        self.hang_up(invite, answer)
        self.assertEqual(self.record["legs"][1]["payer"], "on call")

    def test_strangers_hear_no_names(self) -> None:
        """
        Which route may not and which trunk failed stands in the record; whoever calls from beyond the house is told the
        cause alone.
        """
        (route,) = self.inbound
        for classes, status, cause, told, kept in (
            (("mobile",), 503, 41, "Temporary failure", "trunk B answered 500 Server Internal Error"),
            ((), 403, 21, "Call rejected", "inbound route on call may not call mobile numbers"),
        ):
            plan = self.exchange.book.configured
            self.exchange.book.configure(evolve(plan, inbound=(evolve(route, classes=classes),)))
            invite = self.a.offer_call()
            if classes:
                self.b.reply(self.b.invites[0], 500)
            answer = self.a.last("INVITE")
            self.a.acknowledge_refusal(invite, answer)
            (reason,) = parse_reasons(answer.headers.get_all("Reason"))
            self.assertEqual((answer.status, reason.cause, reason.text), (status, cause, told))
            self.assertNotIn("on call", answer.reason)
            self.assertEqual(self.exchange.records[-1]["reason"], kept)


class TransferTests(SentOnCase):
    """
    1001 talks to somebody beyond the house, and sends it elsewhere.
    """

    def talk(self) -> None:
        """
        Answer a call from outside.
        """
        self.invite = self.a.offer_call()
        self.answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        self.answer = self.a.last("INVITE")
        self.a.acknowledge(self.invite, self.answer)
        self.anna.on_request = self.notified

    def notified(self, request: Request) -> None:
        """
        The phone takes note of how its transfer goes.
        """
        if request.method == "NOTIFY":
            self.anna.answer(request, 200)

    def refer(self, to: str) -> Response:
        """
        Let the phone transfer.
        """
        self.anna.send(self.anna.within_received(
            "REFER", self.rung, self.answered, cseq=5, headers=(("Refer-To", f"<sip:{to}@10.0.0.1>"),)
        ))
        self.network.advance(0.1)
        return self.anna.last("REFER")

    def end(self) -> None:
        """
        The caller hangs up.
        """
        self.a.send(self.a.within("BYE", self.invite, self.answer, cseq=30))
        self.network.advance(0.1)

    def test_to_an_extension(self) -> None:
        """
        The outside caller is sent to 1002, whose phone shows its number; the provider hears nothing of that.
        """
        bert: Phone = self.phone("1002")
        self.talk()
        self.assertEqual(self.refer("1002").status, 202)
        rung = bert.requests("INVITE")[-1]
        self.assertEqual(rung.from_.uri.user, "017612345678")
        bert.reply(rung, 200, body=bert.sdp())
        self.network.advance(3)
        self.assertEqual((self.a.requests("INVITE"), self.a.requests("UPDATE")), ([], []))
        self.end()
        self.assertEqual(len(bert.requests("BYE")), 1)

    def test_beyond_the_house(self) -> None:
        """
        The outside caller is sent out again, at the expense of 1001.
        """
        self.talk()
        self.assertEqual(self.refer(ELSEWHERE).status, 202)
        (onward,) = self.b.invites
        self.assertEqual(onward.from_.uri.user, "+4930123450")
        self.b.reply(onward, 200, body=self.b.sdp())
        self.network.advance(3)
        self.assertEqual(self.channels(), {"A": 1, "B": 1})
        self.end()
        self.assertEqual(len(self.b.requests("BYE")), 1)
        self.assertEqual(self.record["legs"][-1]["payer"], "1001")

    def test_beyond_the_house_not_allowed(self) -> None:
        """
        1001 may not call there: the two talk on.
        """
        self.talk()
        extension = self.exchange.directory.extension("1001")
        assert extension is not None
        self.exchange.directory.put(evolve(extension, allow_external=False))
        self.assertEqual(self.refer(ELSEWHERE).status, 202)
        self.assertEqual(self.b.invites, [])
        self.assertEqual(self.anna.requests("BYE"), [])
        self.assertTrue(any(b"403" in message.body for message in self.anna.requests("NOTIFY")))
        self.end()

    def test_over_the_api(self) -> None:
        """
        The API sends the outside caller out again.
        """
        self.talk()
        (call,) = self.exchange.switchboard.list()
        self.assertTrue(self.exchange.switchboard.transfer(call["id"], "1001", ELSEWHERE))
        self.network.advance(0.1)
        self.b.reply(self.b.invites[0], 200, body=self.b.sdp())
        self.network.advance(3)
        self.end()
        self.assertEqual(len(self.b.requests("BYE")), 1)


class CallBackTests(IncomingCase):
    """
    Somebody beyond the house has left a message, and is called back from the mailbox.
    """

    number = "017612345678"

    def setUp(self) -> None:
        """
        A mailbox that answers and calls back at once, for whoever dials *97.
        """
        async def take(visit: Any) -> Destination | None:
            await visit.answer()
            router = self.exchange.switchboard.router
            return router.lead(self.number, "1001")

        self.options = {"features": {"places": {"mailbox": Scripted(take)}, "star_codes": {"*97": "voicemail"}}}
        super().setUp()

    def call_back(self) -> Request:
        """
        Dial *97.
        """
        invite = self.anna.call("*97")
        self.anna.acknowledge(invite, self.anna.last("INVITE"))
        return invite

    def test_called_back(self) -> None:
        """
        The number is dialled as the phone was shown it, at the expense of the mailbox's owner.
        """
        invite = self.call_back()
        (onward,) = self.a.invites
        self.assertEqual(onward.target.user, MOBILE)
        self.a.reply(onward, 200, body=self.a.sdp())
        self.anna.send(self.anna.within("BYE", invite, self.anna.last("INVITE"), cseq=9))
        self.network.advance(0.1)
        self.assertEqual(len(self.a.requests("BYE")), 1)
        self.assertEqual(self.record["legs"][1]["payer"], "1001")

    def test_what_is_never_called_back(self) -> None:
        """
        A stranger chooses the number that it shows: no star code, no emergency number, nothing that the owner may not
        call.
        """
        router = self.exchange.switchboard.router
        for number in ("*97", "112", "+112", "*21*0900", "09001234567", "anonymous@A", ""):
            self.assertIsNone(router.lead(number, "1001"), number)
        plan = self.exchange.book.plan
        self.exchange.book.configure(evolve(plan, outbound=(OutboundRoute("all", ("*.", "0.", "+.")),)))
        self.assertIsNone(router.lead("*123456", "1001"))
        self.assertIsNotNone(router.lead(MOBILE, "1001"))
        self.assertIsNone(router.lead(MOBILE, "1009"))


class ConfirmTests(SentOnCase):
    """
    A mobile phone follows, and whoever picks it up is asked for a key.
    """

    options = {"features": {"confirm": confirmation}}

    def key(self, key: str) -> None:
        """
        The mobile phone presses a key.
        """
        invite = self.b.invites[0]
        pressed = self.b.within_received(
            "INFO", invite, self.taken, cseq=3, body=f"Signal={key}\r\nDuration=160\r\n".encode()
        )
        pressed.headers.set("Content-Type", "application/dtmf-relay")
        self.b.send(pressed)
        self.network.advance(0.1)

    def ask(self) -> Request:
        """
        The mobile phone picks up; the caller hears nothing of that yet.
        """
        self.want(follow_me=(FollowMe(ELSEWHERE, 0, None, True),))
        invite = self.a.offer_call()
        self.taken = self.b.reply(self.b.invites[0], 200, body=self.b.sdp())
        self.network.advance(1)
        self.assertEqual(self.a.responses("INVITE"), [100])
        return invite

    def test_taken(self) -> None:
        """
        1 takes the call.
        """
        invite = self.ask()
        self.key("1")
        answer = self.a.last("INVITE")
        self.assertEqual(answer.status, 200)
        self.a.acknowledge(invite, answer)
        self.hang_up(invite, answer)

    def test_not_taken(self) -> None:
        """
        2 declines it; the phone rings on, and the channel is free.
        """
        invite = self.ask()
        self.anna.reply(self.rung, 180)
        self.key("2")
        self.network.advance(3)
        self.assertEqual(len(self.b.requests("BYE")), 1)
        self.assertEqual(self.channels(), {"A": 1, "B": 0})
        self.anna.reply(self.rung, 486)
        self.a.acknowledge_refusal(invite, self.a.last("INVITE"))

    def test_gone(self) -> None:
        """
        The caller gives up meanwhile: the mobile phone is hung up on.
        """
        invite = self.ask()
        self.a.cancel(invite)
        self.a.acknowledge_refusal(invite, self.a.last("INVITE"))
        self.network.advance(0.1)
        self.assertEqual(len(self.b.requests("BYE")), 1)
