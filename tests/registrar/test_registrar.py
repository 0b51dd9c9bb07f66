"""
What a REGISTER does to the bindings of an extension (RFC 3261 10.3, RFC 5626 6).
"""

from __future__ import annotations

from pbx.registrar.registrar import RegistrarSettings
from pbx.sip.message import Request
from tests.calls.exchange import ADDRESS
from tests.calls.phone import Phone
from tests.registrar.case import RegistrarCase

DESK = "sip:1001@10.0.1.1:5060"
MOBILE = "sip:1001@10.0.1.1:5070"


class RegisterTests(RegistrarCase):
    """
    Adding, refreshing, removing and asking.
    """

    def test_one_contact(self) -> None:
        """
        A Contact is bound, told back with what is left of its time, and logged as REGISTER.
        """
        answer = self.register(f"<{DESK}>", expires=300)
        self.assert_bound(answer, DESK)
        self.assertEqual(answer.contacts[0].param("expires"), "300")
        self.assertEqual(len(self.logged("REGISTER: 1001 is reachable at")), 1)

    def test_refresh(self) -> None:
        """
        A refresh replaces the binding and is not logged again.
        """
        self.register(f"<{DESK}>", expires=300)
        self.network.advance(200)
        answer = self.register(f"<{DESK}>", expires=300)
        self.assert_bound(answer, DESK)
        self.assertEqual(answer.contacts[0].param("expires"), "300")
        self.assertEqual(len(self.logged("REGISTER: 1001 is reachable at")), 1)

    def test_query(self) -> None:
        """
        A REGISTER without Contact changes nothing and lists the bindings with the time that each has left.
        """
        self.assertEqual(self.register().contacts, [])
        self.register(f"<{DESK}>", expires=300)
        self.network.advance(100)
        answer = self.register()
        self.assert_bound(answer, DESK)
        self.assertEqual(answer.contacts[0].param("expires"), "200")

    def test_two_phones(self) -> None:
        """
        Phones with Call-IDs of their own are bound side by side.
        """
        self.register(f"<{DESK}>", call_id="desk")
        self.assert_bound(self.register(f"<{MOBILE}>", call_id="mobile"), DESK, MOBILE)

    def test_two_contacts_in_one(self) -> None:
        """
        One REGISTER may bind two Contacts, in two rows or one.
        """
        self.assert_bound(self.register(f"<{DESK}>;expires=100", f"<{MOBILE}>"), DESK, MOBILE)
        self.assert_bound(self.register(f"<{DESK}>, <{MOBILE}>"), DESK, MOBILE)

    def test_the_same_contact_twice(self) -> None:
        """
        A Contact that stands twice in one REGISTER is bound once, as it stands last, or not at all.
        """
        answer = self.register(f"<{DESK}>;expires=100", f"<{DESK}>;expires=200")
        self.assert_bound(answer, DESK)
        self.assertEqual(answer.contacts[0].param("expires"), "200")
        self.assert_bound(self.register(f"<{DESK}>", f"<{DESK}>;expires=0"))

    def test_removal_of_one(self) -> None:
        """
        Expires 0 removes that Contact, whether it stands in the parameter or in the header.
        """
        for removal in ({"contact": f"<{DESK}>;expires=0", "expires": None}, {"contact": f"<{DESK}>", "expires": 0}):
            with self.subTest(**removal):
                self.register(f"<{DESK}>", call_id="desk")
                self.register(f"<{MOBILE}>", call_id="mobile")
                answer = self.register(removal["contact"], expires=removal["expires"], call_id="desk")
                self.assert_bound(answer, MOBILE)
        self.assertEqual(len(self.logged(f"1001 has left {DESK}")), 2)

    def test_removal_of_what_is_not_there(self) -> None:
        """
        Removing what is not bound is no error: phones do so when they start.
        """
        self.assertEqual(self.register(f"<{DESK}>", expires=0).status, 200)
        self.assertEqual(self.bound(), [])

    def test_removal_of_all(self) -> None:
        """
        ``*`` with Expires 0 removes all bindings of the extension.
        """
        self.register(f"<{DESK}>", call_id="desk")
        self.register(f"<{MOBILE}>", call_id="mobile")
        answer = self.register("*", expires=0, call_id="desk")
        self.assertEqual((answer.status, answer.contacts), (200, []))
        self.assertEqual((self.bound(), self.stored()), ([], []))

    def test_star_without_expires_zero(self) -> None:
        """
        ``*`` with any other Expires, or among other Contacts, is 400 and removes nothing (RFC 3261 10.3, step 6).
        """
        self.register(f"<{DESK}>")
        self.assertEqual(self.register("*").status, 400)
        self.assertEqual(self.register("*", expires=60).status, 400)
        self.assertEqual(self.register("*", f"<{MOBILE}>", expires=0).status, 400)
        self.assertEqual(self.bound(), [DESK])

    def test_same_instance(self) -> None:
        """
        A phone that restarts with a new Call-ID and Contact replaces its binding by its ``+sip.instance``.
        """
        instance = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
        self.register(f"<{DESK}>{instance}", call_id="before")
        self.assert_bound(self.register(f"<{MOBILE}>{instance}", call_id="after"), MOBILE)

    def test_two_flows_of_one_instance(self) -> None:
        """
        The flows of one phone are told apart by ``reg-id`` (RFC 5626 6).
        """
        instance = ';+sip.instance="<urn:uuid:1>"'
        self.register(f"<{DESK}>{instance};reg-id=1", call_id="one")
        self.assert_bound(self.register(f"<{MOBILE}>{instance};reg-id=2", call_id="two"), DESK, MOBILE)
        other = "sip:1001@10.0.1.1:5080"
        self.assert_bound(self.register(f"<{other}>{instance};reg-id=1", call_id="three"), MOBILE, other)

    def test_same_call_id(self) -> None:
        """
        A phone whose address has changed replaces its binding by its Call-ID.
        """
        self.register(f"<{DESK}>", call_id="one")
        self.assert_bound(self.register(f"<{MOBILE}>", call_id="one"), MOBILE)

    def test_same_contact(self) -> None:
        """
        A phone that restarted with a new Call-ID replaces its binding by its Contact, spelled a little differently too.
        """
        self.register(f"<{DESK}>", call_id="one")
        self.assert_bound(self.register("<SIP:%31001@10.0.1.1:5060>", call_id="two"), "sip:%31001@10.0.1.1:5060")

    def test_order(self) -> None:
        """
        With one Call-ID a CSeq that is not higher is 500 and changes nothing (RFC 3261 10.3, step 7).
        """
        self.register(f"<{DESK}>", cseq=100)
        self.assertEqual(self.register(f"<{DESK}>", cseq=50, expires=0).status, 500)
        self.assertEqual(self.register(f"<{DESK}>", cseq=100, expires=0).status, 500)
        self.assertEqual(self.register("*", cseq=50, expires=0).status, 500)
        self.assertEqual(self.bound(), [DESK])
        # Of another Call-ID any number goes.
        self.assertEqual(self.register(f"<{DESK}>", cseq=2, call_id="other").status, 200)

    def test_all_or_nothing(self) -> None:
        """
        Of two Contacts one is out of order: the other is not bound either.
        """
        self.register(f"<{DESK}>", cseq=100, call_id="one")
        self.assertEqual(self.register(f"<{MOBILE}>", f"<{DESK}>", cseq=90, call_id="one").status, 500)
        self.assertEqual(self.bound(), [DESK])

    def test_too_brief(self) -> None:
        """
        Less than a minute is 423 with what is allowed, and nothing is bound.
        """
        answer = self.register(f"<{DESK}>", expires=30)
        self.assertEqual((answer.status, answer.headers.get("Min-Expires")), (423, "60"))
        self.assertEqual(self.register(f"<{MOBILE}>;expires=300", f"<{DESK}>;expires=5").status, 423)
        self.assertEqual(self.bound(), [])

    def test_too_long(self) -> None:
        """
        More than two hours is cut; nothing named is an hour, nonsense too.
        """
        for contact, expires, given in (
            (f"<{DESK}>", 100_000, "7200"), (f"<{DESK}>", None, "3600"), (f"<{DESK}>;expires=soon", None, "3600"),
            (f"<{DESK}>;expires=99999999999999999999", None, "7200"),
        ):
            with self.subTest(contact=contact):
                self.assertEqual(self.register(contact, expires=expires).contacts[0].param("expires"), given)

    def test_at_most_ten(self) -> None:
        """
        The eleventh phone displaces the one that was refreshed least recently.
        """
        contacts = [f"sip:1001@10.0.1.1:{port}" for port in range(5060, 5071)]
        for contact in contacts[:10]:
            self.register(f"<{contact}>", call_id=contact)
        self.register(f"<{contacts[0]}>", call_id=contacts[0])
        answer = self.register(f"<{contacts[10]}>", call_id="new")
        self.assert_bound(answer, *contacts[2:10], contacts[0], contacts[10])

    def test_too_many_contacts(self) -> None:
        """
        More Contacts in one REGISTER than an extension may have are 400.
        """
        contacts = [f"<sip:1001@10.0.1.1:{port}>" for port in range(5060, 5071)]
        self.assertEqual(self.register(*contacts).status, 400)
        self.assertEqual(self.bound(), [])

    def test_anothers_address(self) -> None:
        """
        The To address must be the digest user's: else 403.
        """
        self.assertEqual(self.register(f"<{DESK}>", to=f"<sip:1002@{ADDRESS}>").status, 403)
        self.assertEqual(self.bound("1002"), [])

    def test_name_and_address_are_the_same(self) -> None:
        """
        A phone that registers by the exchange's name is found like one that uses its address.
        """
        self.assert_bound(self.register(f"<{DESK}>", to="<sip:1001@pbx.example.com>"), DESK)

    def test_contact_that_is_none(self) -> None:
        """
        A Contact that can't be read is 400; one that could never be called, too.
        """
        for contact in ("<sip:>", "nonsense", "<mailto:a@example.com>", "<tel:+1234>", f"<sip:{'9' * 500}@10.0.1.1>"):
            with self.subTest(contact=contact):
                self.assertEqual(self.register(contact).status, 400)
        self.assertEqual(self.bound(), [])

    def test_repeated_register(self) -> None:
        """
        A REGISTER that comes again, since the 200 was lost, is answered again and does nothing again.
        """
        self.register(f"<{DESK}>")
        again = self.anna.received[-1]
        served = self.exchange.registrar.served
        self.anna.send(self.last_sent())
        self.network.advance(0.01)
        self.assertEqual(self.anna.received[-1].to_bytes(), again.to_bytes())
        self.assertEqual(self.exchange.registrar.served, served)

    def last_sent(self) -> Request:
        """
        The last REGISTER of the phone, as the exchange saw it.
        """
        request = self.made(self.anna, (f"<{DESK}>",), None, "reg", self.cseq, (), f"<sip:1001@{ADDRESS}>")
        request.headers.set("Via", self.anna.last("REGISTER").headers.get("Via") or "")
        return request

    def test_minute_of_the_operator(self) -> None:
        """
        The limits are the operator's.
        """
        self.exchange.registrar._settings = RegistrarSettings(default=600, shortest=10, longest=900)
        self.assertEqual(self.register(f"<{DESK}>", expires=10).status, 200)
        self.assertEqual(self.register(f"<{DESK}>").contacts[0].param("expires"), "600")
        self.assertEqual(self.register(f"<{DESK}>", expires=1000).contacts[0].param("expires"), "900")


class NatTests(RegistrarCase):
    """
    Phones behind an address translation.
    """

    def test_expires_at_most_two_minutes(self) -> None:
        """
        A UDP phone whose Contact names another address than it speaks from is given 120 s.
        """
        answer = self.register("<sip:1001@192.168.0.5:5060>", expires=3600)
        self.assertEqual(answer.contacts[0].param("expires"), "120")
        self.assertTrue(self.exchange.location.bindings("1001")[0].nat)

    def test_less_stays_less(self) -> None:
        """
        Less than that is left as it is.
        """
        answer = self.register("<sip:1001@192.168.0.5:5060>", expires=90)
        self.assertEqual(answer.contacts[0].param("expires"), "90")

    def test_another_port(self) -> None:
        """
        A Contact with another port than the packets come from is behind NAT too.
        """
        self.register("<sip:1001@10.0.1.1:1024>", expires=3600)
        self.assertTrue(self.exchange.location.bindings("1001")[0].nat)

    def test_no_nat(self) -> None:
        """
        A phone that names the address it speaks from is not.
        """
        self.register(f"<{DESK}>", expires=3600)
        self.assertFalse(self.exchange.location.bindings("1001")[0].nat)

    def test_flow_of_the_register(self) -> None:
        """
        What is sent to the phone goes to where its REGISTER came from, with the Contact as Request-URI.
        """
        self.register("<sip:1001@192.168.0.5:9999>")
        bert = Phone(self.network, "1002", "10.0.7.7")
        bert.register()
        bert.call("1001")
        (rung,) = self.anna.requests("INVITE")
        self.assertEqual(rung.uri, "sip:1001@192.168.0.5:9999")
        self.anna.reply(rung, 486)
