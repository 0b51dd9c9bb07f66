"""
Tests for :mod:`pbx.dialog.exchange`, and for the session's way over a connection that has ended.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from pbx.dialog.exchange import MOST_BREAKS, Bye, Exchange
from pbx.dialog.user import OfferRefused, State
from pbx.transaction.user import IClientUser
from pbx.transport.resolver import Target
from tests.dialog.stage import ANSWER, OFFER, StageCase
from tests.transaction.link import Wire


class ExchangeTests(StageCase):
    """
    One request within a dialog.
    """

    def test_interfaces(self) -> None:
        """
        Both waits are users of a client transaction.
        """
        session = self.answered()
        self.assertTrue(verifyObject(IClientUser, Bye(session, ())))
        self.assertTrue(verifyObject(IClientUser, Exchange(session, "INFO", (), b"", Deferred())))
        self.end()

    def test_offers(self) -> None:
        """
        INVITE always is an offer's exchange, UPDATE with a body (RFC 3311 5.1).
        """
        session = self.answered()
        for method, body, offers in (("INVITE", b"", True), ("UPDATE", b"x", True), ("UPDATE", b"", False),
                                     ("OPTIONS", b"", False)):
            self.assertEqual(Exchange(session, method, (), body, Deferred()).offers, offers)
        self.end()

    def test_target_of_no_use(self) -> None:
        """
        A 2xx whose Contact can't be read is acknowledged all the same, at the old target.
        """
        self.answered()
        for method in ("INVITE", "UPDATE"):
            done = self.session.exchange(method, (), OFFER)
            (request,) = self.took()
            self.respond(200, to=request, contact="<sip:")
            self.assertEqual(self.short(), ["ACK"] if method == "INVITE" else [])
            self.assertEqual(self.successResultOf(done).status, 200)
            self.assertEqual(self.session.dialog.remote_target, "sip:1002@192.0.2.2:5060")
        self.end()

    def test_target_of_other_methods(self) -> None:
        """
        Only INVITE and UPDATE refresh the target (RFC 3261 12.2, RFC 3311 5.1).
        """
        self.answered()
        done = self.session.exchange("INFO")
        self.respond(200, to=self.took()[0], contact="<sip:evil@192.0.2.66>")
        self.successResultOf(done)
        self.assertEqual(self.session.dialog.remote_target, "sip:1002@192.0.2.2:5060")
        self.end()

    def test_leaves_no_timer(self) -> None:
        """
        A re-INVITE that is answered leaves no timer of its own.
        """
        self.answered()
        before = len(self.stage.clock.getDelayedCalls())
        done = self.session.exchange("INVITE", (), OFFER)
        self.respond(200, to=self.took()[0], body=ANSWER)
        self.successResultOf(done)
        self.assertEqual(len(self.stage.clock.getDelayedCalls()), before)
        self.end()

    def test_timeout(self) -> None:
        """
        Whoever can't wait so long says so.
        """
        self.answered()
        done = self.session.exchange("OPTIONS", timeout=5)
        self.stage.wait(5.2)
        self.assertEqual(self.successResultOf(done), 408)
        self.end()


class ClosedFlowTests(StageCase):
    """
    A connection that has ended within a call.
    """

    def setUp(self) -> None:
        super().setUp()
        self.flow = Wire(transport="TCP")

    def up(self, contact: str = "<sip:1002@192.0.2.2:5062;transport=tcp>") -> Wire:
        """
        A session over TCP whose connection then closes.
        """
        self.accepted(contact=contact, headers=(("Allow", "INVITE, UPDATE"),))
        self.leg.take()
        self.flow.close()
        return self.flow

    def reopened(self) -> tuple[Target, Any]:
        """
        The new connection.
        """
        ((target, wire),) = self.stage.opened
        return target, wire

    def test_request_over_a_new_one(self) -> None:
        """
        A request goes to the peer's Contact over a new connection, and so does what follows.
        """
        self.up()
        done = self.session.exchange("UPDATE")
        target, wire = self.reopened()
        self.assertEqual((target.transport, target.host, target.port), ("TCP", "192.0.2.2", 5062))
        (request,) = wire.take()
        self.assertEqual(request.method, "UPDATE")
        self.respond(200, to=request, flow=wire)
        self.assertEqual(self.successResultOf(done).status, 200)
        self.session.hang_up()
        (bye,) = wire.take()
        self.respond(200, to=bye, flow=wire)
        self.assertEqual(len(self.stage.opened), 1)

    def test_route_and_default_port(self) -> None:
        """
        With a route set the first router is connected to, at its default port.
        """
        self.accepted(headers=(("Record-Route", "<sip:192.0.2.2;lr>"),), contact="<sip:x@10.9.9.9>")
        self.flow.close()
        self.session.hang_up()
        target, wire = self.reopened()
        self.assertEqual(target.port, 5060)
        self.respond(200, to=wire.take()[0], flow=wire)

    def test_bye_over_a_new_one(self) -> None:
        """
        So does a BYE.
        """
        self.up()
        self.session.hang_up()
        _, wire = self.reopened()
        (bye,) = wire.take()
        self.assertEqual(bye.method, "BYE")
        self.respond(200, to=bye, flow=wire)
        self.assertEqual(self.core.dialogs, {})

    def test_refresh_over_a_new_one(self) -> None:
        """
        So does a refresh; the call goes on.
        """
        self.up()
        self.stage.leap(900)
        _, wire = self.reopened()
        self.respond(200, to=wire.take()[0], flow=wire)
        self.assertIs(self.session.state, State.UP)
        self.flow = wire
        self.end()

    def test_peer_cannot_be_reached(self) -> None:
        """
        Where nobody listens, or the Contact is not the address it spoke from, the call ends.
        """
        for contact, reachable in (("<sip:1002@192.0.2.2:5062>", False), ("<sip:1002@10.0.0.2:5062>", True),
                                   ("<sip:1002@phone.example>", True)):
            self.flow = Wire(transport="TCP")
            self.stage.reachable = reachable
            self.up(contact)
            self.stage.leap(900)
            self.stage.wait(1)
            self.assertEqual(self.leg.take(), [("ended", False, 102, "Session refresh failed with 503")])
            self.assertEqual((self.stage.opened, self.core.dialogs), ([], {}))

    def test_offer_without_a_way(self) -> None:
        """
        An offer is refused with 503, and the call goes on as it was.
        """
        self.up("<sip:1002@10.0.0.2>")
        offer = Deferred.fromCoroutine(self.session.offer(lambda: OFFER))
        self.assertEqual(self.failureResultOf(offer, OfferRefused).value.status, 503)
        self.assertEqual((self.leg.names(), self.session.state), ([], State.UP))
        self.session.forget()

    def test_ack_over_a_new_one(self) -> None:
        """
        An ACK for which the connection is gone goes over a new one, or is left out.
        """
        for reachable in (True, False):
            self.stage.opened.clear()
            self.flow = Wire(transport="TCP")
            self.answered(flow=self.flow)
            self.stage.reachable = reachable
            self.session.dialog.flow.close()  # type: ignore[attr-defined]
            self.respond(200, body=ANSWER)
            if reachable:
                _, wire = self.reopened()
                self.assertEqual([m.method for m in wire.take()], ["ACK"])
                self.flow = wire
            self.session.hang_up()
            if reachable:
                self.respond(200, to=self.flow.take()[0])

    def test_broken_under_way(self) -> None:
        """
        A request whose connection breaks before the answer is sent again, with the next CSeq, but not for ever.
        """
        self.accepted(contact="<sip:1002@192.0.2.2:5062>")
        self.flow.take()
        for method in ("UPDATE", "INVITE", "BYE"):
            if method == "BYE":
                self.session.hang_up()
            else:
                done = self.session.exchange(method)
            (first,) = self.flow.take()
            self.flow.close()
            self.flow = self.stage.opened[-1][1]
            (again,) = self.flow.take()
            self.assertEqual((again.method, again.cseq.number), (method, first.cseq.number + 1))
            self.respond(200, to=again)
            if method != "BYE":
                self.assertEqual(self.successResultOf(done).status, 200)
            self.assertNotIn("patience", str(self.stage.clock.getDelayedCalls()))
            self.flow.take()
        self.assertEqual(self.core.dialogs, {})

    def test_broken_again_and_again(self) -> None:
        """
        A peer whose connections all break is given up.
        """
        for method in ("UPDATE", "BYE"):
            self.flow = Wire(transport="TCP")
            self.accepted(contact="<sip:1002@192.0.2.2:5062>")
            done = self.session.exchange(method) if method == "UPDATE" else self.session.hang_up()
            flow = self.flow
            for _ in range(1 + MOST_BREAKS):
                flow.close()
                flow = self.stage.opened[-1][1]
            if isinstance(done, Deferred):
                self.assertEqual(self.successResultOf(done), 503)
                self.session.dialog.flow = self.flow = Wire(transport="TCP")
                self.end()
            self.assertEqual(self.core.dialogs, {})
            self.assertEqual(len(self.stage.opened), MOST_BREAKS)
            self.stage.opened.clear()

    def test_answer_over_a_new_one(self) -> None:
        """
        A 200 that waits for its ACK goes over a new connection, if there can be one.
        """
        for reachable in (True, False):
            self.stage.reachable = reachable
            self.stage.opened.clear()
            self.flow = Wire(transport="TCP")
            self.accepted(acknowledge=False, contact="<sip:1002@192.0.2.2:5062>")
            self.flow.close()
            self.stage.wait(2)
            if reachable:
                _, wire = self.reopened()
                self.assertEqual([m.status for m in wire.take()], [200, 200])
                self.flow = wire
                self.acknowledge()
                self.end()
            else:
                self.stage.wait(32)
                self.assertEqual(self.leg.take()[-1], ("ended", False, 102, "No ACK"))
            self.leg.take()

    def test_ended_while_connecting(self) -> None:
        """
        What was to be asked is not asked when the session has ended meanwhile.
        """
        connecting: list[Deferred[Any]] = []

        async def open_slowly(target: Target) -> Any:
            connecting.append(Deferred())
            return await connecting[-1]

        self.up()
        self.stage.open = open_slowly  # type: ignore[method-assign]
        done = self.session.exchange("OPTIONS")
        other = Wire(transport="TCP", remote=("192.0.2.2", 4712))
        self.within("BYE", other)
        self.assertEqual(self.successResultOf(done), 481)
        wire = Wire(transport="TCP")
        connecting[0].callback(wire)
        self.assertEqual(wire.take(), [])
