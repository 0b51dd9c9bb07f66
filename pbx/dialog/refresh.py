"""
Refreshing a session, so that both sides know that it is alive (RFC 4028 7.4 and 10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.dialog import session_timer
from pbx.dialog.user import Ending, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from pbx.sip.multipart import sdp_of

if TYPE_CHECKING:
    from pbx.dialog.session import Session
    from pbx.sip.message import Response

MOST_TRIES = 5
"""How often a refresh is tried again after 491 and the like before the session counts as dead."""


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
        by_update = "UPDATE" in self._session.allow
        failed = 0
        for _ in range(MOST_TRIES):
            if self._session.state is not State.UP:
                return
            response: Response | int = 491
            if not self._session.busy:
                headers = (("Supported", "timer"), ("Session-Expires", self._own_refresh()), ("Allow", ALLOW))
                if by_update or self._session.local_sdp is None:
                    response = await self._session.exchange("UPDATE", headers)
                else:
                    fields = (("Content-Type", "application/sdp"), *headers)
                    response = await self._session.exchange("INVITE", fields, self._session.local_sdp)
            if self._session.state is not State.UP:
                return
            status = response if isinstance(response, int) else response.status
            if not isinstance(response, int) and status < 300:
                self.refreshed(response)
                answer = sdp_of(response)
                if answer is not None:
                    self._session.user.answer_received(answer)
                return
            if status in (408, 481, 503):
                failed = status
                break
            if status in (405, 501):
                by_update = False
                continue
            if not isinstance(response, int) and status == 422 and self._session.timer.agreement is not None:
                # RFC 4028 7.4: once more with what the peer takes.
                self._agree(session_timer.minimum(response))
                continue
            try:
                await self._session.wait_after_glare()
            except OfferRefused:
                return
        text = f"Session refresh failed with {failed}" if failed else "Session could not be refreshed"
        self._session.end_both(Ending(by_peer=False, cause=102, text=text))

    def _agree(self, interval: int) -> None:
        self._session.timer.agreement = session_timer.Agreement(interval, "uac", required=False)

    def _own_refresh(self) -> str:
        agreement = self._session.timer.agreement
        return f"{agreement.interval if agreement else self._session.core.settings.session_expires};refresher=uac"

    def refreshed(self, response: Response) -> None:
        """
        Start the timer anew after a 2xx to a request of ours.
        """
        self._session.note_abilities(response)
        agreement = self._session.timer.agreement
        interval = agreement.interval if agreement is not None else self._session.core.settings.session_expires
        self._session.timer.start(session_timer.answered_by(response, interval), we_asked=True)

    def missed(self) -> None:
        """
        The peer did not refresh in time.
        """
        self._session.end_both(Ending(by_peer=False, cause=102, text="Session timer expired"))
