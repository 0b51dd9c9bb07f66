"""
Retention: messages that have been kept long enough go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pbx.features.voicemail.mailboxes import MailboxError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

    from pbx.tasks import Tasks

INTERVAL: Final = 3600.0
"""Seconds between two looks."""


class Retention:
    """
    Looks every hour which messages are too old.

    Args:
        clock: When.
        messages: An :class:`~pbx.features.voicemail.mailboxes.IMessages`.
        tasks: Where it runs.
        days: Days that a message is kept unless its mailbox says otherwise; ``None`` for ever.
        deleted_days: Days that a deleted message can still be had back.
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, messages: Any, tasks: Tasks, *, days: int | None = None, deleted_days: int = 7
    ) -> None:
        self._messages = messages
        self._tasks = tasks
        self._days = days
        self._deleted_days = deleted_days
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    def reconfigure(self, *, days: int | None, deleted_days: int) -> None:
        """
        Keep messages for another time, from the next look on.
        """
        self._days, self._deleted_days = days, deleted_days

    def start(self) -> None:
        """
        Look an hour from now, and every hour after that.
        """
        self._loop.start(INTERVAL, now=False)

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._loop.running:
            self._loop.stop()

    def _look(self) -> Deferred[None]:
        return self._tasks.start(self.run(), "remove old voicemail messages")

    async def run(self) -> None:
        """
        Look now.
        """
        try:
            count = await self._messages.expire(self._days, self._deleted_days)
        except MailboxError as error:
            self.log.warn("Old voicemail messages were not removed, tried again in an hour: {error}", error=error)
            return
        if count:
            self.log.info("{count} old voicemail messages were removed", count=count)
