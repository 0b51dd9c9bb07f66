"""
An UPDATE without an offer: news for the peer that change nothing of the media (RFC 3311 5.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.dialog.user import Ending, OfferRefused, State
from pbx.dialog.useragent import ALLOW
from pbx.sip.message import Response

if TYPE_CHECKING:
    from pbx.dialog.refresh import Refresher
    from pbx.dialog.session import Session

MOST_TRIES = 5
"""How often it is tried again after 491 and the like."""


async def update(session: Session, refresher: Refresher, headers: tuple[tuple[str, str], ...]) -> int:
    """
    Send one, again after 491 and 500; the status of the peer's answer.

    A peer that refuses it goes on as it was: RFC 3311 has no other meaning for a refusal than that nothing changes.
    """
    status = 491
    for left in reversed(range(MOST_TRIES)):
        if session.state is not State.UP:
            return 481
        if "UPDATE" not in session.allow:
            return 405
        # RFC 4028 7.1: an UPDATE that says nothing of the session timer would turn it off.
        timer = session.timer
        timed = refresher.headers(ours=timer.ours) if timer.agreement is not None else ()
        response = await session.exchange("UPDATE", (("Allow", ALLOW), *timed, *headers))
        if not isinstance(response, Response):
            return response
        status = response.status
        if session.state is not State.UP:
            return 481
        if status < 300:
            if timer.agreement is not None:
                refresher.refreshed(response)
            return status
        if status == 481:
            # RFC 3261 12.2.1.2
            session.end_both(Ending(by_peer=False, cause=102, text="UPDATE failed with 481"))
            return status
        if status == 422 and refresher.corrected(response):
            continue
        if status in (405, 501):
            session.allow -= {"UPDATE"}
        if status not in (491, 500) or not left:
            return status
        # RFC 3261 14.1; 500 is what RFC 3311 5.2 answers while another request is under way.
        try:
            await session.wait_after_glare()
        except OfferRefused:
            return 481
    return status
