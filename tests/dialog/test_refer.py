"""
Tests for :mod:`pbx.dialog.refer`, and for :mod:`pbx.dialog.subscription` within a session.
"""

from __future__ import annotations

from typing import Any

from pbx.dialog.refer import Refer
from pbx.sip.message import Request
from pbx.sip.replaces import Replaces
from tests.dialog.stage import SessionCase, refusal
from tests.transaction.link import Wire

BLIND = ("Refer-To", "<sip:1003@pbx.example>")
REPLACES = Replaces("call-9", "theirs", "ours")
STATE = "Subscription-State"
ACTIVE, OVER = "active;expires=60", "terminated;reason=noresource"


class ReferCase(SessionCase):
    """
    A session in which the peer asks for a transfer.
    """

    def refer(self, *headers: tuple[str, str], to: tuple[str, str] = BLIND) -> Refer:
        """
        A REFER of the peer's, in our hands.
        """
        self.leg.take()
        self.answer = self.within("REFER", headers=(to, *headers))
        (name, refer), = self.leg.take()
        self.assertEqual((name, self.answer), ("refer", None))
        return refer  # type: ignore[no-any-return]  # what the leg wrote down

    def notified(self, flow: Wire | None = None) -> Request:
        """
        The one NOTIFY sent since the last look.
        """
        (request,) = (flow or self.flow).take()
        self.assertEqual(request.method, "NOTIFY")
        self.assertEqual(request.headers.get("Content-Type"), "message/sipfrag;version=2.0")
        return request  # type: ignore[no-any-return]  # parsed from what was sent

    def told(self, status: int = 200) -> tuple[bytes, str | None]:
        """
        The body and state of the one NOTIFY sent since the last look, which is answered.
        """
        request = self.notified()
        self.respond(status, tag=None, to=request, contact=None)
        return request.body, request.headers.get(STATE)


class ReferTests(ReferCase):
    """
    A REFER and its NOTIFYs.
    """

    def test_progress(self) -> None:
        """
        It is 202, then 100 at once, then what comes, each in the dialog; the last one ends the subscription.
        """
        self.answered()
        refer = self.refer(("Referred-By", "<sip:1002@pbx.example>"))
        self.assertEqual((str(refer.target), refer.replaces), ("sip:1003@pbx.example", None))
        assert refer.referred_by is not None
        self.assertEqual(refer.referred_by.uri.user, "1002")
        refer.accept()
        answer, first = self.took()
        self.assertEqual((answer.status, answer.headers.get("Contact")), (202, self.session.dialog.contact))
        self.assertEqual((first.body, first.headers.get(STATE)), (b"SIP/2.0 100 Trying\r\n", ACTIVE))
        self.assertEqual((first.headers.get("Event"), first.uri), ("refer", "sip:1002@192.0.2.2:5060"))
        self.assertEqual((first.call_id, first.cseq.number), (self.session.dialog.call_id, 2))
        self.assertEqual((first.headers.get("From"), first.headers.get("To")),
                         (self.session.dialog.local, self.session.dialog.remote))
        self.respond(200, tag=None, to=first, contact=None)
        refer.progress(180)
        self.assertEqual(self.told(), (b"SIP/2.0 180 Ringing\r\n", ACTIVE))
        refer.done(486, "Busy")
        self.assertEqual(self.told(), (b"SIP/2.0 486 Busy\r\n", OVER))
        refer.progress(180)
        refer.done(200)
        self.assertEqual((self.took(), self.core.subscriptions), ([], {}))
        self.end()

    def test_one_after_the_other(self) -> None:
        """
        Each waits for the answer to the one before; copies of one are the transaction's.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        refer.progress(180)
        refer.progress(183, "Progress")
        refer.done(200)
        _, first = self.took()
        self.stage.wait(0.5)
        (again,) = self.took()
        self.assertEqual(again.to_bytes(), first.to_bytes())
        self.respond(200, tag=None, to=first, contact=None)
        self.assertEqual(self.told(), (b"SIP/2.0 180 Ringing\r\n", ACTIVE))
        self.assertEqual(self.told(), (b"SIP/2.0 183 Progress\r\n", ACTIVE))
        self.assertEqual(self.told(), (b"SIP/2.0 200 OK\r\n", OVER))
        self.end()

    def test_many_states(self) -> None:
        """
        What piles up while no answer comes is bounded; the last state is told in any case.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        for _ in range(50):
            refer.progress(180)
        refer.done(603)
        _, request = self.took()
        bodies = []
        while True:
            bodies.append(request.body)
            self.respond(200, tag=None, to=request, contact=None)
            found = self.took()
            if not found:
                break
            (request,) = found
        self.assertEqual((len(bodies), bodies[-1]), (11, b"SIP/2.0 603 Decline\r\n"))
        self.end()

    def test_attended(self) -> None:
        """
        The dialog to be replaced is told.
        """
        self.accepted()
        refer = self.refer(to=("Refer-To", f"<sip:1003@192.0.2.3?Replaces={REPLACES.escaped}>"))
        self.assertEqual((refer.replaces, str(refer.target)), (REPLACES, "sip:1003@192.0.2.3"))
        refer.refuse(403)
        self.assertEqual((self.short(), self.core.subscriptions), ([403], {}))
        self.assertRaises(ValueError, refer.accept)
        self.end()

    def test_refused(self) -> None:
        """
        Without one Refer-To it is 400, with a method of another kind 501, before the call is up 491; a user's refusal
        is as it says.
        """
        self.accepted()
        self.assertEqual(self.within("REFER").status, 400)
        self.assertEqual(self.within("REFER", headers=(("Refer-To", "<sip:1003@h;method=BYE>"),)).status, 501)
        self.leg.refer_received = self._raise  # type: ignore[method-assign]  # a user that refuses
        self.assertEqual(self.within("REFER", headers=(BLIND,)).status, 488)
        self.end()
        self.invited().provisional(180)
        assert self.incoming.session is not None
        self.session = self.incoming.session
        self.took()
        self.assertEqual(self.within("REFER", headers=(BLIND,)).status, 491)
        self.incoming.reject(486)

    @staticmethod
    def _raise(refer: Refer) -> None:
        raise refusal(488)

    def test_silent(self) -> None:
        """
        Who wants to hear no more of it (RFC 4488) is told nothing.
        """
        self.accepted()
        refer = self.refer(("Refer-Sub", "false"), ("Require", "norefersub"))
        refer.accept()
        (answer,) = self.took()
        self.assertEqual((answer.status, answer.headers.get("Refer-Sub")), (202, "false"))
        refer.progress(180)
        refer.done(200)
        self.assertEqual(self.took(), [])
        self.end()

    def test_second_refer(self) -> None:
        """
        The NOTIFYs of a further REFER bear its number (RFC 3515 2.4.6).
        """
        self.accepted()
        first = self.refer()
        first.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        second = self.refer()
        second.accept()
        _, request = self.took()
        number = second.request.cseq.number
        self.assertEqual(request.headers.get("Event"), f"refer;id={number}")
        self.respond(200, tag=None, to=request, contact=None)
        first.done(487)
        self.assertEqual(self.notified_event(), "refer")
        second.done(200)
        self.assertEqual(self.notified_event(), f"refer;id={number}")
        self.end()

    def notified_event(self) -> str | None:
        """
        The Event of the one NOTIFY sent since the last look, which is answered.
        """
        request = self.notified()
        self.respond(200, tag=None, to=request, contact=None)
        return request.headers.get("Event")


class EndTests(ReferCase):
    """
    What may end meanwhile.
    """

    def test_refused_notify(self) -> None:
        """
        A peer that does not take NOTIFYs is told nothing more, and its call goes on (RFC 5057 5.1).
        """
        for status in (481, 405, 408, 489, 501):
            self.accepted()
            refer = self.refer()
            refer.accept()
            self.respond(status, tag=None, to=self.took()[1], contact=None)
            refer.progress(180)
            refer.done(200)
            self.assertEqual((self.took(), self.core.subscriptions, self.leg.take()), ([], {}, []))
            self.end()

    def test_unanswered_notify(self) -> None:
        """
        Neither does silence harm the call.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.stage.wait(33)
        self.assertEqual((self.core.subscriptions, self.leg.take()), ({}, []))
        refer.done(200)
        self.took()
        self.end()

    def test_other_refusals(self) -> None:
        """
        After any other refusal the last state is told again, after a while and not for ever.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        request = self.took()[1]
        for _ in range(3):
            self.respond(500, tag=None, to=request, contact=None, headers=(("Retry-After", "2"),))
            self.stage.wait(1.9)
            self.assertEqual(self.took(), [])
            self.stage.wait(0.2)
            request = self.notified()
            self.assertEqual(request.body, b"SIP/2.0 100 Trying\r\n")
        self.respond(500, tag=None, to=request, contact=None)
        self.stage.wait(40)
        self.assertEqual(self.took(), [])
        refer.done(200)
        self.assertEqual(self.told(500), (b"SIP/2.0 200 OK\r\n", OVER))
        self.assertEqual(self.core.subscriptions, {})
        self.end()

    def test_transferor_hangs_up(self) -> None:
        """
        BYE ends the session, and the subscription goes on in the same dialog.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        self.end()
        self.assertEqual((self.core.dialogs, len(self.core.subscriptions)), ({}, 1))
        refer.progress(180)
        self.assertEqual(self.told(), (b"SIP/2.0 180 Ringing\r\n", ACTIVE))
        self.assertEqual(self.within("INFO").status, 481)
        self.assertEqual(self.within("OPTIONS").status, 200)
        refer.done(200)
        self.assertEqual(self.told(), (b"SIP/2.0 200 OK\r\n", OVER))
        self.assertEqual(self.within("OPTIONS").status, 481)

    def test_transferor_knows_nothing_after_its_bye(self) -> None:
        """
        A peer that has forgotten the dialog with its BYE answers 481: that is the end.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        _, request = self.took()
        self.end()
        self.respond(481, tag=None, to=request, contact=None)
        refer.done(200)
        self.assertEqual((self.took(), self.core.subscriptions), ([], {}))

    def test_we_hang_up(self) -> None:
        """
        Our BYE does not come in the way of the last NOTIFY.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        refer.done(200)
        self.session.hang_up()
        request, bye = self.took()
        self.assertEqual((request.method, bye.method), ("NOTIFY", "BYE"))
        self.assertEqual(bye.cseq.number, request.cseq.number + 1)
        self.respond(200, tag=None, to=bye, contact=None)
        self.respond(200, tag=None, to=request, contact=None)
        self.assertEqual((self.core.dialogs, self.core.subscriptions), ({}, {}))

    def test_connection_lost(self) -> None:
        """
        Over a connection that has ended, and no other to be had, nothing is told.
        """
        flow = self.flow = Wire(transport="TCP")
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        self.stage.reachable = False
        flow.close()
        refer.done(200)
        self.stage.wait(1)
        self.assertEqual((self.core.subscriptions, flow.take()), ({}, []))
        self.session.forget()

    def test_another_connection(self) -> None:
        """
        It goes over the connection that the phone has by now.
        """
        flow = self.flow = Wire(transport="TCP")
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        flow.close()
        other = self.flow = self.stage.owner.way = Wire(transport="TCP")
        refer.done(200)
        self.assertEqual(self.told(), (b"SIP/2.0 200 OK\r\n", OVER))
        self.assertIs(self.session.dialog.flow, other)
        self.end()


class DurationTests(ReferCase):
    """
    How long it lasts.
    """

    def test_prolonged(self) -> None:
        """
        What takes longer than a minute is told again, and after five given up.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        refer.progress(180)
        self.told()
        for _ in range(5):
            self.stage.wait(49)
            self.assertEqual(self.took(), [])
            self.stage.wait(1.1)
            self.assertEqual(self.told(), (b"SIP/2.0 180 Ringing\r\n", ACTIVE))
        self.stage.wait(60.2)
        self.assertEqual(self.told(), (b"SIP/2.0 180 Ringing\r\n", "terminated;reason=timeout"))
        refer.done(200)
        self.assertEqual(self.took(), [])
        self.end()

    def subscribe(self, expires: str | None, event: str = "refer") -> Any:
        """
        A SUBSCRIBE within the session.
        """
        headers = (("Event", event),) if expires is None else (("Event", event), ("Expires", expires))
        return self.within("SUBSCRIBE", headers=headers)

    def test_refreshed(self) -> None:
        """
        The peer may refresh it, and is told where it stands; by its number too.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        answer = self.subscribe("600", f"refer;id={refer.request.cseq.number}")
        self.assertEqual((answer.status, answer.headers.get("Expires")), (200, "600"))
        self.assertEqual(self.told(), (b"SIP/2.0 100 Trying\r\n", "active;expires=600"))
        brief = self.subscribe("30")
        self.assertEqual((brief.status, brief.headers.get("Min-Expires")), (423, "60"))
        for event in ("dialog", "refer;id=99"):
            self.assertIn(self.subscribe("600", event).status, (200, 481))
        refer.done(200)
        self.flow.take()
        self.core.subscriptions[self.session.dialog.id][0].drop()
        self.end()

    def test_ended_by_the_peer(self) -> None:
        """
        0 seconds end it.
        """
        self.accepted()
        refer = self.refer()
        refer.accept()
        self.respond(200, tag=None, to=self.took()[1], contact=None)
        answer = self.subscribe("0")
        self.assertEqual((answer.status, answer.headers.get("Expires")), (200, "0"))
        self.assertEqual(self.told(), (b"SIP/2.0 100 Trying\r\n", "terminated;reason=timeout"))
        refer.done(200)
        self.assertEqual(self.took(), [])
        self.assertEqual(self.subscribe("60").status, 481)
        self.assertEqual(self.within("SUBSCRIBE").status, 489)
        self.end()
