"""
Threads for tests that need none: the work is done at once.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred


def at_once(work: Any, *arguments: Any) -> Deferred[Any]:
    """
    The result of a function.
    """
    return maybeDeferred(work, *arguments)
