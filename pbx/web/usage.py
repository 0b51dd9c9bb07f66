"""
``/api/usage``: what each extension has used of its limits today.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.calls.record import stamp
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from pbx.calls.usage import UsageCounters


class UsageResource:
    """
    The resource.

    Args:
        usage: What was counted.
    """

    def __init__(self, usage: UsageCounters) -> None:
        self._usage = usage

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [Route("GET", "/api/usage", self._list)]

    async def _list(self, ask: Ask) -> object:
        used = self._usage.all()
        return {
            "since": stamp(self._usage.day_began),
            "usage": [
                {"payer": payer, "calls": each.concurrent, "seconds": each.seconds, "spent": str(each.spent)}
                for payer, each in used.items()
            ],
        }
