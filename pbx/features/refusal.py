"""
What a caller hears whose call beyond the house is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.calls.destination import IDestination

if TYPE_CHECKING:
    from pbx.calls.destination import IVisit


@implementer(IDestination)
class Refusals:
    """
    Says why, in early media, before the call fails as its destination says; once, so that nobody is kept waiting.
    """

    async def take(self, visit: IVisit) -> None:
        """
        Serve a caller.
        """
        there = visit.destination
        visit.refuse(there.status, there.cause, there.text)
        terminal = visit.early()
        if terminal is not None:
            await terminal.play([there.target])
