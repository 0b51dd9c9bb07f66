"""
What an ended call over a trunk leaves in memory: nothing that waits for the garbage collector.
"""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

from tests.calls.test_trunk_calls import DiallingCase


class TrunkMemoryTests(DiallingCase):
    """
    A call's objects go with it.
    """

    def setUp(self) -> None:
        """
        Without a collector: what is in a circle stays.
        """
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)

    def known(self) -> list[Any]:
        """
        References to what the one call has.
        """
        (call,) = self.exchange.switchboard.calls.values()
        kept = [call, *call.legs, *(leg.beyond for leg in call.legs), call.journey, call.joint]
        attempt = call.journey._attempt if call.journey is not None else None
        if attempt is not None:
            kept += [attempt, *(ringing.hunt for ringing in attempt._hunting)]
        return [(type(one).__name__, ref(one)) for one in kept if one is not None]

    def assert_gone(self, known: list[Any]) -> None:
        """
        None of them is there any more.
        """
        self.network.advance(1)
        self.assertEqual([name for name, one in known if one() is not None], [])

    def test_out(self) -> None:
        """
        A call out that went over the second trunk, was answered and ended.
        """
        self.dial()
        known = self.known()
        self.a.reply(self.a.invites[0], 500)
        known += self.known()
        self.b.reply(self.b.invites[0], 200, body=self.b.sdp())
        answer = self.anna.last("INVITE")
        self.anna.acknowledge(self.invite, answer)
        known += self.known()
        self.anna.send(self.anna.within("BYE", self.invite, answer, cseq=9))
        self.assert_gone(known)

    def test_refused(self) -> None:
        """
        A call out that no trunk took.
        """
        self.dial()
        known = self.known()
        self.a.reply(self.a.invites[0], 500)
        self.b.reply(self.b.invites[0], 486)
        self.anna.acknowledge_refusal(self.invite, self.anna.last("INVITE"))
        self.assert_gone(known)

    def test_in(self) -> None:
        """
        A call in that was answered and ended.
        """
        self.anna = self.phone("1001")
        invite = self.a.offer_call()
        known = self.known()
        rung = self.anna.requests("INVITE")[-1]
        answered = self.anna.reply(rung, 200, body=self.anna.sdp())
        self.a.acknowledge(invite, self.a.last("INVITE"))
        known += self.known()
        self.anna.send(self.anna.within_received("BYE", rung, answered))
        self.assert_gone(known)
