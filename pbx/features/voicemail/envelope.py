"""
The envelope of a message: what is said of it before it is played.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.audio.phrases import digits, duration, moment
from pbx.audio.phrases import number as spoken

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from pbx.features.voicemail.mailboxes import Message


def position(index: int, count: int, language: str) -> list[str]:
    """
    Which message of how many it is.

    Args:
        index: Its place, from 0.
        count: How many there are.
        language: In which it is said.
    """
    if index == 0:
        return ["vm-first-message"]
    if index == count - 1:
        return ["vm-last-message"]
    return ["vm-message-number", *spoken(index + 1, language)]


def envelope(message: Message, mailboxes: Any, now: dt.datetime, language: str) -> list[str | Path]:
    """
    When a message came, from whom, and how long it is.

    Args:
        message: Which.
        mailboxes: An :class:`~pbx.features.voicemail.mailboxes.IMailboxes`, which has names that were recorded.
        now: The time, in the zone that the message's time is said in.
        language: In which it is said.
    """
    said: list[str | Path] = ["vm-urgent"] if message.urgent else []
    said += _from(message.caller, mailboxes, language)
    if message.forwarded_by is not None:
        said += ["vm-forwarded-by", *_who(message.forwarded_by, mailboxes, language)]
    said += ["vm-received", *moment(message.received.astimezone(now.tzinfo), now, language)]
    return [*said, "vm-duration", *duration(message.seconds, language)]


def _from(caller: str, mailboxes: Any, language: str) -> list[str | Path]:
    if not caller:
        return ["vm-from-anonymous"]
    if not any(character.isdigit() for character in caller):
        return ["vm-from-unknown"]
    if mailboxes.mailbox(caller) is None:
        return ["vm-from", *digits(caller, language)]
    name = mailboxes.greeting(caller, "name")
    return ["vm-from", name] if name is not None else ["vm-from-extension", *digits(caller, language)]


def _who(number: str, mailboxes: Any, language: str) -> list[str | Path]:
    name = mailboxes.greeting(number, "name")
    return [name] if name is not None else ["word-extension", *digits(number, language)]
