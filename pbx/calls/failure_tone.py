"""
What somebody who is up hears when it leads nowhere, before the call ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.calls.failure import BUSY

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.calls.failure import Failure
    from pbx.calls.leg import Leg
    from pbx.calls.tools import CallTools

LASTING = 4.0
"""Seconds."""


class FailureTone:
    """
    A tone for one leg, until it was heard for long enough: busy for who is busy, else reorder, upon which nobody tries
    again at once.

    Args:
        tools: What the call is built with.
        leg: Who hears it.
        failure: Why it leads nowhere.
        on_over: Called when it has ended, unless it was stopped.
    """

    def __init__(self, tools: CallTools, leg: Leg, failure: Failure, on_over: Callable[[], object]) -> None:
        self._on_over = on_over
        self._queue = tools.core.timer_queue
        leg.terminal(tools).hold_music("tone:busy" if failure.status in BUSY else "tone:reorder")
        self._timer = self._queue.start(LASTING, self, "failure")

    def stop(self) -> None:
        """
        The call has ended.
        """
        self._queue.stop(self._timer)

    def timer_fired(self, name: str) -> None:
        """
        It was heard for long enough.
        """
        self._on_over()
