"""
What a caller hears whose emergency call no trunk has taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.calls.destination import IDestination

if TYPE_CHECKING:
    from pbx.calls.destination import IVisit

TIMES = 3
"""How often it is said: in fear one does not listen at first."""

SAID = "emergency-no-line"


@implementer(IDestination)
class NoEmergencyLine:
    """
    Tells a caller to take another telephone, before the call fails as its destination says.
    """

    async def take(self, visit: IVisit) -> None:
        """
        Serve a caller.
        """
        there = visit.destination
        visit.refuse(there.status or 503, there.cause or 34, there.text or "No trunk is there for this call")
        # Unanswered, so that the phone, too, knows that nobody has the call; but better answered than unheard.
        terminal = visit.early() or await visit.answer()
        await terminal.play([SAID] * TIMES)
