"""
A registrar with phones that speak to it, for tests of its rules.
"""

from __future__ import annotations

from typing import Any

from pbx.sip.message import Request, Response
from tests.calls.case import ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import Phone


class RegistrarCase(ExchangeCase):
    """
    An exchange whose registrar is asked by a phone, request by request.
    """

    within = 33.0

    def setUp(self) -> None:
        """
        A phone of 1001 that has not registered.
        """
        super().setUp()
        self.anna = self.phone("1001", register=False)
        self.cseq = 0

    def register(
        self,
        *contacts: str,
        phone: Phone | None = None,
        expires: int | None = None,
        call_id: str = "reg",
        cseq: int | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        to: str = f"<sip:1001@{ADDRESS}>",
    ) -> Response:
        """
        Send a REGISTER with these Contact values and return the answer, once it was let in.
        """
        phone = phone or self.anna
        if cseq is None:
            self.cseq += 2
            cseq = self.cseq
        request = self.made(phone, contacts, expires, call_id, cseq - 1, headers, to)
        phone.send(request)
        self.network.advance(0.01)
        challenge = phone.last("REGISTER")
        assert challenge.status == 401
        phone.send(phone.credentials(request, challenge))
        self.network.advance(0.01)
        return phone.last("REGISTER")

    def made(self, phone: Phone, contacts: tuple[str, ...], expires: int | None, call_id: str, cseq: int,
             headers: tuple[tuple[str, str], ...], to: str) -> Request:
        """
        The REGISTER.
        """
        request = phone.request("REGISTER", f"sip:{ADDRESS}", to=to, call_id=call_id, cseq=cseq)
        request.headers.remove("Contact")
        for contact in contacts:
            request.headers.add("Contact", contact)
        if expires is not None:
            request.headers.add("Expires", str(expires))
        for name, value in headers:
            request.headers.add(name, value)
        return request

    def bound(self, number: str = "1001") -> list[str]:
        """
        The Contacts that are bound, as an INVITE would find them.
        """
        return [binding.contact for binding in self.exchange.location.bindings(number)]

    def assert_bound(self, answer: Response, *contacts: str) -> None:
        """
        The registrar said 200, and exactly these Contacts are bound, answered and stored.
        """
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.bound(), list(contacts))
        self.assertEqual([str(contact.uri) for contact in answer.contacts], list(contacts))
        self.assertEqual([row["contact"] for row in self.stored()], list(contacts))

    def stored(self, number: str = "1001") -> list[dict[str, Any]]:
        """
        The rows that were given to the store.
        """
        return self.exchange.kept.bindings.get(number, [])
