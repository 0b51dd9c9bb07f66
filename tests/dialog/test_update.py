"""
Tests for :mod:`pbx.dialog.update`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pbx.dialog.user import State
from tests.dialog.stage import SessionCase

ALL = "INVITE, ACK, BYE, UPDATE"
IDENTITY = ("P-Asserted-Identity", '"Carl" <sip:1003@pbx.example>')


class UpdateTests(SessionCase):
    """
    News for the peer.
    """

    def update(self) -> Deferred[int]:
        """
        Tell it who is there now.
        """
        return Deferred.fromCoroutine(self.session.update((IDENTITY,)))

    def sent_update(self) -> Any:
        """
        The one UPDATE that was sent.
        """
        (request,) = self.took()
        self.assertEqual((request.method, request.headers.get(IDENTITY[0])), ("UPDATE", IDENTITY[1]))
        return request

    def wait_for_it(self) -> None:
        """
        Wait for the next try, a few seconds.
        """
        self.assertEqual(self.flow.sent, [])
        for _ in range(41):
            if not self.flow.sent:
                self.stage.wait(0.1)

    def test_taken(self) -> None:
        """
        It has no body, and says nothing of a timer that there is none of; the session may make offers meanwhile.
        """
        self.answered(allow=ALL)
        self.session.timer.stop()
        self.session.timer.agreement = None
        done = self.update()
        request = self.sent_update()
        self.assertEqual((request.body, request.headers.get("Session-Expires")), (b"", None))
        self.assertFalse(self.session.busy)
        self.respond(200, tag=None, to=request)
        self.assertEqual(self.successResultOf(done), 200)
        self.end()

    def test_session_timer(self) -> None:
        """
        A timer that runs is kept by it, with who refreshes, and starts anew (RFC 4028 7.1).
        """
        self.answered(allow=ALL, headers=(("Session-Expires", "600;refresher=uac"), ("Require", "timer")))
        self.stage.wait(250)
        done = self.update()
        request = self.sent_update()
        self.assertEqual(request.headers.get("Session-Expires"), "600;refresher=uac")
        self.respond(200, tag=None, to=request, headers=(("Session-Expires", "600;refresher=uac"),))
        self.assertEqual(self.successResultOf(done), 200)
        self.stage.wait(250)
        self.assertEqual(self.took(), [])
        self.stage.wait(51)
        self.assertEqual(self.short()[0], "UPDATE")
        self.session.forget()

    def test_not_allowed(self) -> None:
        """
        A peer whose Allow lacks it gets none; one that refuses it all the same gets no second.
        """
        self.answered()
        self.assertEqual((self.successResultOf(self.update()), self.took()), (405, []))
        self.end()
        for status in (405, 501):
            self.answered(allow=ALL)
            done = self.update()
            self.respond(status, tag=None, to=self.sent_update(), contact=None)
            self.assertEqual(self.successResultOf(done), status)
            self.assertEqual((self.successResultOf(self.update()), self.took()), (405, []))
            self.assertEqual((self.session.state, self.leg.take()), (State.UP, []))
            self.end()

    def test_again(self) -> None:
        """
        491 and 500 are tried again after a while, five times in all.
        """
        for statuses, result in (((491, 500, 200), 200), ((491,) * 5, 491), ((403,), 403)):
            self.answered(allow=ALL)
            done = self.update()
            for number, status in enumerate(statuses):
                if number:
                    self.wait_for_it()
                self.respond(status, tag=None, to=self.sent_update(), contact=None)
            self.assertEqual((self.successResultOf(done), self.took()), (result, []))
            self.end()

    def test_too_small(self) -> None:
        """
        422 is answered with the interval that the peer wants.
        """
        self.answered(allow=ALL, headers=(("Session-Expires", "600;refresher=uac"), ("Require", "timer")))
        done = self.update()
        self.respond(422, tag=None, to=self.sent_update(), contact=None, headers=(("Min-SE", "900"),))
        request = self.sent_update()
        self.assertEqual(request.headers.get("Session-Expires"), "900;refresher=uac")
        self.respond(200, tag=None, to=request)
        self.assertEqual(self.successResultOf(done), 200)
        self.end()

    def test_gone(self) -> None:
        """
        481 ends the session; silence changes nothing.
        """
        self.answered(allow=ALL)
        done = self.update()
        self.respond(481, tag=None, to=self.sent_update(), contact=None)
        self.assertEqual((self.successResultOf(done), self.leg.names(), self.short()), (481, ["ended"], ["BYE"]))
        self.stage.wait(40)
        self.answered(allow=ALL)
        done = self.update()
        self.stage.wait(33)
        self.took()
        self.assertEqual((self.successResultOf(done), self.session.state), (408, State.UP))
        self.end()

    def test_ended_meanwhile(self) -> None:
        """
        When the session ends first, that is what is told, also between two tries.
        """
        self.answered(allow=ALL)
        done = self.update()
        self.took()
        self.end()
        self.assertEqual(self.successResultOf(done), 481)
        self.assertEqual(self.successResultOf(self.update()), 481)
        self.answered(allow=ALL)
        done = self.update()
        self.respond(491, tag=None, to=self.sent_update(), contact=None)
        self.end()
        self.assertEqual(self.successResultOf(done), 481)
