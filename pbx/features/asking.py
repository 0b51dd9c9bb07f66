"""
Asking a caller for keys: what features say and take in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.media.terminal import Terminal

KEYS = "0123456789*#"
"""Every key of a phone; each may interrupt a prompt."""

TIMEOUT = 5.0
"""Seconds to wait for the first key behind a question."""

BETWEEN = 3.0
"""Seconds to wait for the next."""


async def ask(
    terminal: Terminal, prompts: Iterable[str], most: int, *, timeout: float = TIMEOUT, between: float = BETWEEN
) -> str:
    """
    Play a question and take the keys that answer it; the first key ends the question.

    Args:
        terminal: The caller.
        prompts: The question.
        most: How many keys an answer has at most.
        timeout: Seconds to wait for the first key.
        between: Seconds to wait for each further one.

    Returns:
        The keys up to ``#``, which is not among them; empty when none was pressed.
    """
    first = await terminal.play(prompts, stop=KEYS)
    if first == "#":
        return ""
    if first and most == 1:
        return first
    wait = between if first else timeout
    return first + await terminal.digits(most - len(first), timeout=wait, between=between, end="#")
