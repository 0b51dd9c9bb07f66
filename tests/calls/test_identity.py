"""
Who is told who calls and who is called, and what is written down of a call.
"""

from __future__ import annotations

from pbx.sip.message import Request
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import EVENTS, PCMU, Phone, said


class IdentityTests(ExchangeCase):
    """
    Names and numbers are the directory's.
    """

    def ring(self, *, from_: str | None = None, headers: tuple[tuple[str, str], ...] = ()) -> tuple[Phone, Request]:
        """
        Call with a chosen From; what the callee was sent.
        """
        anna, bert = self.phone("1001"), self.phone("1002")
        request = anna.request("INVITE", f"sip:1002@{ADDRESS}", body=anna.sdp(), headers=headers)
        if from_ is not None:
            request.headers.set("From", f"{from_};tag=x{len(from_)}")
        self.invite = anna.authenticated(request)
        (rung,) = bert.requests("INVITE")
        return bert, rung

    def test_the_callee_sees_the_directory(self) -> None:
        """
        Name and number of the caller come from the directory, in From and P-Asserted-Identity.
        """
        bert, rung = self.ring(from_=f'"The Queen" <sip:1001@{ADDRESS}>')
        for name in ("From", "P-Asserted-Identity"):
            self.assertIn(f'"Phone 1001" <sip:1001@{ADDRESS}>', rung.headers.get(name) or "")
        self.assertIn("sip:1001@", rung.headers.get("Contact") or "")
        self.assertEqual(rung.headers.get("To"), f"<sip:1002@{ADDRESS}>")
        self.assertEqual(rung.uri, bert.contact)
        self.assertEqual(self.logged("named another user"), [])
        bert.reply(rung, 486)

    def test_from_of_another(self) -> None:
        """
        A From that names another extension is overwritten, and logged.
        """
        bert, rung = self.ring(from_=f'"Boss" <sip:1005@{ADDRESS}>')
        self.assertIn("<sip:1001@", rung.headers.get("From") or "")
        self.assertNotIn(b"1005", said(rung))
        self.assertEqual(len(self.logged("named another user")), 1)
        bert.reply(rung, 486)
        self.assertEqual(self.record["caller"], "1001")

    def test_another_host_in_from(self) -> None:
        """
        Phones registered by name and by address are the same: the host part of From is nobody's business.
        """
        bert, rung = self.ring(from_="<sip:1001@pbx.example.com>")
        self.assertEqual(self.logged("named another user"), [])
        bert.reply(rung, 486)

    def anonymous(self, **options: object) -> None:
        """
        A call of a caller that does not want to be known.
        """
        bert, rung = self.ring(**options)  # type: ignore[arg-type]
        self.assertTrue((rung.headers.get("From") or "").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>'))
        self.assertNotIn("P-Asserted-Identity", rung.headers)
        self.assertNotIn(b"1001", said(rung))
        bert.reply(rung, 486)
        # The operator's record knows.
        self.assertEqual(self.record["caller"], "1001")

    def test_privacy(self) -> None:
        """
        ``Privacy: id`` hides name and number from the callee in every header, and not from the record.
        """
        self.anonymous(headers=(("Privacy", "id"),))

    def test_anonymous_from(self) -> None:
        """
        So does an anonymous From, as phones send it when told not to show their number.
        """
        self.anonymous(from_='"Anonymous" <sip:anonymous@anonymous.invalid>')

    def test_the_caller_sees_whom_it_reached(self) -> None:
        """
        180 and 200 tell the callee's name and number in P-Asserted-Identity.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        told = [m.headers.get("P-Asserted-Identity") for m in anna.received
                if not isinstance(m, Request) and m.cseq.method == "INVITE" and m.status in (180, 200)]
        self.assertEqual(told, [f'"Phone 1002" <sip:1002@{ADDRESS}>'] * 2)
        talk.hang_up(anna)

    def test_host_of_the_request_uri(self) -> None:
        """
        A phone that calls ``sip:1002@evil.example`` reaches our 1002: the host part is never routed to.
        """
        anna, bert = self.phone("1001"), self.phone("1002")
        for uri in ("sip:1002@evil.example", "tel:1002;phone-context=example.com", "sip:10-02@pbx;user=phone",
                    "sip:%31002@pbx"):
            with self.subTest(uri=uri):
                invite = anna.authenticated(anna.request("INVITE", uri, body=anna.sdp()))
                rung = bert.requests("INVITE")[-1]
                bert.reply(rung, 486)
                anna.acknowledge_refusal(invite, anna.last("INVITE"))
                bert.received.clear()

    def test_each_leg_is_its_own_dialog(self) -> None:
        """
        The two legs share neither Call-ID nor tags, nor do we pass on Via, Record-Route or Contact.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, headers=(("Record-Route", "<sip:10.0.1.1;lr>"), ("User-Agent", "Anna 1.0")))
        text = talk.rung.to_bytes()
        for secret in (talk.invite.call_id, talk.invite.from_tag, anna.address, "Anna"):
            self.assertNotIn((secret or "").encode(), text)
        self.assertEqual(len(talk.rung.headers.get_all("Via")), 1)
        # RFC 3261 12.1.1: the caller's dialog has its route, and our BYE takes it.
        self.assertEqual(talk.answer.headers.get("Record-Route"), "<sip:10.0.1.1;lr>")
        talk.hang_up(bert)
        self.assertEqual(anna.requests("BYE")[0].headers.get("Route"), "<sip:10.0.1.1;lr>")

    def test_hops_are_counted_on(self) -> None:
        """
        The callee's INVITE has one hop less than the caller's (RFC 7332).
        """
        anna, bert = self.phone("1001"), self.phone("1002")
        anna.authenticated(anna.request("INVITE", f"sip:1002@{ADDRESS}", body=anna.sdp(), max_forwards=23))
        (rung,) = bert.requests("INVITE")
        self.assertEqual(rung.max_forwards, 22)
        bert.reply(rung, 486)

    def test_answered_call_in_the_record(self) -> None:
        """
        The record of a call: times, durations, parties and legs.
        """
        anna, bert = self.pair()
        invite = anna.call("1002", body=anna.sdp(formats=(PCMU, EVENTS)))
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 180)
        self.network.advance(5)
        bert.reply(rung, 200, body=bert.sdp())
        answer = anna.last("INVITE")
        anna.acknowledge(invite, answer)
        self.network.advance(55)
        anna.send(anna.within("BYE", invite, answer, cseq=9))
        self.network.advance(0.01)
        record = self.record
        self.assertTrue(60 < record["duration"] < 60.1)
        self.assertTrue(55 < record["billable"] < 55.1)
        self.assertEqual((record["caller"], record["caller_name"], record["callee"], record["status"], record["q850"]),
                         ("1001", "Phone 1001", "1002", None, 16))
        self.assertEqual([(leg["direction"], leg["party"]) for leg in record["legs"]],
                         [("in", "1001"), ("out", "1002")])
        self.assertEqual(record["route"], ["1002 is the extension of Phone 1002", "1 of its phones ring"])
        self.assertEqual(len(self.logged(record["id"])), 1)
