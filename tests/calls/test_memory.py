"""
What an ended call leaves in memory: nothing that waits for the garbage collector.
"""

from __future__ import annotations

import gc
from weakref import ref

from tests.calls.case import Conversation, ExchangeCase
from tests.calls.phone import Phone


class MemoryTests(ExchangeCase):
    """
    A call's objects go with it, while its transactions still wait for late messages.
    """

    def setUp(self) -> None:
        """
        Without a collector: what is in a circle stays.
        """
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)

    def gone(self, caller: Phone, callee: Phone, *, by: Phone) -> None:
        """
        A call is made and ended; at once there is none of its objects any more.
        """
        talk = Conversation(caller, callee)
        (call,) = self.exchange.switchboard.calls.values()
        audios = [leg.audio for leg in call.legs]
        kept = [call, *call.legs, *audios, *(audio.session for audio in audios if audio is not None), call.joint]
        kept += [leg.session for leg in call.legs]
        known = [(type(one).__name__, ref(one)) for one in kept if one is not None]
        self.assertEqual(len(known), 10)
        del call, audios, kept
        talk.hang_up(by)
        self.network.advance(1)
        left = sorted(name for name, one in known if one() is not None)
        # The session that the INVITE made that we sent: its 2xx may come again, and wants its ACK.
        self.assertEqual(left, ["Session"])
        self.network.advance(40)
        self.assertEqual([name for name, one in known if one() is not None], [])

    def test_ended_by_the_caller(self) -> None:
        """
        The caller hangs up: the call is gone.
        """
        caller, callee = self.pair()
        self.gone(caller, callee, by=caller)

    def test_ended_by_the_callee(self) -> None:
        """
        The callee hangs up: the call is gone.
        """
        caller, callee = self.pair()
        self.gone(caller, callee, by=callee)

    def test_refused(self) -> None:
        """
        The callee refuses: the call is gone.
        """
        caller, callee = self.pair()
        invite = caller.call("1002")
        (call,) = self.exchange.switchboard.calls.values()
        known = [ref(call), *(ref(leg) for leg in call.legs)]
        del call
        callee.reply(callee.requests("INVITE")[-1], 486)
        caller.acknowledge_refusal(invite, caller.last("INVITE"))
        self.network.advance(1)
        self.assertEqual([one() for one in known], [None, None, None])
