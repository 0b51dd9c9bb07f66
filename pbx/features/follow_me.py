"""
Follow me: whoever picks up another number's phone is asked whether to take the call.

Without that question the mailbox of a mobile phone would answer before anybody does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.audio.phrases import phrases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pbx.calls.outbound import CallerIdentity
    from pbx.media.terminal import Terminal

ASKED = 3
"""How often the question is asked; a machine that answered hears it in vain."""

WAIT = 4.0
"""Seconds to wait for a key behind the question."""


def confirmation(caller: CallerIdentity, number: str = "") -> Callable[[Terminal], Awaitable[bool]]:
    """
    What is asked of whoever picks up.

    Args:
        caller: Who calls.
        number: The extension that the call is for; nothing, and it is not said.
    """
    async def confirm(terminal: Terminal) -> bool:
        language = terminal.language
        whose = ["call-for", "call-extension", *phrases(language).digits(number)] if number else []
        said = ["call-from", *whom(caller, language), *whose, "call-accept"]
        for _ in range(ASKED):
            key = await terminal.play(said, stop="12") or await terminal.digit(WAIT)
            if key == "1":
                return True
            if key == "2":
                await terminal.play(["call-declined"])
                return False
        return False

    return confirm


def whom(caller: CallerIdentity, language: str) -> list[str]:
    """
    A caller in prompts.
    """
    if caller.anonymous:
        return ["call-anonymous-caller"]
    if not caller.number.lstrip("+").isdigit():
        return ["call-unknown-caller"]
    return phrases(language).telephone(caller.number)
