"""
``/api/voicemail``: mailboxes, what callers hear in them, and the messages they hold.
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pbx.calls.record import stamp
from pbx.features.prompts import LARGEST
from pbx.features.voicemail.mailboxes import FOLDERS, GREETINGS, Folder, Mailbox, MailboxError, Message, is_full
from pbx.features.voicemail.pin import LONGEST, SHORTEST, pin_fault
from pbx.ops.section import printable
from pbx.web import files
from pbx.web.changes import named
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Reply, Route, Upload

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_LENGTH: Final = 100
OWNERS: Final = 200
"""Owners of a shared mailbox: each has lamps to be told."""

PIN_FAULTS: Final = {
    "short": f"a PIN has {SHORTEST} to {LONGEST} digits",
    "simple": "is too easy to guess: a row, one digit again and again, or the number of the mailbox",
}

Number = Annotated[str, Meta(pattern=r"^[0-9]{1,20}$", description="a number of 1 to 20 digits")]
Text = Annotated[
    str, Meta(max_length=NAME_LENGTH, description=f"text of up to {NAME_LENGTH} characters", extra={"check": printable})
]
Address = Annotated[str, Meta(pattern=r"^[!-?A-~]+@[0-9A-Za-z.-]+$", max_length=254, description="a mail address")]
Count = Annotated[int, Meta(ge=0, le=100_000, description="a whole number, 0 to 100000")]
Seconds = Annotated[int, Meta(ge=5, le=3600, description="whole seconds, 5 to 3600")]
Days = Annotated[int, Meta(ge=1, le=36_500, description="whole days, 1 to 36500")]


class ChangedMailbox(msgspec.Struct, frozen=True):
    """
    The body that changes a mailbox: what is absent stays, ``null`` leaves a matter to the exchange.
    """

    name: Text | UnsetType = UNSET
    owners: Annotated[tuple[Number, ...], Meta(max_length=OWNERS)] | UnsetType = UNSET
    email: Address | UnsetType | None = UNSET
    pin: Annotated[str, Meta(max_length=LONGEST, description=PIN_FAULTS["short"])] | UnsetType | None = UNSET
    skip_pin: bool | UnsetType = UNSET
    longest: Seconds | UnsetType | None = UNSET
    quota: Count | UnsetType | None = UNSET
    operator: Number | UnsetType | None = UNSET
    retention_days: Days | UnsetType | None = UNSET
    attach: bool | UnsetType = UNSET
    after_mail: Literal["keep", "delete"] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class ChangedMessage(msgspec.Struct, frozen=True):
    """
    The body that changes a message. ``read`` is another way to say whether it lies in ``new``.
    """

    folder: Literal["new", "saved", "work", "family", "friends"] | UnsetType = UNSET
    read: bool | UnsetType = UNSET
    deleted: bool | UnsetType = UNSET


class Which(msgspec.Struct, frozen=True):
    """
    Which messages are listed.
    """

    folder: Literal["", "new", "saved", "work", "family", "friends"] = ""
    deleted: Literal["no", "yes"] = "no"


class Forwarded(msgspec.Struct, frozen=True):
    """
    The body that forwards a message.
    """

    to: Number


def shown_mailbox(mailbox: Mailbox, counts: Any) -> dict[str, Any]:
    """
    What the API says of a mailbox: everything but its PIN.
    """
    return {
        "number": mailbox.number,
        "name": mailbox.name,
        "owners": list(mailbox.owners),
        "email": mailbox.email,
        "has_pin": mailbox.has_pin,
        "skip_pin": mailbox.skip_pin,
        "greetings": sorted(mailbox.greetings),
        "longest": mailbox.longest,
        "quota": mailbox.quota,
        "operator": mailbox.operator,
        "retention_days": mailbox.retention_days,
        "attach": mailbox.attach,
        "after_mail": mailbox.after_mail,
        "enabled": mailbox.enabled,
        "new": counts.new,
        "old": counts.old,
        "urgent_new": counts.urgent_new,
        "urgent_old": counts.urgent_old,
    }


def shown_message(message: Message, mail: dict[str, Any] | None) -> dict[str, Any]:
    """
    What the API says of a message, with what became of its mail.
    """
    return {
        "id": message.id,
        "mailbox": message.mailbox,
        "caller": message.caller,
        "caller_name": message.caller_name,
        "received": stamp(message.received.timestamp()),
        "seconds": round(message.seconds, 2),
        "folder": message.folder,
        "read": message.folder != "new",
        "urgent": message.urgent,
        "deleted": message.deleted,
        "forwarded_by": message.forwarded_by,
        "call_id": message.call_id,
        "audio": f"/api/voicemail/{message.mailbox}/messages/{message.id}/audio",
        "mail": mail,
    }


class VoicemailResource:
    """
    The resource.

    Args:
        mailboxes: The mailboxes (:class:`pbx.store.mailboxes.Mailboxes`).
        messages: The messages (:class:`pbx.store.voicemail.Voicemail`).
        mails: What became of mails (:class:`pbx.store.mail.MailOutbox`).
        directory: The extensions, each of which has a mailbox.
        audit: An :class:`~pbx.web.identity.IAudit`.
    """

    def __init__(self, mailboxes: Any, messages: Any, mails: Any, directory: Any, audit: Any) -> None:
        self._mailboxes = mailboxes
        self._messages = messages
        self._mails = mails
        self._directory = directory
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        box = "/api/voicemail/<number>"
        greeting, messages = f"{box}/greetings/<kind>", f"{box}/messages"
        one = f"{messages}/<message>"
        return [
            Route("GET", "/api/voicemail", self._list),
            Route("GET", box, self._get),
            Route("PUT", box, self._change, body=ChangedMailbox),
            Route("DELETE", box, self._remove),
            Route("GET", greeting, self._greeting),
            Route("PUT", greeting, self._bring_greeting, upload=LARGEST),
            Route("DELETE", greeting, self._drop_greeting),
            Route("GET", messages, self._list_messages, query=Which),
            Route("GET", one, self._message),
            Route("GET", f"{one}/audio", self._audio),
            Route("PATCH", one, self._change_message, body=ChangedMessage),
            Route("DELETE", one, self._delete_message),
            Route("POST", f"{one}/forward", self._forward, body=Forwarded),
        ]

    # Mailboxes

    async def _list(self, ask: Ask) -> object:
        numbers = {extension.number for extension in self._directory.all()}
        numbers |= {mailbox.number for mailbox in self._mailboxes.all()}
        found = [self._mailboxes.mailbox(number) for number in sorted(numbers)]
        return {"mailboxes": [self._shown(mailbox) for mailbox in found if mailbox is not None]}

    async def _get(self, ask: Ask) -> object:
        return self._shown(self._existing(ask))

    def _shown(self, mailbox: Mailbox) -> dict[str, Any]:
        return shown_mailbox(mailbox, self._messages.counts(mailbox.number))

    async def _change(self, ask: Ask) -> Reply:
        number = ask.path["number"]
        before: Mailbox | None = self._mailboxes.mailbox(number)
        changes = named(ask.body)
        owners = changes.get("owners")
        if before is None:
            if not (number.isascii() and number.isdigit() and len(number) <= 20):
                raise _missing(number)
            if not owners:
                raise wrong_fields([("owners", "missing; a mailbox of no extension is shared, and needs owners")])
        strangers = [owner for owner in owners or () if self._directory.extension(owner) is None]
        if strangers:
            raise wrong_fields([("owners", f"there is no extension {', '.join(strangers)}")])
        pin = changes.pop("pin", UNSET)
        if isinstance(pin, str) and pin_fault(pin, number):
            raise wrong_fields([("pin", PIN_FAULTS[pin_fault(pin, number)])])
        with _away():
            if changes or before is None:
                await self._mailboxes.put(number, **changes)
            if pin is not UNSET:
                await self._mailboxes.set_pin(number, pin)
        after = self._mailboxes.mailbox(number) or Mailbox(number)
        was = None if before is None else self._shown(before)
        now = self._shown(after)
        told = now | ({"pin": "changed"} if pin is not UNSET else {})
        self._audit.wrote(ask.actor, "change" if was else "add", f"mailbox {number}", was, told)
        if before is not None:
            return Reply(now)
        return Reply(now, HTTPStatus.CREATED, {"Location": f"/api/voicemail/{number}"})

    async def _remove(self, ask: Ask) -> Reply:
        before = self._existing(ask)
        with _away():
            if not await self._mailboxes.remove(before.number):
                raise Problem(HTTPStatus.CONFLICT, f"Mailbox {before.number} has no settings that could be removed.")
        self._audit.wrote(ask.actor, "remove", f"mailbox {before.number}", self._shown(before), None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    def _existing(self, ask: Ask) -> Mailbox:
        found: Mailbox | None = self._mailboxes.mailbox(ask.path["number"])
        if found is None:
            raise _missing(ask.path["number"])
        return found

    # Greetings

    def _kind(self, ask: Ask) -> Any:
        kind = ask.path["kind"]
        if kind not in GREETINGS:
            raise Problem(HTTPStatus.NOT_FOUND, f"The greetings are {', '.join(GREETINGS)}.")
        return kind

    async def _greeting(self, ask: Ask) -> Reply:
        mailbox, kind = self._existing(ask), self._kind(ask)
        path = self._mailboxes.greeting(mailbox.number, kind)
        try:
            if path is not None:
                return files.sent(path, await self._mailboxes.content(path))
        except FileNotFoundError:
            pass
        raise Problem(HTTPStatus.NOT_FOUND, f"Mailbox {mailbox.number} uses the standard {kind} greeting.")

    async def _bring_greeting(self, ask: Ask) -> Reply:
        mailbox, kind = self._existing(ask), self._kind(ask)
        upload: Upload = ask.body
        with files.problems("body"), _away():
            await self._mailboxes.bring_greeting(mailbox.number, kind, upload.content)
        self._audit.wrote(ask.actor, "change", f"{kind} greeting of mailbox {mailbox.number}", None, None)
        return Reply(self._shown(self._existing(ask)))

    async def _drop_greeting(self, ask: Ask) -> Reply:
        mailbox, kind = self._existing(ask), self._kind(ask)
        if kind not in mailbox.greetings:
            raise Problem(HTTPStatus.NOT_FOUND, f"Mailbox {mailbox.number} uses the standard {kind} greeting.")
        with _away():
            await self._mailboxes.drop_greeting(mailbox.number, kind)
        self._audit.wrote(ask.actor, "remove", f"{kind} greeting of mailbox {mailbox.number}", None, None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    # Messages

    async def _list_messages(self, ask: Ask) -> object:
        mailbox, which = self._existing(ask), ask.query
        folder: Folder | None = which.folder or None
        with _away():
            messages = await self._messages.list(mailbox.number, folder, deleted=which.deleted == "yes")
        mails = await self._mails.of_messages([message.id for message in messages])
        return {
            "folders": list(FOLDERS),
            "messages": [shown_message(message, mails.get(message.id)) for message in messages],
        }

    async def _message(self, ask: Ask) -> object:
        return await self._told(await self._one(ask))

    async def _told(self, message: Message) -> dict[str, Any]:
        mails = await self._mails.of_messages([message.id])
        return shown_message(message, mails.get(message.id))

    async def _audio(self, ask: Ask) -> Reply:
        message = await self._one(ask)
        try:
            return files.sent(message.path, await self._mailboxes.content(message.path))
        except FileNotFoundError:
            raise Problem(HTTPStatus.GONE, f"The audio of message {message.id} is not there any more.")

    async def _change_message(self, ask: Ask) -> object:
        message, body = await self._one(ask), ask.body
        folder = body.folder
        if folder is UNSET and body.read is not UNSET and body.read == (message.folder == "new"):
            folder = "saved" if body.read else "new"
        with _away():
            if folder is not UNSET:
                await self._messages.move(message, folder)
            if body.deleted is True:
                await self._messages.delete(message)
            elif body.deleted is False:
                await self._messages.undelete(message)
        after = await self._told(await self._one(ask))
        self._audit.wrote(ask.actor, "change", _named(message), shown_message(message, None), after | {"mail": None})
        return after

    async def _delete_message(self, ask: Ask) -> Reply:
        message = await self._one(ask)
        with _away():
            await (self._messages.purge(message) if message.deleted else self._messages.delete(message))
        self._audit.wrote(
            ask.actor, "remove" if message.deleted else "delete", _named(message), shown_message(message, None), None
        )
        return Reply(status=HTTPStatus.NO_CONTENT)

    async def _forward(self, ask: Ask) -> Reply:
        message = await self._one(ask)
        to: Mailbox | None = self._mailboxes.mailbox(ask.body.to)
        if to is None or not to.enabled or to.number == message.mailbox:
            raise wrong_fields([("to", "is no other mailbox that takes messages")])
        if is_full(to, self._messages.counts(to.number), self._mailboxes.quota):
            raise Problem(HTTPStatus.CONFLICT, f"Mailbox {to.number} is full.", fields=[("to", "full")])
        with _away():
            copy = await self._messages.forward(message, to, message.mailbox, None)
        self._audit.wrote(ask.actor, "forward", f"{_named(message)} to {to.number}", None, None)
        place = f"/api/voicemail/{to.number}/messages/{copy.id}"
        return Reply(shown_message(copy, None), HTTPStatus.CREATED, {"Location": place})

    async def _one(self, ask: Ask) -> Message:
        mailbox, name = self._existing(ask), ask.path["message"]
        with _away():
            found: Message | None = await self._messages.get(mailbox.number, name) if _is_id(name) else None
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no message {name} in mailbox {mailbox.number}.")
        return found


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except MailboxError as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, f"Mailboxes can't be read or changed at the moment: {error}.",
            headers={"Retry-After": "5"},
        )


def _is_id(text: str) -> bool:
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)


def _named(message: Message) -> str:
    return f"message {message.id} of mailbox {message.mailbox}"


def _missing(number: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no mailbox {number}.")
