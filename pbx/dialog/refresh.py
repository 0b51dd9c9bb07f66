"""
Refreshing a session, so that both sides know that it is alive (RFC 4028 7.4 and 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from twisted.logger import Logger

from pbx.dialog import session_timer
from pbx.dialog.user import GONE, Ending, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from pbx.sip.message import ProtocolError
from pbx.sip.multipart import sdp_of

if TYPE_CHECKING:
    from pbx.dialog.session import Session
    from pbx.sip.message import Response

MOST_TRIES = 5
"""How often a refresh is tried again after 491 and the like before it counts as refused."""


class Refresher:
    """
    Refreshes one session by UPDATE where the peer takes it, else by a re-INVITE with the same description.
    """

    __slots__ = ("_session",)

    log = Logger()

    def __init__(self, session: Session) -> None:
        self._session = session

    def due(self) -> None:
        """
        It is our turn to refresh.
        """
        self._session.core.tasks.start(self._refresh(), "refresh a session")

    def missed(self) -> None:
        """
        The peer did not refresh in time.
        """
        self._session.end_both(Ending(by_peer=False, cause=102, text="Session timer expired"))

    def headers(self, *, ours: bool) -> tuple[tuple[str, str], ...]:
        """
        What a request of ours says about the session timer (RFC 4028 7.1 and 7.4).

        Args:
            ours: Whether we refresh from then on.
        """
        if not self._session.timed:
            return ()
        timer = self._session.timer
        agreement = timer.agreement
        interval = agreement.interval if agreement is not None else self._session.core.settings.session_expires
        found = (("Supported", "timer"), ("Session-Expires", f"{interval};refresher={'uac' if ours else 'uas'}"))
        return (*found, ("Min-SE", str(timer.min_se))) if timer.min_se else found

    def refreshed(self, response: Response) -> None:
        """
        Start the timer anew after a 2xx to a request of ours.
        """
        self._session.note_abilities(response)
        if not self._session.timed:
            return
        agreement = self._session.timer.agreement
        interval = agreement.interval if agreement is not None else self._session.core.settings.session_expires
        self._session.timer.start(session_timer.answered_by(response, interval), we_asked=True)

    def corrected(self, response: Response) -> bool:
        """
        Go by the Min-SE of a 422; tell whether it makes sense to ask again (RFC 4028 7.4).
        """
        timer = self._session.timer
        least = session_timer.minimum(response)
        if timer.agreement is None or "Min-SE" not in response.headers or least <= timer.min_se:
            return False
        timer.min_se = least
        timer.agreement = evolve(timer.agreement, interval=max(least, timer.agreement.interval))
        return True

    async def _refresh(self) -> None:
        session = self._session
        by_update = "UPDATE" in session.allow
        status = 491
        for _ in range(MOST_TRIES):
            if not by_update and session.local_sdp is None:
                break
            try:
                response = await self._ask(by_update)
            except OfferRefused:
                return
            if session.state is not State.UP:
                return
            status = response if isinstance(response, int) else response.status
            if isinstance(response, int) or status in GONE:
                # RFC 4028 10
                session.end_both(Ending(by_peer=False, cause=102, text=f"Session refresh failed with {status}"))
                return
            if status < 300:
                self._took(response)
                return
            if status == 422 and self.corrected(response):
                continue
            if status in (491, 500):
                # RFC 3261 14.1; 500 is what 14.2 and RFC 3311 5.2 answer while another request is under way.
                try:
                    await session.wait_after_glare()
                except OfferRefused:
                    return
            elif by_update:
                by_update = False
            else:
                break
        # RFC 4028 10: only 408 and 481 end the session. Whoever refuses is alive, and asked again in half an interval.
        self.log.info(
            "{call_id}: session refresh refused with {status}", call_id=session.dialog.call_id, status=status
        )
        if session.timer.agreement is not None:
            session.timer.start(evolve(session.timer.agreement, refresher="uac"), we_asked=True)

    async def _ask(self, by_update: bool) -> Response | int:
        session = self._session
        headers = (*self.headers(ours=True), ("Allow", ALLOW))
        if by_update:
            # RFC 4028 7.4: without an offer, so it crosses nothing.
            return await session.exchange("UPDATE", headers)
        await session.idle()
        fields = (("Content-Type", "application/sdp"), *headers)
        return await session.exchange("INVITE", fields, session.local_sdp or b"")

    def _took(self, response: Response) -> None:
        self.refreshed(response)
        try:
            answer = sdp_of(response)
            if answer is not None:
                self._session.user.answer_received(answer)
        except ProtocolError as error:
            # The media go on as they did.
            self.log.warn(
                "{call_id}: the answer to a refresh is of no use: {reason}",
                call_id=self._session.dialog.call_id, reason=error.reason,
            )
