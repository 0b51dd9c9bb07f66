"""
Tests for :mod:`pbx.dialog.refresh`.
"""

from __future__ import annotations

from typing import Any

from pbx.dialog.refresh import MOST_TRIES, Refresher
from pbx.dialog.user import State
from pbx.sip.message import Request
from tests.dialog.stage import ANSWER, OFFER, StageCase, refusal

HALF = 900
UPDATE = "INVITE, ACK, BYE, UPDATE"


class RefreshTests(StageCase):
    """
    A session that we refresh (RFC 4028 7.4 and 10).
    """

    def due(self, seconds: float = HALF) -> Request:
        """
        The refresh that goes out half an interval later.
        """
        self.stage.leap(seconds - 1)
        self.assertEqual(self.took(), [])
        self.stage.leap(1)
        (request,) = self.took()
        assert isinstance(request, Request)
        return request

    def reply(self, status: int, to: Request, **options: Any) -> list[Any]:
        """
        Answer it; what is sent then, but for ACKs.
        """
        self.respond(status, to=to, **options)
        return [message for message in self.took() if message.method != "ACK"]

    def test_by_update(self) -> None:
        """
        Where the peer takes UPDATE it is one without a body, each half interval.
        """
        self.answered(allow=UPDATE)
        for _ in range(3):
            request = self.due()
            self.assertEqual((request.method, request.body), ("UPDATE", b""))
            self.assertEqual(request.headers.get("Session-Expires"), "1800;refresher=uac")
            self.assertEqual(request.option_tags("Supported"), ["timer"])
            self.reply(200, request, headers=(("Session-Expires", "1800;refresher=uac"),))
        self.end()

    def test_by_reinvite(self) -> None:
        """
        Else a re-INVITE with the unchanged description, whose answer is the user's.
        """
        self.answered()
        request = self.due()
        self.assertEqual((request.method, request.body), ("INVITE", OFFER))
        self.reply(200, request, body=ANSWER)
        self.assertEqual(self.leg.take(), [("answer", ANSWER)])
        self.assertEqual(self.session.timer.agreement.interval if self.session.timer.agreement else 0, 1800)
        self.end()

    def test_answer_of_no_use(self) -> None:
        """
        An answer that is of no use changes nothing.
        """
        self.answered()
        self.leg.refuses = refusal(488)
        self.reply(200, self.due(), body=ANSWER)
        self.assertIs(self.session.state, State.UP)
        self.due()
        self.end()

    def test_peer_takes_over(self) -> None:
        """
        The answer may name the other side from then on; if it does not refresh, the session ends (RFC 4028 10).
        """
        self.answered(allow=UPDATE)
        self.reply(200, self.due(), headers=(("Session-Expires", "100;refresher=uas"),))
        self.stage.wait(66)
        self.assertEqual(self.took(), [])
        self.stage.wait(2)
        (bye,) = {message.method: message for message in self.took()}.values()
        self.assertIn("102", bye.headers.get("Reason"))
        self.assertEqual(self.leg.take(), [("ended", False, 102, "Session timer expired")])

    def test_update_not_taken_after_all(self) -> None:
        """
        405 to the UPDATE: at once by re-INVITE.
        """
        for status in (405, 501, 488):
            self.answered(allow=UPDATE)
            (again,) = self.reply(status, self.due())
            self.assertEqual(again.method, "INVITE")
            self.reply(200, again, body=ANSWER)
            self.end()

    def test_refused(self) -> None:
        """
        Whoever refuses is alive: the session goes on, and is asked again in half an interval.
        """
        for status in (401, 403, 488, 603, 422):
            self.answered()
            self.assertEqual(self.reply(status, self.due()), [])
            self.assertIs(self.session.state, State.UP)
            self.reply(200, self.due(), body=ANSWER)
            self.end()

    def test_gone(self) -> None:
        """
        408 and 481 end the session.
        """
        for status in (408, 481):
            self.answered()
            (bye,) = self.reply(status, self.due())
            self.assertEqual(bye.method, "BYE")
            self.assertEqual(self.leg.take(), [("ended", False, 102, f"Session refresh failed with {status}")])
            self.reply(200, bye)

    def test_no_answer(self) -> None:
        """
        So does silence.
        """
        self.answered(allow=UPDATE)
        self.due()
        self.stage.wait(33)
        self.assertEqual(self.leg.take(), [("ended", False, 102, "Session refresh failed with 408")])

    def test_422(self) -> None:
        """
        Too small for the peer: again with what it takes, which then holds (RFC 4028 7.4).
        """
        self.answered(allow=UPDATE)
        (again,) = self.reply(422, self.due(), headers=(("Min-SE", "4000"),))
        self.assertEqual(again.headers.get("Session-Expires"), "4000;refresher=uac")
        self.assertEqual(again.headers.get("Min-SE"), "4000")
        self.reply(200, again, headers=(("Session-Expires", "4000;refresher=uac"),))
        self.assertEqual(self.due(2000).headers.get("Min-SE"), "4000")
        self.end()

    def test_glare(self) -> None:
        """
        491 is tried again a few times, then left for the next half.
        """
        self.answered()
        request = self.due()
        for _ in range(MOST_TRIES - 1):
            self.assertEqual(self.reply(491, request), [])
            self.stage.wait(4.1)
            # The last of its copies is as good as any.
            request = self.took()[-1]
        self.reply(491, request)
        self.stage.wait(5)
        self.assertEqual((self.took(), self.session.state), ([], State.UP))
        self.end()

    def test_peer_is_not_ready(self) -> None:
        """
        500 is what a peer says that is still busy with another request: it is asked again soon (RFC 3261 14.2).
        """
        self.answered(allow=UPDATE)
        self.assertEqual(self.reply(500, self.due(), headers=(("Retry-After", "1"),)), [])
        self.stage.wait(4.1)
        request = self.took()[-1]
        self.assertEqual(request.method, "UPDATE")
        self.reply(200, request)
        self.end()

    def test_ended_meanwhile(self) -> None:
        """
        A session that ends while it is refreshed is not refreshed any more.
        """
        for by in ("bye", "pause", "hang up"):
            self.answered()
            request = self.due()
            if by == "pause":
                self.reply(491, request)
            if by == "hang up":
                self.session.hang_up()
            else:
                self.end()
            self.stage.wait(70)
            self.assertEqual(self.stage.left(), {})
            self.flow.take()

    def test_missing_ack_of_the_peer(self) -> None:
        """
        A re-INVITE that refreshes waits for the ACK of the peer's last one.
        """
        self.answered()
        self.stage.leap(HALF - 1)
        self.within("INVITE", body=OFFER, headers=(("Session-Expires", "1800;refresher=uas"), ("Supported", "timer")))
        self.session.timer.start(self.session.timer.agreement, we_asked=False)  # type: ignore[arg-type]
        self.assertTrue(self.session.timer.ours)
        Refresher(self.session).due()
        self.assertEqual(self.took(), [])
        self.acknowledge_last()
        self.assertEqual(self.short(), ["INVITE"])
        self.end()

    def acknowledge_last(self) -> None:
        """
        The ACK of the peer's last INVITE.
        """
        self.within("ACK", cseq=self.cseq - 1)

    def test_nothing_to_refresh_with(self) -> None:
        """
        Without UPDATE and without a description of ours there is no refresh; the session goes on.
        """
        self.answered()
        self.session.local_sdp = None
        self.stage.leap(HALF)
        self.assertEqual((self.took(), self.session.state), ([], State.UP))
        self.end()


class HoursTests(StageCase):
    """
    Two hours of a session whose interval is the shortest.
    """

    def test_two_hours(self) -> None:
        """
        It is refreshed every 45 s, and ends when the peer wants it to.
        """
        self.answered(allow=UPDATE, headers=(("Session-Expires", "90;refresher=uac"),))
        for _ in range(160):
            self.stage.leap(45)
            (request,) = self.took()
            self.respond(200, to=request, headers=(("Session-Expires", "90;refresher=uac"),))
        self.assertEqual(self.stage.clock.seconds(), 7200)
        self.assertEqual(self.leg.take(), [])
        self.end()
