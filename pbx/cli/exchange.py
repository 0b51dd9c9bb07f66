"""
The exchange itself, its extensions, and what goes on and went on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pbx.cli.offer import command, group, path
from pbx.cli.tables import printable, table, tree

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

EXTENSIONS = [
    ("NUMBER", "number"),
    ("NAME", "name"),
    ("EMAIL", "email"),
    ("EXTERNAL", "allow_external"),
    ("ADMIN", "is_admin"),
    ("ENABLED", "enabled"),
]
CALLS = [
    ("ID", "id"),
    ("CALLER", "caller"),
    ("CALLEE", "callee"),
    ("STATE", "state"),
    ("SINCE", "since"),
    ("MEDIA", "media_path"),
    ("MOS", "mos"),
]
REGISTRATIONS = [
    ("EXTENSION", "aor"),
    ("CONTACT", "contact"),
    ("TRANSPORT", "transport"),
    ("ADDRESS", "remote_host"),
    ("PHONE", "user_agent"),
    ("SINCE", "registered_at"),
    ("UNTIL", "expires_at"),
]
BLOCKS = [
    ("ADDRESS", "address"),
    ("USER", "user"),
    ("UNTIL", "until"),
]
CDR = [
    ("STARTED", "started"),
    ("CALLER", "caller"),
    ("CALLEE", "callee"),
    ("TRUNK", "trunk"),
    ("RESULT", "disposition"),
    ("SECONDS", "billable"),
    ("REASON", "reason"),
]


async def status(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    How the exchange is.
    """
    answer = await api.ask("GET", "/api/status")
    return answer, tree(answer)


async def reload(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    The configuration read again.
    """
    answer = await api.ask("POST", "/api/reload")
    lines = ["In effect now:" if answer["changed"] else "Nothing in effect has changed."]
    lines += [f"  {printable(change['text'])}" for change in answer["changed"]]
    if answer["more"]:
        lines.append(f"  and {answer['more']} more")
    if answer["waiting"]:
        lines.append("Waiting for a restart:")
        lines += [f"  {printable(change['text'])} ({change['reason']})" for change in answer["waiting"]]
    if answer["doubts"]:
        lines.append("To be looked at:")
        lines += [f"  {printable(doubt)}" for doubt in answer["doubts"]]
    return answer, "\n".join(lines)


async def extensions_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All extensions.
    """
    answer = await api.ask("GET", "/api/extensions")
    return answer, table(answer["extensions"], EXTENSIONS, "There are no extensions.")


async def extensions_add(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One more extension.
    """
    body = {
        "number": options.number,
        "name": options.name,
        "email": options.email,
        "password": options.read_password(),
        "allow_external": options.external,
        "is_admin": options.admin,
    }
    answer = await api.ask("POST", "/api/extensions", body)
    return answer, f"Extension {answer['number']} ({answer['name']}) was added."


async def extensions_remove(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One extension less.
    """
    await api.ask("DELETE", path("extensions", options.number))
    return {"removed": options.number}, f"Extension {options.number} was removed."


async def calls(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    The live calls.
    """
    answer = await api.ask("GET", "/api/calls")
    return answer, table(answer["calls"], CALLS, "There are no calls.")


async def hangup(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One call less.
    """
    await api.ask("DELETE", path("calls", options.id))
    return {"ended": options.id}, f"Call {options.id} was ended."


async def transfer(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Somebody sent elsewhere.
    """
    where = {name: getattr(options, name) for name in ("to", "voicemail", "call") if getattr(options, name) is not None}
    await api.ask("POST", path("calls", options.id, "transfer"), {"by": options.by, **where})
    [(name, value)] = where.items()
    said = {"to": value, "voicemail": f"voicemail {value}", "call": f"call {value}"}[name]
    return {"transferred": options.id, "by": options.by, **where}, (
        f"Whoever {options.by} talked to in call {options.id} was sent to {said}."
    )


async def registrations(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    The registered phones.
    """
    answer = await api.ask("GET", "/api/registrations")
    return answer, table(answer["registrations"], REGISTRATIONS, "No phone is registered.")


async def blocks(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Who is not let in.
    """
    answer = await api.ask("GET", "/api/blocks")
    return answer, table(answer["blocks"], BLOCKS, "Nobody is blocked.")


async def unblock(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One address that is let in again.
    """
    await api.ask("DELETE", path("blocks", options.address))
    return {"unblocked": options.address}, f"{options.address} is let in again."


async def cdr(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    The last calls.
    """
    names = ("limit", "before", "caller", "callee", "disposition", "direction", "trunk")
    query = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    answer = await api.ask("GET", f"/api/cdr?{urlencode(query)}")
    return answer, table(answer["records"], CDR, "There are no such calls.")


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    command(commands, "status", status, "show how the exchange is")
    command(commands, "reload", reload, "read config.yml again, and show what is different now")
    actions = group(commands, "extensions", "list, add and remove extensions")
    command(actions, "list", extensions_list, "list all extensions")
    add = command(actions, "add", extensions_add, "add an extension; the password is asked for, or read from a pipe")
    add.add_argument("number", help="the digits to dial")
    add.add_argument("name", help="who it is, as phones display it")
    add.add_argument("--email", help="where voicemail goes")
    add.add_argument("--external", action="store_true", help="may call beyond the exchange")
    add.add_argument("--admin", action="store_true", help="may administer the exchange")
    command(actions, "remove", extensions_remove, "remove an extension").add_argument("number")
    command(commands, "calls", calls, "list the calls that are going on")
    command(commands, "hangup", hangup, "end a call").add_argument("id", help="as pbxctl calls shows it")
    send = command(commands, "transfer", transfer, "send whoever an extension talks to elsewhere")
    send.add_argument("id", help="the call, as pbxctl calls shows it")
    send.add_argument("--by", metavar="NUMBER", required=True, help="the extension that gives the other away")
    where = send.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", metavar="NUMBER", help="to a number, which is rung")
    where.add_argument("--voicemail", metavar="NUMBER", help="to a mailbox, whose extension is not rung")
    where.add_argument("--call", metavar="ID", help="to whom the extension talks to in another of its calls")
    command(commands, "registrations", registrations, "list the phones that are registered")
    command(commands, "blocks", blocks, "list the addresses that are blocked after too many wrong passwords")
    lift = command(commands, "unblock", unblock, "let a blocked address in again")
    lift.add_argument("address", help="as pbxctl blocks shows it")
    records = command(commands, "cdr", cdr, "list the last calls")
    records.add_argument("--limit", type=int, default=20, help="how many (default: %(default)s)")
    records.add_argument("--before", metavar="TIME", help="only those started before, such as 2026-01-02T15:04:05")
    records.add_argument("--caller", metavar="NUMBER")
    records.add_argument("--callee", metavar="NUMBER")
    records.add_argument("--disposition", choices=["answered", "busy", "no answer", "cancelled", "failed"])
    records.add_argument("--direction", choices=["internal", "inbound", "outbound"])
    records.add_argument("--trunk", metavar="NAME", help="only those over this trunk")
