"""
Announcements: a prompt is played, then the call goes on to a number or ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.calls.destination import IDestination

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.destination import IVisit
    from pbx.directory.decision import Destination


@implementer(IDestination)
class Announcements:
    """
    Plays the prompt that is the destination's target; its argument is the number to go on to, if any.

    Args:
        find: Where a number leads, ``None`` for nowhere.
    """

    def __init__(self, find: Callable[[str], Destination | None]) -> None:
        self._find = find

    async def take(self, visit: IVisit) -> Destination | None:
        """
        Serve a caller.
        """
        prompt, number = visit.destination.target, visit.destination.argument
        terminal = await visit.answer()
        visit.note(f"announcement {prompt} is played")
        await terminal.play([prompt])
        if not number:
            return None
        further = self._find(number)
        visit.note(f"announcement {prompt}: on to {number}" + ("" if further else ", which leads nowhere"))
        return further
