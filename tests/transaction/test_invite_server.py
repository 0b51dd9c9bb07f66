"""
Tests for :mod:`pbx.transaction.invite_server`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.effects import PassUp, Send, Terminated, TimedOut
from pbx.transaction.invite_server import TRANSITIONS, InviteServerTransaction, State
from pbx.transaction.timers import Timers
from tests.transaction.playbook import Playbook, check_table, request

if TYPE_CHECKING:
    from pbx.transaction.effects import Effect

STEPS = {
    "send-1xx": ["100", "183"],
    "send-2xx": ["200", "202"],
    "send-3-6xx": ["302", "401", "503", "603"],
    **{event: [event] for event in ("INVITE", "ACK", "challenge", "G", "H", "I", "L", "error")},
}

ARROWS = """
trying      send-1xx    send                  proceeding
trying      send-2xx    send start-L          accepted
trying      send-3-6xx  send start-H start-G  completed
trying      challenge   send start-H          completed
proceeding  INVITE      send                  proceeding
proceeding  send-1xx    send                  proceeding
proceeding  send-2xx    send start-L          accepted
proceeding  send-3-6xx  send start-H start-G  completed
proceeding  challenge   send start-H start-G  completed
proceeding  error       failed                proceeding
completed   INVITE      send                  completed
completed   ACK         stop-G stop-H start-I confirmed
completed   G           send start-G          completed
completed   H           timed-out terminated  terminated
completed   error       failed terminated     terminated
confirmed   I           terminated            terminated
accepted    ACK         pass                  accepted
accepted    send-2xx    send                  accepted
accepted    error       failed                accepted
accepted    L           terminated            terminated
"""


class InviteServerTests(SynchronousTestCase):
    """
    The machine in its playbook.
    """

    def setUp(self) -> None:
        self.invite = request()
        self.begin()

    def begin(self, reliable: bool = False) -> None:
        """
        Begin a new one.
        """
        self.machine = InviteServerTransaction(Timers(), reliable)
        self.book = Playbook(self.machine)
        self.book.do(self.machine.start(self.invite))

    def tearDown(self) -> None:
        self.assertEqual(self.book.clock.getDelayedCalls(), [])

    def test_user_hears_of_the_invite_once(self) -> None:
        """
        An INVITE that comes again is absorbed; with a provisional answer given, that is sent again.
        """
        self.book.do(self.machine.received(self.invite))
        self.book.do(self.machine.respond(180, b"ringing"))
        self.book.do(self.machine.received(self.invite))
        self.assertEqual(self.book.take(), [PassUp(self.invite), Send(b"ringing"), Send(b"ringing")])

    def test_refusal_is_resent_until_acknowledged(self) -> None:
        """
        A refusal is sent at 0, 0.5, 1.5, 3.5, then every 4 s, until its ACK.
        """
        self.book.take()
        self.book.do(self.machine.respond(486, b"busy"))
        self.book.wait(12)
        self.assertEqual(self.book.take(), [Send(b"busy")] * 6)
        self.book.do(self.machine.received(request("ACK")))
        self.book.do(self.machine.received(request("ACK")))
        self.book.wait(4.9)
        self.assertEqual(self.book.take(), [])
        self.assertIs(self.machine.state, State.CONFIRMED)
        self.book.wait(0.2)
        self.assertEqual(self.book.take(), [Terminated()])

    def test_refusal_that_is_never_acknowledged(self) -> None:
        """
        After 64*T1 without an ACK the user is told.
        """
        self.book.take()
        self.book.do(self.machine.respond(486, b"busy"))
        self.book.wait(33)
        self.assertEqual(self.book.take(), [Send(b"busy")] * 11 + [TimedOut(), Terminated()])

    def test_refusal_answers_a_retransmission_at_once(self) -> None:
        """
        An INVITE that comes again after its refusal gets the refusal.
        """
        self.book.do(self.machine.respond(486, b"busy"))
        self.book.take()
        self.book.do(self.machine.received(self.invite))
        self.assertEqual(self.book.take(), [Send(b"busy")])
        self.book.wait(33)

    def test_challenge_is_not_resent_unasked(self) -> None:
        """
        A challenge is sent once, and again only for each copy of the INVITE.
        """
        self.book.take()
        self.book.do(self.machine.challenge(b"unauthorized"))
        self.book.wait(10)
        self.assertEqual(self.book.take(), [Send(b"unauthorized")])
        self.book.do(self.machine.received(self.invite))
        self.assertEqual(self.book.take(), [Send(b"unauthorized")])
        self.book.do(self.machine.received(request("ACK")))
        self.book.wait(5)
        self.assertEqual(self.book.take(), [Terminated()])

    def test_challenge_after_trying_is_resent(self) -> None:
        """
        A peer that was sent 100 Trying no longer resends its INVITE, so the challenge must be.
        """
        self.book.do(self.machine.respond(100, b"trying"))
        self.book.take()
        self.book.do(self.machine.challenge(b"unauthorized"))
        self.book.wait(1)
        self.assertEqual(self.book.take(), [Send(b"unauthorized")] * 2)
        self.book.do(self.machine.received(request("ACK")))
        self.book.wait(5)

    def test_accepted(self) -> None:
        """
        For 64*T1 after a 2xx copies of the INVITE are absorbed, ACKs passed up, and the dialog's own copies sent.
        """
        self.book.take()
        self.book.do(self.machine.respond(200, b"ok"))
        self.book.do(self.machine.received(self.invite))
        self.book.do(self.machine.respond(200, b"ok"))
        acknowledgement = request("ACK")
        self.book.do(self.machine.received(acknowledgement))
        self.assertEqual(self.book.take(), [Send(b"ok"), Send(b"ok"), PassUp(acknowledgement)])
        self.book.wait(31.9)
        self.assertIs(self.machine.state, State.ACCEPTED)
        self.book.wait(0.2)
        self.assertEqual(self.book.take(), [Terminated()])

    def test_reliable_transport(self) -> None:
        """
        Over TCP a refusal is sent once, and its ACK ends the transaction at once.
        """
        self.begin(reliable=True)
        self.book.do(self.machine.respond(486, b"busy"))
        self.book.wait(10)
        self.book.do(self.machine.received(request("ACK")))
        self.assertEqual(self.book.take(), [PassUp(self.invite), Send(b"busy"), Terminated()])
        self.assertIs(self.machine.state, State.TERMINATED)

    def test_reliable_transport_without_ack(self) -> None:
        """
        Over TCP too the user is told when no ACK comes.
        """
        self.begin(reliable=True)
        self.book.do(self.machine.respond(486, b"busy"))
        self.book.wait(32)
        self.assertEqual(self.book.take()[-2:], [TimedOut(), Terminated()])


class TableTests(SynchronousTestCase):
    """
    Every state with every event.
    """

    def test_whole_product(self) -> None:
        """
        The machine has the arrows of the figure and no others.
        """
        # A challenge after a provisional answer is a refusal like any other: that line has no row of its own.
        self.assertEqual(check_table(self, ARROWS, State, STEPS, play), len(TRANSITIONS) + 1)


def play(state: State, step: str) -> tuple[InviteServerTransaction, list[Effect]]:
    """
    A machine in ``state`` after ``step``, with what it wants done.
    """
    machine = InviteServerTransaction(Timers())
    machine.state = state
    if step.isdigit():
        return machine, machine.respond(int(step), b"answer")
    if step == "challenge":
        return machine, machine.challenge(b"answer")
    if step in ("INVITE", "ACK"):
        return machine, machine.received(request(step))
    if step == "error":
        return machine, machine.transport_failed()
    return machine, machine.timer_fired(step)
