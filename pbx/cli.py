"""
``pbxctl``: the exchange from the command line, through its REST API and nothing else.
"""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import ipaddress
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import treq
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.internet.task import react
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseNeverReceived
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from pbx.ops.place import place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treq.client import HTTPClient

TIMEOUT = 30.0
"""Seconds for an answer."""

TIMES = {"since", "until", "started_at", "registered_at", "expires_at"}
"""Keys whose value is a time, in ISO 8601 or in seconds."""

TIMES_IN_TEXT = {"started", "answered", "ended"}
"""Keys whose value is a time when it is text, and a count when it is a number."""


class CliError(Exception):
    """
    What the person at the terminal is told instead of a result.
    """


class Api:
    """
    The REST API of one exchange.
    """

    def __init__(self, client: HTTPClient, url: str) -> None:
        """
        An API that is not asked yet.

        Args:
            client: treq's client, which knows what certificate to expect.
            url: Where the exchange is, ``https://host:port``.
        """
        self._client = client
        self._url = url.rstrip("/")

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """
        Send a request and return the JSON of the answer.

        Raises:
            CliError: The exchange cannot be reached, or refuses.
        """
        more: dict[str, Any] = {"timeout": TIMEOUT}
        if body is not None:
            more |= {"data": json.dumps(body).encode(), "headers": {"Content-Type": ["application/json"]}}
        try:
            response = await self._client.request(method, self._url + path, **more)
            content = await response.content()
        except (ConnectError, DNSLookupError) as error:
            raise CliError(f"{self._url} cannot be reached: {error} Is the exchange running?")
        except CancelledError:
            raise CliError(f"{self._url} did not answer within {TIMEOUT:.0f} seconds.")
        except ResponseNeverReceived as error:
            reasons = "; ".join(failure.getErrorMessage() for failure in error.reasons)
            raise CliError(
                f"{self._url} gave no answer: {reasons}.\n"
                "If it is the certificate: name it by --cert (<data>/ssl/pbx.crt), or use -k to accept any."
            )
        try:
            answer = json.loads(content) if content else None
        except ValueError:
            raise CliError(f"{self._url} answered what is no JSON (status {response.code}).")
        if response.code >= 400:
            raise CliError(_problem(answer, response.code))
        return answer


def _problem(answer: Any, status: int) -> str:
    """
    A problem document (RFC 9457) in words.
    """
    if not isinstance(answer, dict):
        return f"The exchange answered {status}."
    lines = [str(answer.get("detail") or answer.get("title") or f"The exchange answered {status}.")]
    lines += [f"  {each.get('field')}: {each.get('detail')}" for each in answer.get("errors", [])]
    return "\n".join(lines)


def table(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str]], empty: str) -> str:
    """
    Rows as aligned columns under a heading.

    Args:
        rows: What the API gave.
        columns: Each as (heading, key).
        empty: What to say when there are no rows.
    """
    if not rows:
        return empty
    cells = [[heading for heading, _ in columns]]
    cells += [[_cell(key, row.get(key)) for _, key in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def _cell(key: str, value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in TIMES or (key in TIMES_IN_TEXT and isinstance(value, str)):
        return _local_time(value)
    if isinstance(value, float):
        return f"{value:.1f}"
    # What a phone called itself cannot paint the terminal.
    return "".join(each if each.isprintable() else "?" for each in str(value))


def _local_time(value: object) -> str:
    """
    A time of the API, ISO 8601 or seconds, in local time.
    """
    try:
        if isinstance(value, int | float):
            when = dt.datetime.fromtimestamp(value, dt.UTC)
        else:
            when = dt.datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return str(value)
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def tree(value: object, indent: int = 0) -> str:
    """
    Nested values as indented lines.
    """
    lines = []
    pairs = value.items() if isinstance(value, dict) else [("value", value)]
    for key, each in pairs:
        name = str(key).replace("_", " ")
        if isinstance(each, dict):
            lines += [f"{' ' * indent}{name}:", tree(each, indent + 2)] if each else []
        elif isinstance(each, list):
            items = (" ".join(map(str, item)) if isinstance(item, list) else str(item) for item in each)
            lines.append(f"{' ' * indent}{name}: {_cell('', ', '.join(items))}")
        else:
            lines.append(f"{' ' * indent}{name}: {_cell(str(key), each)}")
    return "\n".join(lines)


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
    await api.ask("DELETE", f"/api/extensions/{quote(options.number, safe='')}")
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
    await api.ask("DELETE", f"/api/calls/{quote(options.id, safe='')}")
    return {"ended": options.id}, f"Call {options.id} was ended."


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
    await api.ask("DELETE", f"/api/blocks/{quote(options.address, safe='')}")
    return {"unblocked": options.address}, f"{options.address} is let in again."


async def cdr(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    The last calls.
    """
    names = ("limit", "before", "caller", "callee", "disposition")
    query = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    answer = await api.ask("GET", f"/api/cdr?{urlencode(query)}")
    return answer, table(answer["records"], CDR, "There are no such calls.")


def read_password() -> str:
    """
    A password typed twice at the terminal, or the first line of what is piped in; never an argument, which others see.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CliError("The two passwords differ.")
    return password


def _common(to: argparse.ArgumentParser, *, is_command: bool) -> None:
    """
    The options that may stand before the command, or after it.
    """

    def default(value: object) -> object:
        # After the command, what was said before it stands.
        return argparse.SUPPRESS if is_command else value

    to.add_argument("--json", action="store_true", default=default(False), help="show what the API answers")
    url = "https://localhost:8080"
    to.add_argument("--url", default=default(url), help=f"the exchange (default: {url})")
    to.add_argument(
        "--cert", type=Path, default=default(None), help="its certificate (default: ssl/pbx.crt in the data directory)"
    )
    to.add_argument("-k", "--insecure", action="store_true", default=default(False), help="accept any certificate")


def parser() -> argparse.ArgumentParser:
    """
    What can be typed.
    """
    whole = argparse.ArgumentParser(prog="pbxctl", description="The exchange from the command line.")
    _common(whole, is_command=False)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(to: Any, name: str, run: Callable[..., Any], text: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = to.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        _common(one, is_command=True)
        one.set_defaults(run=run, read_password=read_password)
        return one

    command(commands, "status", status, "show how the exchange is")
    extensions = commands.add_parser("extensions", help="list, add and remove extensions")
    actions = extensions.add_subparsers(required=True, metavar="ACTION")
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
    return whole


async def run(options: argparse.Namespace, client: HTTPClient) -> str:
    """
    Carry out what was typed.

    Returns:
        What to show.

    Raises:
        CliError: It did not work.
    """
    answer, text = await options.run(Api(client, options.url), options)
    return json.dumps(answer, indent=2, ensure_ascii=False) if options.json else text


@implementer(IPolicyForHTTPS)
class AnyCertificate:
    """
    TLS to whoever answers, as ``curl -k`` has it.
    """

    def creatorForNetloc(self, hostname: bytes, port: int) -> CertificateOptions:  # noqa: N802 - Twisted calls it
        """
        The TLS state for a connection.
        """
        return CertificateOptions(verify=False)


def policy(options: argparse.Namespace) -> Any:
    """
    Which certificate is accepted: any, the named one, on this machine the exchange's own, else the authorities'.

    Raises:
        CliError: The file cannot be read.
    """
    if options.insecure:
        return AnyCertificate()
    path = options.cert
    if path is None and _is_local(urlsplit(options.url).hostname or ""):
        own = place().data / "ssl" / "pbx.crt"
        try:
            path = own if own.is_file() else None
        except OSError:
            # The data directory is its owner's; then the system's authorities are asked.
            path = None
    if path is None:
        return BrowserLikePolicyForHTTPS()
    try:
        certificate = Certificate.loadPEM(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CliError(f"{path}: {error}")
    return BrowserLikePolicyForHTTPS(trustRootFromCertificates([certificate]))


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(arguments: Sequence[str] | None = None) -> None:
    """
    The command itself.

    Raises:
        SystemExit: Always: 0 when it worked, 1 when not, 2 when it was mistyped.
    """
    options = parser().parse_args(arguments)

    async def typed(reactor: Any) -> None:
        try:
            client = treq.client.HTTPClient(Agent(reactor, policy(options), connectTimeout=TIMEOUT))
            sys.stdout.write(await run(options, client) + "\n")
        except CliError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(1)

    react(typed)
