"""
Tests for :mod:`pbx.transaction.server`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.effects import PassUp, Send, Terminated, TransportFailed
from pbx.transaction.server import TRANSITIONS, NonInviteServerTransaction, State
from pbx.transaction.timers import Timers
from tests.transaction.playbook import Playbook, check_table, request

if TYPE_CHECKING:
    from pbx.transaction.effects import Effect

STEPS = {
    "request": ["request"],
    "send-1xx": ["100", "183"],
    "send-final": ["200", "302", "401", "503", "603"],
    "J": ["J"],
    "error": ["error"],
}

ARROWS = """
trying      send-1xx    send               proceeding
trying      send-final  send start-J       completed
proceeding  request     send               proceeding
proceeding  send-1xx    send               proceeding
proceeding  send-final  send start-J       completed
proceeding  error       failed terminated  terminated
completed   request     send               completed
completed   J           terminated         terminated
completed   error       failed terminated  terminated
"""


class NonInviteServerTests(SynchronousTestCase):
    """
    The machine in its playbook.
    """

    def setUp(self) -> None:
        self.register = request("REGISTER")
        self.begin()

    def begin(self, reliable: bool = False) -> None:
        """
        Begin a new one.
        """
        self.machine = NonInviteServerTransaction(Timers(), reliable)
        self.book = Playbook(self.machine)
        self.book.do(self.machine.start(self.register))

    def tearDown(self) -> None:
        self.assertEqual(self.book.clock.getDelayedCalls(), [])

    def test_user_hears_of_the_request_once(self) -> None:
        """
        A request that comes again before it was answered is absorbed.
        """
        self.book.do(self.machine.received(self.register))
        self.assertEqual(self.book.take(), [PassUp(self.register)])

    def test_retransmission_gets_the_latest_answer(self) -> None:
        """
        What was answered last is answered again, for 64*T1.
        """
        self.book.take()
        self.book.do(self.machine.respond(100, b"trying"))
        self.book.do(self.machine.received(self.register))
        self.book.do(self.machine.respond(200, b"ok"))
        self.book.do(self.machine.received(self.register))
        self.book.wait(31.9)
        self.book.do(self.machine.received(self.register))
        self.assertEqual(self.book.take(), [Send(b"trying"), Send(b"trying"), Send(b"ok"), Send(b"ok"), Send(b"ok")])
        self.book.wait(0.2)
        self.assertEqual(self.book.take(), [Terminated()])

    def test_answers_once(self) -> None:
        """
        After the final answer no other is sent.
        """
        self.book.do(self.machine.respond(200, b"ok"))
        self.book.take()
        self.assertEqual(self.machine.respond(500, b"error") + self.machine.respond(100, b"trying"), [])
        self.book.wait(32)

    def test_reliable_transport(self) -> None:
        """
        Over TCP the final answer ends the transaction at once.
        """
        self.begin(reliable=True)
        self.book.do(self.machine.respond(200, b"ok"))
        self.assertEqual(self.book.take(), [PassUp(self.register), Send(b"ok"), Terminated()])
        self.assertIs(self.machine.state, State.TERMINATED)

    def test_transport_failed(self) -> None:
        """
        An answer that could not be sent is reported.
        """
        self.book.do(self.machine.respond(200, b"ok"))
        self.book.take()
        self.book.do(self.machine.transport_failed())
        self.assertEqual(self.book.take(), [TransportFailed(), Terminated()])


class TableTests(SynchronousTestCase):
    """
    Every state with every event.
    """

    def test_whole_product(self) -> None:
        """
        The machine has the arrows of the figure and no others.
        """
        self.assertEqual(check_table(self, ARROWS, State, STEPS, play), len(TRANSITIONS))


def play(state: State, step: str) -> tuple[NonInviteServerTransaction, list[Effect]]:
    """
    A machine in ``state`` after ``step``, with what it wants done.
    """
    machine = NonInviteServerTransaction(Timers())
    machine.state = state
    if step.isdigit():
        return machine, machine.respond(int(step), b"answer")
    if step == "request":
        return machine, machine.received(request("REGISTER"))
    if step == "error":
        return machine, machine.transport_failed()
    return machine, machine.timer_fired(step)
