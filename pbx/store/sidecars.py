"""
What is known of a voicemail message, in a file beside its audio, until the database has it.

It is written when recording begins and removed when the row is there as ready: so a message survives the end of the
program and the absence of the database. Everything here waits for the disk: run it in a thread.
"""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Literal

import msgspec

from pbx.features.voicemail.mailboxes import Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Sidecar(msgspec.Struct, frozen=True):
    """
    The document of one message.
    """

    id: str
    mailbox: str
    state: Literal["recording", "ready"]
    caller: str
    caller_name: str
    received: dt.datetime
    seconds: float = 0.0
    urgent: bool = False
    forwarded_by: str | None = None
    call_id: str = ""


def path_of(message: Message) -> Path:
    """
    Where the document of a message lies.
    """
    return message.path.with_suffix(".json")


def write(message: Message, state: Literal["recording", "ready"]) -> None:
    """
    Write the document; when this returns it survives a power failure.

    Raises:
        OSError: The disk is full, or the like.
    """
    path = path_of(message)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = Sidecar(
        message.id, message.mailbox, state, message.caller, message.caller_name, message.received, message.seconds,
        message.urgent, message.forwarded_by, message.call_id,
    )
    unfinished = path.with_suffix(".tmp")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(document))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        if error.filename is None:
            # That of a write has none, and the operator needs to know which disk is full.
            error.filename = str(path)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove(message: Message, *, audio: bool) -> None:
    """
    Remove the document, and the audio if that is meant to go, too.
    """
    path_of(message).unlink(missing_ok=True)
    if audio:
        message.path.unlink(missing_ok=True)


def left(folder: Path) -> Iterator[tuple[Message, bool] | Path]:
    """
    What an earlier run left in all mailboxes: each message and whether it was ready; a document that is none as path.
    """
    for unfinished in folder.glob("*/*.tmp"):
        unfinished.unlink(missing_ok=True)
    for path in sorted(folder.glob("*/*.json")):
        try:
            document = msgspec.json.decode(path.read_bytes(), type=Sidecar)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            yield path
            continue
        message = Message(
            id=document.id, mailbox=document.mailbox, caller=document.caller, caller_name=document.caller_name,
            received=document.received, path=path.with_suffix(".wav"), seconds=document.seconds,
            urgent=document.urgent, forwarded_by=document.forwarded_by, call_id=document.call_id,
        )
        if (message.mailbox, message.id) != (path.parent.name, path.stem):
            yield path
            continue
        yield message, document.state == "ready"
