"""
Tests for :mod:`pbx.features.mwi`: message lamps, of phones that asked and of phones that did not.
"""

from __future__ import annotations

from attrs import frozen

from pbx.sip.message import Request
from pbx.sip.message_summary import MessageSummary
from tests.calls.phone import Phone
from tests.features.lamps import Lamp, LampCase

MWI = "message-summary"


@frozen
class Box:
    """
    A mailbox, as far as lamps are concerned.
    """

    number: str
    owners: tuple[str, ...] = ()

    @property
    def watchers(self) -> tuple[str, ...]:
        """
        Whose it is.
        """
        return self.owners or (self.number,)


class MwiTests(LampCase):
    """
    The message lamps of 1002 and of others.
    """

    def notices(self, phone: Phone) -> list[tuple[int, int]]:
        """
        What a phone was told without a subscription: new and old messages.
        """
        found = [MessageSummary.parse(request.body) for request in phone.requests("NOTIFY")]
        return [(summary.new, summary.old) for summary in found]

    def polite(self, number: str) -> Phone:
        """
        A phone that answers each NOTIFY.
        """
        phone: Phone = self.phone(number)

        def answer(request: Request) -> None:
            if request.method == "NOTIFY":
                phone.answer(request, 200)

        phone.on_request = answer
        return phone

    def test_subscribed(self) -> None:
        """
        A phone that subscribed is told at once and on every change, and not otherwise.
        """
        phone = self.phone("1002")
        lamp = Lamp(phone, "1002", MWI)
        self.assertEqual(MessageSummary.parse(lamp.last.body), MessageSummary(0, 0, 0, 0, "sip:1002@10.0.0.1"))
        self.wait(1)
        self.mwi.counted(Box("1002"), 2, 1, 1)
        self.wait(1)
        self.assertEqual(
            lamp.last.body,
            b"Messages-Waiting: yes\r\nMessage-Account: sip:1002@10.0.0.1\r\nVoice-Message: 2/1 (1/0)\r\n",
        )
        self.assertEqual(lamp.last.headers.get("Content-Type"), "application/simple-message-summary")
        phone.register()
        self.wait(2)
        self.assertEqual((len(lamp.notified), len(phone.requests("NOTIFY"))), (2, 2))

    def test_which_lamp(self) -> None:
        """
        The number that messages are heard by means the phone's own lamp, another's is forbidden.
        """
        phone = self.phone("1002")
        self.mwi.counted(Box("1002"), 1, 0)
        self.mwi.counted(Box("1003"), 5, 0)
        for number in ("*97", "1002"):
            lamp = Lamp(phone, number, MWI)
            self.assertEqual(MessageSummary.parse(lamp.last.body).new, 1)
        self.assertEqual(Lamp(phone, "1003", MWI).answer.status, 403)

    def test_unasked(self) -> None:
        """
        All phones that did not subscribe are told after they register and on change, once each, outside a dialog.
        """
        one, two = self.polite("1002"), self.polite("1002")
        self.mwi.counted(Box("1002"), 1, 0)
        self.wait(1)
        self.assertEqual((self.notices(one), self.notices(two)), ([(1, 0)], [(1, 0)]))
        request = one.requests("NOTIFY")[0]
        self.assertEqual((request.to_tag, request.headers.get("Event")), (None, MWI))
        self.assertEqual(request.uri, one.contact)
        one.register()
        self.wait(1)
        self.assertEqual(len(one.requests("NOTIFY")), 1)
        for new in (2, 3, 0):
            self.mwi.counted(Box("1002"), new, 0)
        self.wait(1)
        self.assertEqual(self.notices(two), [(1, 0), (0, 0)])
        later = self.polite("1002")
        self.wait(1)
        self.assertEqual(self.notices(later), [(0, 0)])

    def test_after_the_answer(self) -> None:
        """
        The answer to its REGISTER comes first.
        """
        self.mwi.counted(Box("1002"), 1, 0)
        phone = self.phone("1002", register=False)
        phone.register()
        self.assertEqual(phone.requests("NOTIFY"), [])
        self.wait(1)
        self.assertEqual(self.notices(phone)[0], (1, 0))

    def test_nothing_to_tell(self) -> None:
        """
        Phones without a mailbox are told nothing when they register.
        """
        phone = self.phone("1002")
        self.wait(5)
        self.assertEqual(phone.requests("NOTIFY"), [])

    def test_started_anew(self) -> None:
        """
        A phone that unregisters and comes back is told again.
        """
        phone = self.polite("1002")
        self.mwi.counted(Box("1002"), 1, 0)
        self.wait(1)
        phone.register(expires=0)
        phone.register()
        self.wait(1)
        self.assertEqual(self.notices(phone), [(1, 0), (1, 0)])

    def test_shared(self) -> None:
        """
        A shared mailbox adds to the lamps of those whose it is, and may be watched on its own.
        """
        phone = self.phone("1002")
        lamp = Lamp(phone, "1002", MWI)
        self.mwi.counted(Box("1002"), 1, 0)
        self.mwi.counted(Box("600", ("1002", "1003")), 2, 3)
        self.wait(2)
        self.assertEqual(MessageSummary.parse(lamp.last.body), MessageSummary(3, 3, account="sip:1002@10.0.0.1"))
        own = Lamp(phone, "600", MWI)
        self.assertEqual(MessageSummary.parse(own.last.body).new, 2)
        self.assertEqual(Lamp(self.phone("1004"), "600", MWI).answer.status, 403)
        self.mwi.counted(Box("600", ("1003",)), 2, 3)
        self.wait(2)
        self.assertEqual(MessageSummary.parse(lamp.last.body).new, 1)
        self.assertEqual(self.mwi.summary("1003").new, 2)
        self.assertEqual((own.state.state, own.state.reason), ("terminated", "rejected"))
