"""
What a class logs during a test.
"""

from __future__ import annotations

from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase


def logged(case: SynchronousTestCase, namespace: str) -> list[LogEvent]:
    """
    The events of a logger from now to the end of a test, as they come.

    Args:
        case: The test.
        namespace: The class with the logger, dotted.
    """
    events: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event["log_namespace"] == namespace:
            events.append(event)

    globalLogPublisher.addObserver(observe)
    case.addCleanup(globalLogPublisher.removeObserver, observe)
    return events
