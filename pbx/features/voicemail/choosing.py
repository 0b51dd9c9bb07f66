"""
Choosing by a key: prompts that may be interrupted, said again a few times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pbx.media.terminal import Terminal

WAIT: Final = 5.0
"""Seconds for a key after the prompts have ended."""

TRIES: Final = 3
"""How often the prompts are said before it is given up."""


async def choose(
    terminal: Terminal, prompts: Sequence[str | Path], keys: str, before: Sequence[str | Path] = ()
) -> str:
    """
    Say prompts until one of some keys is pressed; nothing when none was after three times.

    Args:
        terminal: The caller.
        prompts: What can be chosen.
        keys: By which keys; each ends the prompts at once.
        before: What is said first, once; the keys end that, too.
    """
    said: Sequence[str | Path] = [*before, *prompts]
    for _ in range(TRIES):
        key = await terminal.play(said, stop=keys) or await terminal.digit(WAIT)
        if key and key in keys:
            return key
        said = ["ivr-invalid", *prompts] if key else prompts
    return ""
