"""
Tests for :mod:`pbx.transaction.invite_client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.effects import Cancel, PassUp, Send, Terminated, TimedOut, TransportFailed
from pbx.transaction.hop_by_hop import ack
from pbx.transaction.invite_client import TRANSITIONS, InviteClientTransaction, State
from pbx.transaction.timers import Timers
from tests.transaction.playbook import Playbook, check_table, request, response

if TYPE_CHECKING:
    from pbx.transaction.effects import Effect

STEPS = {
    "1xx": ["100", "180", "199"],
    "2xx": ["200", "299"],
    "3-6xx": ["302", "486", "503", "603", "699"],
    **{event: [event] for event in ("A", "B", "D", "M", "N", "9.1", "cancel", "error")},
}

ARROWS = """
calling     A        send start-A                             calling
calling     B        timed-out terminated                     terminated
calling     N        stop-A timed-out                         cancelling
calling     1xx      stop-A stop-B stop-N pass                proceeding
calling     2xx      stop-A stop-B stop-N stop-9.1 start-M pass        accepted
calling     3-6xx    send stop-A stop-B stop-N stop-9.1 start-D pass   completed
calling     cancel   -                                        cancelling
calling     error    failed terminated                        terminated
cancelling  A        send start-A                             cancelling
cancelling  B        timed-out terminated                     terminated
cancelling  N        stop-A timed-out                         cancelling
cancelling  1xx      stop-A stop-B stop-N cancel start-9.1 pass        cancelled
cancelling  2xx      stop-A stop-B stop-N stop-9.1 start-M pass        accepted
cancelling  3-6xx    send stop-A stop-B stop-N stop-9.1 start-D pass   completed
cancelling  error    failed terminated                        terminated
proceeding  1xx      pass                                     proceeding
proceeding  2xx      stop-A stop-B stop-N stop-9.1 start-M pass        accepted
proceeding  3-6xx    send stop-A stop-B stop-N stop-9.1 start-D pass   completed
proceeding  cancel   cancel start-9.1                         cancelled
proceeding  error    failed terminated                        terminated
cancelled   1xx      pass                                     cancelled
cancelled   2xx      stop-A stop-B stop-N stop-9.1 start-M pass        accepted
cancelled   3-6xx    send stop-A stop-B stop-N stop-9.1 start-D pass   completed
cancelled   9.1      timed-out terminated                     terminated
cancelled   error    failed terminated                        terminated
completed   3-6xx    send                                     completed
completed   D        terminated                               terminated
completed   error    terminated                               terminated
accepted    2xx      pass                                     accepted
accepted    M        terminated                               terminated
"""


class InviteClientTests(SynchronousTestCase):
    """
    The machine in its playbook.
    """

    def setUp(self) -> None:
        self.invite = request()
        self.machine = InviteClientTransaction(self.invite, Timers())
        self.book = Playbook(self.machine)
        self.book.do(self.machine.start())

    def tearDown(self) -> None:
        self.assertEqual(self.book.clock.getDelayedCalls(), [])

    def reliable(self, no_response: float | None = None) -> None:
        """
        Begin again over TCP.
        """
        self.book.wait(33)
        self.machine = InviteClientTransaction(self.invite, Timers(), reliable=True, no_response=no_response)
        self.book = Playbook(self.machine)
        self.book.do(self.machine.start())

    def test_resends_twice_as_slowly_each_time(self) -> None:
        """
        With no answer the INVITE is sent at 0, 0.5, 1.5, 3.5 ... seconds and given up after 64*T1.
        """
        self.assertEqual(self.book.take(), [Send(self.invite.to_bytes())])
        at = []
        for _ in range(132):
            self.book.wait(0.25)
            at += [self.book.clock.seconds()] * len(self.book.take())
        self.assertEqual(at, [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32.0, 32.0])

    def test_timed_out(self) -> None:
        """
        The user learns that no answer came, once.
        """
        self.book.wait(33)
        self.assertEqual(self.book.take(), [Send(self.invite.to_bytes())] * 7 + [TimedOut(), Terminated()])

    def test_provisional_ends_the_resending(self) -> None:
        """
        After a provisional response the INVITE waits for ever, and every 1xx reaches the user.
        """
        trying, ringing = response(100), response(180)
        self.book.take()
        self.book.do(self.machine.received(trying))
        self.book.do(self.machine.received(ringing))
        self.book.wait(600)
        self.assertEqual(self.book.take(), [PassUp(trying), PassUp(ringing)])

    def test_every_accepting_answer_reaches_the_user(self) -> None:
        """
        Two phones behind a fork both answer: both 2xx are passed up, until M has run out.
        """
        self.book.take()
        answers = [response(200, "a"), response(200, "b")]
        for answer in answers:
            self.book.do(self.machine.received(answer))
        self.book.do(self.machine.received(response(486)))
        self.assertEqual(self.book.take(), [PassUp(answer) for answer in answers])
        self.book.wait(31.9)
        self.assertIs(self.machine.state, State.ACCEPTED)
        self.book.wait(0.2)
        self.assertEqual(self.book.take(), [Terminated()])

    def test_acknowledges_a_refusal_and_its_copies(self) -> None:
        """
        The user hears of a refusal once; each copy of it gets the same ACK for 64*T1.
        """
        self.book.take()
        refusal = response(486)
        acknowledgement = Send(ack(self.invite, refusal).to_bytes())
        self.book.do(self.machine.received(refusal))
        self.book.do(self.machine.received(response(486)))
        self.assertEqual(self.book.take(), [acknowledgement, PassUp(refusal), acknowledgement])
        self.book.wait(32)
        self.assertEqual(self.book.take(), [Terminated()])

    def test_cancel_waits_for_a_provisional(self) -> None:
        """
        A CANCEL asked for early is sent when the first 1xx has come; meanwhile the INVITE goes on being sent.
        """
        self.book.do(self.machine.cancelled())
        self.book.wait(0.6)
        self.assertEqual(self.book.take(), [Send(self.invite.to_bytes())] * 2)
        ringing, refusal = response(180), response(487)
        self.book.do(self.machine.received(ringing))
        self.assertEqual(self.book.take(), [Cancel(), PassUp(ringing)])
        self.book.do(self.machine.cancelled())
        self.book.do(self.machine.received(refusal))
        self.assertEqual(self.book.take(), [Send(ack(self.invite, refusal).to_bytes()), PassUp(refusal)])
        self.book.wait(32)

    def test_cancel_that_nobody_answers(self) -> None:
        """
        64*T1 after the CANCEL an INVITE without final answer counts as over.
        """
        self.book.do(self.machine.received(response(180)))
        self.book.take()
        self.book.do(self.machine.cancelled())
        self.book.wait(31.9)
        self.assertEqual(self.book.take(), [Cancel()])
        self.book.wait(0.2)
        self.assertEqual(self.book.take(), [TimedOut(), Terminated()])

    def test_cancel_after_the_answer_does_nothing(self) -> None:
        """
        A final response came first: there is nothing to cancel.
        """
        self.book.do(self.machine.received(response(200)))
        self.book.take()
        self.assertEqual(self.machine.cancelled(), [])
        self.book.wait(32)

    def test_no_response(self) -> None:
        """
        A peer that has said nothing at all for the user's own time is reported, and not written to again.
        """
        self.book.wait(33)
        self.machine = InviteClientTransaction(self.invite, Timers(), no_response=4)
        self.book = Playbook(self.machine)
        self.book.do(self.machine.start())
        self.book.wait(4)
        self.assertEqual(self.book.take(), [Send(self.invite.to_bytes())] * 4 + [TimedOut()])
        self.book.wait(20)
        self.assertEqual(self.book.take(), [])
        # It rings after all: it is told to stop.
        late = response(180)
        self.book.do(self.machine.received(late))
        self.assertEqual(self.book.take(), [Cancel(), PassUp(late)])
        self.book.wait(32)

    def test_any_response_ends_the_wait_for_one(self) -> None:
        """
        A 100 Trying is a response.
        """
        self.reliable(no_response=4)
        self.book.do(self.machine.received(response(100)))
        self.book.take()
        self.book.wait(60)
        self.assertEqual(self.book.take(), [])

    def test_reliable_transport(self) -> None:
        """
        Over TCP nothing is resent, and a refusal ends the transaction at once.
        """
        self.reliable()
        self.book.wait(10)
        self.assertEqual(self.book.take(), [Send(self.invite.to_bytes())])
        refusal = response(404)
        self.book.do(self.machine.received(refusal))
        self.assertEqual(self.book.take(), [Send(ack(self.invite, refusal).to_bytes()), PassUp(refusal), Terminated()])
        self.assertIs(self.machine.state, State.TERMINATED)

    def test_transport_failed(self) -> None:
        """
        A closed flow is reported while an answer is awaited.
        """
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


def play(state: State, step: str) -> tuple[InviteClientTransaction, list[Effect]]:
    """
    A machine in ``state`` after ``step``, with what it wants done.
    """
    machine = InviteClientTransaction(request(), Timers())
    machine.state = state
    if step.isdigit() and len(step) == 3:
        return machine, machine.received(response(int(step)))
    if step == "cancel":
        return machine, machine.cancelled()
    if step == "error":
        return machine, machine.transport_failed()
    return machine, machine.timer_fired(step)


class ReliableTableTests(SynchronousTestCase):
    """
    Every state with every event, over a reliable transport.
    """

    def test_refusal_is_the_only_difference(self) -> None:
        """
        A refusal ends the transaction in the same step, from wherever it may come.
        """
        for state in (State.CALLING, State.CANCELLING, State.PROCEEDING, State.CANCELLED):
            machine = InviteClientTransaction(request(), Timers(), reliable=True)
            machine.state = state
            machine.received(response(500))
            self.assertIs(machine.state, State.TERMINATED)
