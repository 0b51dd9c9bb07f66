"""
Tests for :mod:`pbx.transaction.client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from pbx.transaction.client import TRANSITIONS, NonInviteClientTransaction, State
from pbx.transaction.effects import PassUp, Send, Terminated, TimedOut, TransportFailed
from pbx.transaction.timers import Timers
from tests.transaction.playbook import Playbook, check_table, request, response

if TYPE_CHECKING:
    from pbx.transaction.effects import Effect

STEPS = {
    "1xx": ["100", "183"],
    "final": ["200", "302", "401", "503", "603"],
    **{event: [event] for event in ("E", "F", "K", "N", "error")},
}

ARROWS = """
trying      E      send start-E                       trying
trying      F      timed-out terminated               terminated
trying      N      timed-out terminated               terminated
trying      1xx    stop-N pass                        proceeding
trying      final  stop-E stop-F stop-N start-K pass  completed
trying      error  failed terminated                  terminated
proceeding  E      send start-E                       proceeding
proceeding  F      timed-out terminated               terminated
proceeding  1xx    pass                               proceeding
proceeding  final  stop-E stop-F stop-N start-K pass  completed
proceeding  error  failed terminated                  terminated
completed   K      terminated                         terminated
"""


class NonInviteClientTests(SynchronousTestCase):
    """
    The machine in its playbook.
    """

    def setUp(self) -> None:
        self.bye = request("BYE")
        self.begin()

    def begin(self, reliable: bool = False, no_response: float | None = None) -> None:
        """
        Begin a new one.
        """
        self.machine = NonInviteClientTransaction(self.bye, Timers(), reliable, no_response)
        self.book = Playbook(self.machine)
        self.book.do(self.machine.start())

    def tearDown(self) -> None:
        self.assertEqual(self.book.clock.getDelayedCalls(), [])

    def sent_at(self, seconds: int) -> list[float]:
        """
        Wait, and tell when something happened.
        """
        at = [self.book.clock.seconds()] * len(self.book.take())
        for _ in range(seconds * 4):
            self.book.wait(0.25)
            at += [self.book.clock.seconds()] * len(self.book.take())
        return at

    def test_resends_up_to_every_four_seconds(self) -> None:
        """
        With no answer the request is sent at 0, 0.5, 1.5, 3.5, then every 4 s, and given up after 64*T1.
        """
        self.assertEqual(self.sent_at(33), [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, 32, 32])

    def test_timed_out(self) -> None:
        """
        The user learns that no answer came, once.
        """
        self.book.wait(33)
        self.assertEqual(self.book.take(), [Send(self.bye.to_bytes())] * 11 + [TimedOut(), Terminated()])

    def test_provisional_slows_the_resending(self) -> None:
        """
        After a provisional response the request is sent every 4 s, and still given up after 64*T1.
        """
        trying = response(100, method="BYE")
        self.book.take()
        self.book.do(self.machine.received(trying))
        self.assertEqual(self.book.take(), [PassUp(trying)])
        self.assertEqual(self.sent_at(33), [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5, 32, 32])

    def test_final_answer_is_heard_once(self) -> None:
        """
        Copies of the final response are absorbed for T4.
        """
        self.book.take()
        ok = response(200, method="BYE")
        self.book.do(self.machine.received(ok))
        self.book.do(self.machine.received(response(200, method="BYE")))
        self.assertEqual(self.book.take(), [PassUp(ok)])
        self.book.wait(4.9)
        self.assertIs(self.machine.state, State.COMPLETED)
        self.book.wait(0.2)
        self.assertEqual(self.book.take(), [Terminated()])

    def test_reliable_transport(self) -> None:
        """
        Over TCP nothing is resent, and the final response ends the transaction at once.
        """
        self.book.wait(33)
        self.begin(reliable=True)
        self.assertEqual(self.sent_at(10), [0])
        ok = response(200, method="BYE")
        self.book.do(self.machine.received(ok))
        self.assertEqual(self.book.take(), [PassUp(ok), Terminated()])
        self.assertIs(self.machine.state, State.TERMINATED)

    def test_no_response(self) -> None:
        """
        A peer that has said nothing at all for the user's own time is given up.
        """
        self.book.wait(33)
        self.begin(no_response=4)
        self.book.wait(4)
        self.assertEqual(self.book.take(), [Send(self.bye.to_bytes())] * 4 + [TimedOut(), Terminated()])

    def test_any_response_ends_the_wait_for_one(self) -> None:
        """
        A provisional response leaves the request to timer F.
        """
        self.book.wait(33)
        self.begin(no_response=4)
        self.book.do(self.machine.received(response(100, method="BYE")))
        self.book.wait(31)
        self.assertIs(self.machine.state, State.PROCEEDING)
        self.book.wait(1)
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


def play(state: State, step: str) -> tuple[NonInviteClientTransaction, list[Effect]]:
    """
    A machine in ``state`` after ``step``, with what it wants done.
    """
    machine = NonInviteClientTransaction(request("BYE"), Timers())
    machine.state = state
    if step.isdigit():
        return machine, machine.received(response(int(step), method="BYE"))
    if step == "error":
        return machine, machine.transport_failed()
    return machine, machine.timer_fired(step)
