"""
Phones that do anything at any time over a bad network: whatever they do, in the end nothing is left.
"""

from __future__ import annotations

import random

from pbx.sip.message import ParseError, Request, Response
from tests.calls.case import ExchangeCase
from tests.calls.phone import EVENTS, PCMA, PCMU, Phone
from tests.calls.stream_phone import StreamPhone

STATUSES = (100, 180, 180, 183, 199, 200, 200, 200, 200, 302, 401, 404, 408, 480, 486, 488, 491, 500, 503, 600, 603)
EXPECTED = ("media lost", "can't be used", "of no use")
"""What may be logged about such phones at warning and above."""

METHODS = ("BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK", "ACK", "NOTIFY", "REFER")


class Monkey:
    """
    Makes phones act by chance, out of what they have sent and received.
    """

    def __init__(self, phones: list[Phone], seed: int) -> None:
        self.phones = phones
        self.chance = random.Random(seed)  # noqa: S311  # chance, no secret
        self.sent: dict[Phone, list[Request]] = {phone: [] for phone in phones}
        for phone in phones:
            phone.on_response = lambda response, phone=phone: self.answered(phone, response)
            phone.on_request = lambda request, phone=phone: self.requested(phone, request)

    def requested(self, phone: Phone, request: Request) -> None:
        """
        Say at once that an INVITE has come, mostly; answer it now and then.
        """
        if request.method == "INVITE" and self.chance.random() < 0.8:
            phone.answer(request, self.chance.choice((100, 100, 180)), tag="one")
            if self.chance.random() < 0.3:
                phone.answer(request, 200, body=phone.sdp(), tag="one")

    def answered(self, phone: Phone, response: Response) -> None:
        """
        Acknowledge a refusal and try again with credentials, mostly.
        """
        if response.cseq.method != "INVITE" or response.status < 200 or self.chance.random() < 0.1:
            return
        if response.status < 300:
            self.acknowledge(phone)
            return
        for invite in self.sent[phone]:
            if (invite.call_id, invite.cseq.number) == (response.call_id, response.cseq.number):
                phone.send(phone.refusal_ack(invite, response))
                if response.status == 401:
                    self.send(phone, phone.credentials(invite, response))
                return

    def send(self, phone: Phone, request: Request) -> None:
        """
        Send and remember a request.
        """
        if request.method == "INVITE":
            self.sent[phone].append(request)
        phone.send(request)

    def act(self) -> None:
        """
        One phone does one thing.
        """
        phone = self.chance.choice(self.phones)
        self.chance.choice((self.dial, self.reply, self.reply, self.reply, self.acknowledge, self.within, self.cancel,
                            self.repeat))(phone)

    def body(self, phone: Phone) -> bytes:
        """
        A description, or none, or nonsense.
        """
        return self.chance.choice((
            phone.sdp(), phone.sdp(), phone.sdp(), phone.sdp(formats=(PCMA,)), phone.sdp(formats=(PCMU, EVENTS)), b"",
            phone.sdp(direction="sendonly"), phone.sdp(direction="inactive"), phone.sdp(formats=((96, "x/8000"),)),
            b"v=0\r\nnonsense\r\n", phone.sdp(connection="0.0.0.0", version=3),  # noqa: S104
        ))

    def headers(self) -> tuple[tuple[str, str], ...]:
        """
        Extensions of SIP, used rightly or not.
        """
        return self.chance.choice((
            (), (), (), (("Require", "100rel"),), (("Supported", "100rel, timer"),),
            (("Session-Expires", "90;refresher=uac"), ("Supported", "timer")),
            (("Session-Expires", "90;refresher=uas"), ("Supported", "timer"), ("Allow", "INVITE, UPDATE")),
            (("Session-Expires", "30"), ("Supported", "timer")), (("Privacy", "id"),), (("RSeq", "0"),),
            (("Require", "100rel"), ("RSeq", str(self.chance.randrange(1, 5)))), (("RAck", "1 1 INVITE"),),
        ))

    def dial(self, phone: Phone) -> None:
        """
        Call somebody, or nobody.
        """
        number = self.chance.choice([other.number for other in self.phones] + ["7777"])
        self.send(phone, phone.request(
            "INVITE", f"sip:{number}@{phone.domain}", body=self.body(phone), headers=self.headers()
        ))

    def reply(self, phone: Phone) -> None:
        """
        Answer one of the last INVITEs with anything.
        """
        invites = phone.requests("INVITE")[-3:] + phone.requests("UPDATE")[-1:]
        if invites:
            body = self.body(phone) if self.chance.random() < 0.6 else phone.sdp()
            phone.answer(self.chance.choice(invites), self.chance.choice(STATUSES), body=body, headers=self.headers(),
                         tag=self.chance.choice(("one", "one", "two")))

    def acknowledge(self, phone: Phone) -> None:
        """
        Acknowledge what was answered 200.
        """
        for response in phone.received[-6:]:
            if isinstance(response, Response) and response.status == 200 and response.cseq.method == "INVITE":
                for invite in self.sent[phone][-3:]:
                    if invite.call_id == response.call_id:
                        body = self.body(phone) if not invite.body else b""
                        phone.send(phone.within("ACK", invite, response, cseq=response.cseq.number, body=body))

    def within(self, phone: Phone) -> None:
        """
        Send anything within a dialog.
        """
        method = self.chance.choice(METHODS)
        body = self.body(phone) if method in ("INVITE", "UPDATE", "PRACK") else b""
        number = self.chance.randrange(1, 40)
        rung = phone.requests("INVITE")[-3:]
        answers = [m for m in phone.received[-8:] if isinstance(m, Response) and m.cseq.method == "INVITE"
                   and 100 < m.status < 300]
        if answers and self.chance.random() < 0.5:
            response = self.chance.choice(answers)
            for invite in self.sent[phone]:
                if invite.call_id == response.call_id:
                    self.send(phone, phone.within(method, invite, response, cseq=number, body=body,
                                                  headers=self.headers()))
                    return
        elif rung:
            invite = self.chance.choice(rung)
            tagged = Response(200, "OK", invite.headers.copy())
            tagged.headers.set("To", f"{invite.headers.get('To')};tag={self.chance.choice(('one', 'two'))}")
            self.send(phone, phone.within_received(method, invite, tagged, cseq=number, body=body,
                                                   headers=self.headers()))

    def cancel(self, phone: Phone) -> None:
        """
        Cancel one of the last INVITEs sent.
        """
        if self.sent[phone]:
            invite = self.chance.choice(self.sent[phone][-3:])
            request = phone.refusal_ack(invite, Response(200, "OK", invite.headers.copy()))
            request.headers.set("CSeq", f"{invite.cseq.number} CANCEL")
            phone.send(Request("CANCEL", request.uri, request.headers))

    def repeat(self, phone: Phone) -> None:
        """
        Send an INVITE again.
        """
        if self.sent[phone]:
            phone.send(self.chance.choice(self.sent[phone][-3:]))


class ChaosTests(ExchangeCase):
    """
    Four extensions with five phones, one of them over TCP.
    """

    within = 0.0

    def test_nothing_is_left(self) -> None:
        """
        After hundreds of senseless acts over a network that loses, doubles and disorders, no error of our own was
        logged, every call has its record, and when the phones were switched off nothing is left in the end.
        """
        for seed in range(4):
            with self.subTest(seed=seed):
                self.chaos(seed)

    def chaos(self, seed: int) -> None:
        """
        One run.
        """
        network = self.network
        phones: list[Phone] = [
            self.phone(number, at=f"10.{seed}.9.{n + 1}") for n, number in enumerate(("1001", "1002", "1002", "1003"))
        ]
        phones.append(self.phone("1004", at=f"10.{seed}.9.9", kind=StreamPhone))
        self.exchange.records.clear()
        network.loss, network.duplication, network.jitter = 0.1, 0.1, 0.1
        monkey = Monkey(phones, seed)
        began = self.exchange.switchboard.began
        for _ in range(600):
            try:
                monkey.act()
            except ParseError as error:
                self.fail(f"we sent what can't be read: {error}")
            network.advance(monkey.chance.choice((0.0, 0.001, 0.05, 0.3, 1.0)))
        network.loss = network.duplication = network.jitter = 0.0
        for phone in phones:
            phone.on_response = phone.on_request = None
            phone.register(expires=0)
            phone.hang_silent()
        phones[-1].close()  # type: ignore[attr-defined]
        # A phone that holds is asked after a quarter of an hour.
        network.advance(900 + 32 + 33 + 33)
        self.assert_nothing_left()
        calls = self.exchange.switchboard.began - began
        self.assertGreater(calls, 20)
        self.assertEqual(len(self.exchange.records), calls)
        unexpected = [line for line in self.loud if not any(words in line for words in EXPECTED)]
        self.assertEqual(unexpected, [])
