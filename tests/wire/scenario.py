"""
SIPp scenarios beside a test.
"""

from __future__ import annotations

from tests.wire.process import Child
from tests.wire.sipp import ENVIRONMENT, Command, Outcome


class Scenario(Command):
    """
    One SIPp at work.
    """

    child: Child | None = None

    def start(self) -> None:
        """
        Run it.
        """
        self.child = Child(self.argv, cwd=str(self.directory), env=ENVIRONMENT)

    async def outcome(self, within: float = 60) -> Outcome:
        """
        What came of it, once it has ended by itself; started now if it was not.
        """
        if self.child is None:
            self.start()
        assert self.child is not None
        return self.counted(await self.child.ended(within))

    async def stop(self) -> None:
        """
        End it if it still runs.
        """
        if self.child is not None:
            await self.child.stop(9)
