"""
Refreshing a session, so that both sides know that it is alive (RFC 4028 7.4 and 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from pbx.dialog import session_timer
from pbx.dialog.user import Ending, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from pbx.sip.multipart import sdp_of

if TYPE_CHECKING:
    from pbx.dialog.session import Session
    from pbx.sip.message import Response

log = Logger()

MOST_TRIES = 5
"""How often a refresh is tried again after 491 and the like before it is left for the next time."""


class Refresher:
    """
    Refreshes one session by UPDATE where the peer takes it, else by a re-INVITE with the same description.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def due(self) -> None:
        """
        It is our turn to refresh.
        """
        self._session.core.tasks.start(self._refresh(), "refresh a session")

    async def _refresh(self) -> None:
        session = self._session
        by_update = "UPDATE" in session.allow
        for _ in range(MOST_TRIES):
            if session.busy:
                status = 491
            else:
                response = await self._ask(by_update or session.local_sdp is None)
                if session.state is not State.UP:
                    return
                status = response if isinstance(response, int) else response.status
                if isinstance(response, int) or status in (408, 481):
                    # RFC 4028 10: nobody is there, or nobody who knows of this session.
                    text = f"Session refresh failed with {status}"
                    session.end_both(Ending(by_peer=False, cause=102, text=text))
                    return
                if status < 300:
                    self.refreshed(response)
                    answer = sdp_of(response)
                    if answer is not None:
                        session.user.answer_received(answer)
                    return
                if status in (405, 501) and by_update:
                    by_update = False
                    continue
                if status == 422:
                    # RFC 4028 7.4: once more with what the peer takes.
                    self._agree(session_timer.minimum(response))
                    continue
            if status != 491:
                break
            try:
                await session.wait_after_glare()
            except OfferRefused:
                return
        # Whoever refuses is alive; it is asked again when the interval is half over.
        log.info("{call_id}: session refresh refused with {status}", call_id=session.dialog.call_id, status=status)
        session.timer.start(self._settled(), we_asked=True)

    async def _ask(self, by_update: bool) -> Response | int:
        session = self._session
        expires = f"{self._settled().interval};refresher=uac"
        headers = (("Supported", "timer"), ("Session-Expires", expires), ("Allow", ALLOW))
        if by_update or session.local_sdp is None:
            return await session.exchange("UPDATE", headers)
        return await session.exchange("INVITE", (("Content-Type", "application/sdp"), *headers), session.local_sdp)

    def _settled(self) -> session_timer.Agreement:
        agreement = self._session.timer.agreement
        interval = agreement.interval if agreement is not None else self._session.core.settings.session_expires
        return session_timer.Agreement(interval, "uac", required=False)

    def _agree(self, interval: int) -> None:
        self._session.timer.agreement = session_timer.Agreement(interval, "uac", required=False)

    def refreshed(self, response: Response) -> None:
        """
        Start the timer anew after a 2xx to a request of ours.
        """
        self._session.note_abilities(response)
        agreed = session_timer.answered_by(response, self._settled().interval)
        self._session.timer.start(agreed, we_asked=True)

    def missed(self) -> None:
        """
        The peer did not refresh in time.
        """
        self._session.end_both(Ending(by_peer=False, cause=102, text="Session timer expired"))
