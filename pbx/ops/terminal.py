"""
What a person sees who runs the exchange in the foreground, or reads the journal: the log without its repetitions.
"""

from __future__ import annotations

import atexit
import time
from functools import partial
from typing import TYPE_CHECKING

from twisted.logger import LogLevel, formatEvent

from pbx.ops.lines import QueuedLines, Stream
from pbx.ops.logs import is_shown, is_urgent, level_name, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.logger import LogEvent


def line(event: LogEvent) -> str:
    """
    An event for the terminal: the time of day, the level unless it is the usual one, the message.

    An event with ``terminal=True`` stands without anything in front, for the banner.
    """
    if event.get("terminal"):
        # As it is: it may show a password that was made for whoever sits here, and its indentation.
        return f"{formatEvent(event)}\n"
    level = level_name(event)
    clock = time.strftime("%H:%M:%S", time.localtime(event.get("log_time", 0.0)))
    return f"{clock} {'' if level == 'INFO' else level + ' '}{message(event)}\n"


def observer() -> Callable[[LogEvent], None]:
    """
    Make the observer that ``twistd --logger`` is given.
    """
    lines = QueuedLines(Stream(1))
    lines.start()
    atexit.register(lines.stop)

    def show(event: LogEvent) -> None:
        if is_shown(event, LogLevel.info):
            lines.add(line(event) if is_urgent(event) else partial(line, event))

    return show
