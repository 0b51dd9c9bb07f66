"""
Mailboxes, the messages in them, and the mail about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pbx.cli.api import PATIENCE
from pbx.cli.offer import command, group, path
from pbx.cli.tables import table, tree

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

MAILBOXES = [
    ("MAILBOX", "number"),
    ("NAME", "name"),
    ("NEW", "new"),
    ("OLD", "old"),
    ("PIN", "has_pin"),
    ("EMAIL", "email"),
    ("ENABLED", "enabled"),
]
MESSAGES = [
    ("ID", "id"),
    ("RECEIVED", "received"),
    ("CALLER", "caller"),
    ("NAME", "caller_name"),
    ("SECONDS", "seconds"),
    ("FOLDER", "folder"),
    ("URGENT", "urgent"),
    ("MAIL", "mail_state"),
]
MAILS = [
    ("ID", "id"),
    ("QUEUED", "queued"),
    ("TO", "to"),
    ("STATE", "state"),
    ("TRIES", "attempts"),
    ("NEXT", "next"),
    ("FINISHED", "finished"),
    ("REASON", "reason"),
]


async def voicemail_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All mailboxes, or the messages of one.
    """
    if options.mailbox is None:
        answer = await api.ask("GET", path("voicemail"))
        return answer, table(answer["mailboxes"], MAILBOXES, "There are no mailboxes.")
    query = urlencode({"folder": options.folder or "", "deleted": "yes" if options.deleted else "no"})
    answer = await api.ask("GET", f"{path('voicemail', options.mailbox, 'messages')}?{query}")
    rows = [{**message, "mail_state": (message["mail"] or {}).get("state")} for message in answer["messages"]]
    return answer, table(rows, MESSAGES, "There are no such messages.")


async def voicemail_show(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    A mailbox, or one of its messages.
    """
    which = [] if options.message is None else ["messages", options.message]
    answer = await api.ask("GET", path("voicemail", options.mailbox, *which))
    return answer, tree(answer)


async def voicemail_delete(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One message less.
    """
    where = path("voicemail", options.mailbox, "messages", options.message)
    was_deleted = (await api.ask("GET", where))["deleted"]
    await api.ask("DELETE", where)
    said = "is gone for good" if was_deleted else "was deleted; the same once more, and it is gone for good"
    return {"deleted": options.message, "gone": was_deleted}, f"Message {options.message} {said}."


async def voicemail_pin(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another PIN, or none.
    """
    pin = None if options.remove else options.read_password("PIN")
    answer = await api.ask("PUT", path("voicemail", options.mailbox), {"pin": pin})
    return answer, f"Mailbox {options.mailbox} has {'no PIN any more' if pin is None else 'a new PIN'}."


async def mail_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What became of each mail.
    """
    query = urlencode({"state": options.state or "", "limit": options.limit})
    answer = await api.ask("GET", f"{path('mail')}?{query}")
    return answer, table(answer["mails"], MAILS, "There are no such mails.")


async def mail_retry(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    A mail that is sent again.
    """
    answer = await api.ask("POST", path("mail", options.id, "retry"))
    return answer, f"The mail to {answer['to']} is sent again."


async def mail_test(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    A mail that shows whether mail works.
    """
    answer = await api.ask("POST", path("mail", "test"), {"to": options.address}, timeout=PATIENCE)
    return answer, f"A test mail was sent to {answer['to']}."


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    actions = group(commands, "voicemail", "list, show and delete messages, set PINs")
    boxes = command(actions, "list", voicemail_list, "list the mailboxes, or the messages of one")
    boxes.add_argument("mailbox", nargs="?")
    boxes.add_argument("--folder", choices=["new", "saved", "work", "family", "friends"])
    boxes.add_argument("--deleted", action="store_true", help="the deleted messages")
    show = command(actions, "show", voicemail_show, "show a mailbox's settings, or a message")
    show.add_argument("mailbox")
    show.add_argument("message", nargs="?", help="the ID, as pbxctl voicemail list shows it")
    delete = command(actions, "delete", voicemail_delete, "delete a message; a deleted one for good")
    delete.add_argument("mailbox")
    delete.add_argument("message", help="the ID, as pbxctl voicemail list shows it")
    pin = command(actions, "pin", voicemail_pin, "set a mailbox's PIN, which is asked for, or read from a pipe")
    pin.add_argument("mailbox")
    pin.add_argument("--remove", action="store_true", help="take it away instead")
    actions = group(commands, "mail", "list what became of mail, try again, test")
    mails = command(actions, "list", mail_list, "list what became of each mail")
    mails.add_argument("--state", choices=["queued", "sending", "sent", "failed"])
    mails.add_argument("--limit", type=int, default=100, help="how many (default: %(default)s)")
    command(actions, "retry", mail_retry, "send a mail again").add_argument("id", help="as pbxctl mail list shows it")
    command(actions, "test", mail_test, "send a test mail").add_argument("address")
