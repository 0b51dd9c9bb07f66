"""
Calls in over a trunk: who is taken for whom, where they go, and what a provider may not do.
"""

from __future__ import annotations

from attrs import evolve

from pbx.directory.handling import Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.plan import Site
from pbx.sip.message import Request
from pbx.sip.reasons import parse_reasons
from tests.calls.carrier import MAIN, MOBILE, Carrier, TrunkCase
from tests.calls.phone import Phone


class IncomingCase(TrunkCase):
    """
    Somebody beyond the house calls over the first trunk, and 1001 has a phone.
    """

    def setUp(self) -> None:
        """
        Register it.
        """
        super().setUp()
        self.anna: Phone = self.phone("1001")
        self.anna.listen_for_media()
        self.a.listen_for_media()

    @property
    def rung(self) -> Request:
        """
        The INVITE of the phone.
        """
        return self.anna.requests("INVITE")[-1]

    def refused(self, invite: Request, status: int, cause: int, text: str, by: Carrier | None = None) -> None:
        """
        The provider is refused for this reason, which the record has as well.
        """
        carrier = by or self.a
        answer = carrier.last("INVITE")
        carrier.acknowledge_refusal(invite, answer)
        (reason,) = parse_reasons(answer.headers.get_all("Reason"))
        self.assertEqual((answer.status, reason.cause, reason.text), (status, cause, text))
        record = self.record
        self.assertEqual((record["status"], record["q850"], record["reason"]), (status, cause, text))

    def busy(self, invite: Request) -> None:
        """
        The phone is busy.
        """
        self.anna.reply(self.rung, 486)
        self.refused(invite, 486, 17, "Busy Here")


class IncomingTests(IncomingCase):
    """
    What becomes of a call.
    """

    def test_answered(self) -> None:
        """
        It is not challenged, rings by its DID, is answered, heard both ways, and hung up by the phone.
        """
        invite = self.a.offer_call()
        self.assertEqual(self.channels(), {"A": 1, "B": 0})
        self.anna.reply(self.rung, 180)
        answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        answer = self.a.last("INVITE")
        self.assertEqual([status for status in self.a.responses("INVITE") if status != 100], [180, 200])
        # Who is called is nobody's business beyond the house.
        for message in self.a.received:
            self.assertNotIn("P-Asserted-Identity", message.headers)
        self.a.acknowledge(invite, answer)
        self.a.speak(answer.body, 5)
        self.anna.speak(self.rung.body, 5, ssrc=9)
        self.assertEqual((len(self.anna.media), len(self.a.media)), (5, 5))
        self.anna.send(self.anna.within_received("BYE", self.rung, answered))
        self.network.advance(0.1)
        self.assertEqual(len(self.a.requests("BYE")), 1)
        self.assert_ended("answered", "Normal call clearing", "callee")
        self.assertEqual((self.record["caller"], self.record["callee"]), (MOBILE, MAIN))
        self.assertEqual((self.record["direction"], self.record["trunk"]), ("inbound", "A"))
        self.assertEqual([leg["party"] for leg in self.record["legs"]], [MOBILE, "1001"])

    def test_challenged(self) -> None:
        """
        A provider that asks for credentials upon our BYE gets them.
        """
        invite = self.a.offer_call()
        answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        self.a.acknowledge(invite, self.a.last("INVITE"))
        self.a.polite = False
        self.anna.send(self.anna.within_received("BYE", self.rung, answered))
        self.network.advance(0.1)
        challenge = (("Proxy-Authenticate", 'Digest realm="a", nonce="n", algorithm=MD5, qop="auth"'),)
        self.a.reply(self.a.requests("BYE")[0], 407, headers=challenge)
        _, again = self.a.requests("BYE")
        self.assertIn('nonce="n"', again.headers.get("Proxy-Authorization") or "")
        self.a.reply(again, 200)
        self.assert_ended("answered", "Normal call clearing", "callee")

    def test_many_at_once(self) -> None:
        """
        Many who do not say who they are may call at once; one who says so, again and again, goes in a circle.
        """
        for caller, wanted in (("anonymous", [486] * 12), (MOBILE, [486] * 10 + [482] * 2)):
            statuses = []
            for _ in range(12):
                before = len(self.anna.requests("INVITE"))
                invite = self.a.offer_call(caller=caller)
                if len(self.anna.requests("INVITE")) > before:
                    self.anna.reply(self.rung, 486)
                answer = self.a.last("INVITE")
                self.a.acknowledge_refusal(invite, answer)
                statuses.append(answer.status)
            self.assertEqual(statuses, wanted, caller)

    def test_how_the_caller_is_shown(self) -> None:
        """
        The phone is shown the number as it would dial it back, and the name that the provider tells.
        """
        invite = self.a.offer_call(name="Berta")
        self.assertEqual(self.rung.from_.uri.user, "017612345678")
        self.assertEqual(self.rung.from_.display, "Berta")
        self.busy(invite)

    def test_from_abroad(self) -> None:
        """
        A number of another country is shown with its +.
        """
        invite = self.a.offer_call(caller="+442079460000")
        self.assertEqual(self.rung.from_.uri.user, "+442079460000")
        self.busy(invite)
        self.assertEqual(self.record["caller"], "+442079460000")

    def test_asserted_identity(self) -> None:
        """
        The caller is whom the provider vouches for, not whom From names.
        """
        asserted = (("P-Asserted-Identity", '"Berta" <sip:+4930999888@a.example>'),)
        invite = self.a.offer_call(caller="4917700000000", headers=asserted)
        self.assertEqual((self.rung.from_.uri.user, self.rung.from_.display), ("030999888", "Berta"))
        self.busy(invite)

    def test_anonymous(self) -> None:
        """
        Who does not want to be known is not, though the provider tells us.
        """
        asserted = (("P-Asserted-Identity", "<sip:+4930999888@a.example>"), ("Privacy", "id"))
        invite = self.a.offer_call(caller="anonymous", headers=asserted)
        self.assertNotIn(b"999888", self.rung.to_bytes())
        self.assertIn("anonymous", str(self.rung.from_))
        self.busy(invite)
        self.assertEqual(self.record["caller"], "+4930999888")

    def test_nobody_known(self) -> None:
        """
        Nobody knows who calls.
        """
        invite = self.a.offer_call(caller="anonymous")
        self.assertIn("anonymous", str(self.rung.from_))
        self.busy(invite)
        self.assertEqual(self.record["caller"], "anonymous@A")

    def test_where_the_number_stands(self) -> None:
        """
        The account in the Request-URI, the number in To.
        """
        invite = self.a.request(
            "INVITE", "sip:account@10.0.0.1", to=f"<sip:{MAIN}@10.0.0.1>", body=self.a.sdp(),
            headers=(("P-Called-Party-ID", "<sip:+4930777@a.example>"),),
        )
        self.a.send(invite)
        self.network.advance(0.01)
        self.busy(invite)

    def test_unknown_number(self) -> None:
        """
        Nobody here has the number: 404, which says what to do.
        """
        invite = self.a.offer_call("+4930555")
        self.refused(invite, 404, 1, "Unallocated number")
        self.assertIn("an inbound route", " ".join(self.record["route"]))
        self.assertEqual(len(self.logged("nobody here has +4930555, which was called over trunk A")), 1)

    def test_ring_again_after_the_trunk_went_down(self) -> None:
        """
        A call in goes on whatever OPTIONS say.
        """
        invite = self.a.offer_call()
        self.exchange.lines.line("A").set("down")
        self.busy(invite)

    def test_diverted(self) -> None:
        """
        The record tells who has sent the call on before it came to us, as the provider says.
        """
        invite = self.a.offer_call(headers=(
            ("Diversion", "<sip:+4930999888@a.example>;reason=user-busy"),
            ("Diversion", "<sip:+4930999777@a.example>;privacy=full;reason=no-answer"),
        ))
        self.busy(invite)
        self.assertEqual(self.record["route"][:2], [
            "trunk A says that somebody sent it on: no-answer",
            "trunk A says that +4930999888 sent it on: user-busy",
        ])

    def test_cancelled(self) -> None:
        """
        The caller gives up.
        """
        invite = self.a.offer_call()
        self.anna.reply(self.rung, 180)
        self.a.cancel(invite)
        self.a.acknowledge_refusal(invite, self.a.last("INVITE"))
        self.assertEqual(len(self.anna.requests("CANCEL")), 1)
        self.assertEqual(self.channels(), {"A": 0, "B": 0})
        self.assert_ended("cancelled", "Cancelled by the caller", "caller")

    def test_from_another_address_within_the_call(self) -> None:
        """
        Within the call the provider may ask from another of its addresses, whatever it calls; nobody else may.
        """
        other = self.phone("0", kind=Carrier, at="10.9.1.9", register=False)
        stranger = self.phone("0", kind=Carrier, at="10.66.0.1", register=False)
        invite = self.a.offer_call()
        answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        answer = self.a.last("INVITE")
        self.a.acknowledge(invite, answer)
        self.exchange.lines.line("A").hosts.append("10.9.1.9")
        for carrier, status in ((other, 200), (stranger, 403)):
            update = carrier.within("INFO", invite, answer, cseq=2 + status)
            update.uri = f"sip:pbx@{carrier.domain}"
            carrier.send(update)
            self.network.advance(0.01)
            self.assertEqual(carrier.last("INFO").status, status)
        self.anna.send(self.anna.within_received("BYE", self.rung, answered))
        self.network.advance(0.1)


class ForbiddenTests(IncomingCase):
    """
    What a provider may not do.
    """

    def ask(self, method: str, uri: str = "sip:1001@10.0.0.1", headers: tuple[tuple[str, str], ...] = ()) -> int:
        """
        Send a request outside a dialog; the status of its answer.
        """
        self.a.send(self.a.request(method, uri, headers=headers))
        self.network.advance(0.01)
        return self.a.last(method).status

    def test_methods(self) -> None:
        """
        OPTIONS is answered, a REFER forbidden, and nothing else served.
        """
        for method, status in (("OPTIONS", 200), ("REFER", 403), ("SUBSCRIBE", 405), ("PUBLISH", 405),
                               ("MESSAGE", 405)):
            self.assertEqual(self.ask(method), status, method)

    def test_register(self) -> None:
        """
        A phone behind the same address still has to prove who it is.
        """
        self.assertEqual(self.ask("REGISTER"), 401)

    def test_replaces(self) -> None:
        """
        Nobody takes a call over from outside.
        """
        invite = self.a.offer_call(headers=(("Replaces", "x;to-tag=1;from-tag=2"),))
        answer = self.a.last("INVITE")
        self.assertEqual(answer.status, 403)
        self.a.acknowledge_refusal(invite, answer)

    def test_refer(self) -> None:
        """
        A REFER within a call is forbidden, and the call goes on.
        """
        invite = self.a.offer_call()
        answered = self.anna.reply(self.rung, 200, body=self.anna.sdp())
        answer = self.a.last("INVITE")
        self.a.acknowledge(invite, answer)
        refer = self.a.within("REFER", invite, answer, cseq=2, headers=(("Refer-To", "<sip:1002@10.0.0.1>"),))
        self.a.send(refer)
        self.network.advance(0.01)
        self.assertEqual(self.a.last("REFER").status, 403)
        self.assertEqual(self.anna.requests("BYE"), [])
        self.anna.send(self.anna.within_received("BYE", self.rung, answered))
        self.network.advance(0.1)

    def test_no_feature_and_no_way_out(self) -> None:
        """
        Numbers that only extensions may dial lead nowhere: star codes, extensions, numbers beyond the house.
        """
        for number in ("*97", "1001", "112", "0041791234567"):
            invite = self.a.offer_call(number)
            answer = self.a.last("INVITE")
            self.assertEqual(answer.status, 404, number)
            self.a.acknowledge_refusal(invite, answer)
        self.assertEqual(self.b.invites, [])

    def test_loop(self) -> None:
        """
        The same call again and again within two seconds is a loop.
        """
        for _ in range(11):
            invite = self.a.offer_call("+4930555")
            self.a.acknowledge_refusal(invite, self.a.last("INVITE"))
        self.assertEqual(self.a.last("INVITE").status, 482)


class FullTests(IncomingCase):
    """
    The first trunk has one channel.
    """

    trunks = {"A": {"max_channels": 1}, "B": {}}

    def test_full(self) -> None:
        """
        A second call in is refused with 503 and Retry-After, and the log says once what to do.
        """
        first = self.a.offer_call()
        second = self.a.offer_call(caller="4917700000000")
        answer = self.a.last("INVITE")
        self.assertEqual((answer.status, answer.headers.get("Retry-After")), (503, "10"))
        self.assertEqual(self.channels(), {"A": 1, "B": 0})
        self.refused(second, 503, 34, "Trunk A has no channel free")
        self.assertEqual(len(self.logged("raise its max_channels")), 1)
        self.exchange.kept.records.clear()
        self.busy(first)

    def test_outbound_counts(self) -> None:
        """
        A call out has the channel; the next call out goes over the other trunk.
        """
        bert = self.phone("1002")
        one = self.anna.call("017612345678")
        self.assertEqual(len(self.a.invites), 1)
        other = bert.call("017612345679")
        self.assertEqual((len(self.a.invites), len(self.b.invites)), (1, 1))
        self.a.reply(self.a.invites[0], 486)
        self.b.reply(self.b.invites[0], 486)
        self.anna.acknowledge_refusal(one, self.anna.last("INVITE"))
        bert.acknowledge_refusal(other, bert.last("INVITE"))


class PrefixTests(IncomingCase):
    """
    An inbound route puts something before the caller's name.
    """

    inbound = (InboundRoute("sales", Target("extension", "1001"), did=MAIN, prefix="Sales:"),)

    def test_shown(self) -> None:
        """
        The phone shows it, with a name and without.
        """
        for name, shown in (("Berta", "Sales: Berta"), ("", "Sales:")):
            invite = self.a.offer_call(name=name)
            self.assertEqual(self.rung.from_.display, shown)
            self.anna.reply(self.rung, 486)
            self.a.acknowledge_refusal(invite, self.a.last("INVITE"))
            self.assertEqual(self.exchange.records[-1]["caller_name"], name)

    def test_not_beyond_the_house(self) -> None:
        """
        Whoever is called beyond the house in its place sees the caller's own name.
        """
        self.allow("1001", handling=Handling(forward_always="+4915112345678"))
        invite = self.a.offer_call(name="Berta")
        onward = self.a.invites[-1]
        self.assertEqual(onward.from_.display, "Berta")
        self.a.reply(onward, 486)
        self.a.acknowledge_refusal(invite, self.a.last("INVITE"))


class OutsidePrefixTests(IncomingCase):
    """
    Numbers beyond the house are dialled with 0 in front.
    """

    plan = {}

    def test_dialled_back(self) -> None:
        """
        The phone is shown the number with it.
        """
        self.exchange.book.configure(evolve(
            self.exchange.book.plan, site=Site(country="DE", area_code="30", outside_prefix="9")
        ))
        invite = self.a.offer_call()
        self.assertEqual(self.rung.from_.uri.user, "9017612345678")
        self.busy(invite)
        self.anna.call("9017612345678")
        self.assertEqual(self.a.invites[0].target.user, MOBILE)
        self.a.reply(self.a.invites[0], 486)
        self.network.advance(0.1)
