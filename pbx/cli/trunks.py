"""
Trunks and what calls over them cost, routes, time conditions and permissions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pbx.cli.api import PATIENCE, CliError
from pbx.cli.offer import command, content, path
from pbx.cli.settings import settings
from pbx.cli.tables import table, tree
from pbx.ops.plan_sections import Permissions, Trunk

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

TRUNKS = [
    ("NAME", "name"),
    ("HOST", "host"),
    ("PRIORITY", "priority"),
    ("STATE", "health"),
    ("SINCE", "since"),
    ("REGISTERED", "registered"),
    ("CALLS", "channels"),
    ("FROM", "from"),
    ("REASON", "reason"),
]
RATES = [
    ("PREFIX", "prefix"),
    ("RATE", "rate"),
    ("CONNECTION FEE", "connection_fee"),
    ("INCREMENTS", "increments"),
]

class Allowed(Permissions, frozen=True):
    """
    The same, and whether it may call beyond the house at all.
    """

    external: bool = False


SETTING = {"nargs": "*", "metavar": "SETTING=VALUE"}


async def trunks_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All trunks, and how they are.
    """
    answer = await api.ask("GET", path("trunks"))
    rows = [{**each, **(each["state"] or {"health": "off"})} for each in answer["trunks"]]
    return answer, table(sorted(rows, key=lambda row: row["priority"]), TRUNKS, "There are no trunks.")


async def trunks_show(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All about one trunk.
    """
    answer = await api.ask("GET", path("trunks", options.name))
    return answer, tree(answer)


async def trunks_add(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another trunk.
    """
    body = {"name": options.name, "host": options.host, **settings(Trunk, options.settings)}
    if body.get("username"):
        body["password"] = options.read_password()
    answer = await api.ask("POST", path("trunks"), body)
    return answer, f"Trunk {options.name} was added. pbxctl trunks shows how it is."


async def trunks_set(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another setting of one.
    """
    changes = settings(Trunk, options.settings)
    where = path("trunks", options.name)
    if "host" in changes or "outbound_proxy" in changes:
        # The password that is kept is not sent elsewhere.
        before = await api.ask("GET", where)
        elsewhere = any(before[name] != changes[name] for name in ("host", "outbound_proxy") if name in changes)
        if elsewhere and before["password_set"]:
            changes["password"] = options.read_password()
            if not changes["password"]:
                raise CliError("Where requests go is another: the password is needed anew, and there was none.")
    answer = await api.ask("PUT", where, changes)
    return answer, tree(answer)


async def trunks_password(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another password of one.
    """
    answer = await api.ask("PUT", path("trunks", options.name), {"password": options.read_password()})
    return answer, f"Trunk {options.name} has {'a new' if answer['password_set'] else 'no'} password."


async def trunks_remove(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One trunk less.
    """
    await api.ask("DELETE", path("trunks", options.name))
    return {"removed": options.name}, f"Trunk {options.name} was removed."


async def rates_import(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What calls over a trunk cost from now on.
    """
    where = path("trunks", options.trunk, "rates")
    answer = await api.ask("PUT", where, content(options.file), timeout=PATIENCE)
    return answer, f"Trunk {options.trunk} has {answer['count']} rates."


async def rates_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What calls over a trunk cost.
    """
    query = urlencode({"prefix": options.prefix, "limit": options.limit})
    answer = await api.ask("GET", f"{path('trunks', options.trunk, 'rates')}?{query}")
    return answer, table(answer["rates"], RATES, "There are no such rates.")


async def rates_remove(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What nobody knows any more.
    """
    await api.ask("DELETE", path("trunks", options.trunk, "rates"))
    return {"removed": options.trunk}, f"The rates of trunk {options.trunk} were removed."


async def permissions(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What an extension may call, or some of it changed.
    """
    where = path("extensions", options.number, "permissions")
    changes = settings(Allowed, options.settings)
    if "external" in changes:
        # It is the extension's own, and was so before there were trunks.
        await api.ask("PUT", path("extensions", options.number), {"allow_external": changes.pop("external")})
    answer = await (api.ask("PUT", where, changes) if changes else api.ask("GET", where))
    return answer, tree(answer)


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    show = command(commands, "trunks", trunks_list, "list the trunks and how they are")
    actions = show.add_subparsers(metavar="ACTION")
    command(actions, "list", trunks_list, "list the trunks and how they are")
    command(actions, "show", trunks_show, "show all about a trunk").add_argument("name")
    add = command(actions, "add", trunks_add, "add a trunk; the password is asked for, or read from a pipe")
    add.add_argument("name")
    add.add_argument("host", help="the provider's domain, host name or address")
    add.add_argument("settings", **SETTING, help="username=493012345, transport=tls, max-channels=10, ...")  # type: ignore[arg-type]
    said = "change settings of a trunk; another host or proxy needs the password anew"
    change = command(actions, "set", trunks_set, said)
    change.add_argument("name")
    change.add_argument("settings", **SETTING, help="enabled=off, priority=2, dids=+4930123XX, port=none, ...")  # type: ignore[arg-type]
    secret = command(actions, "password", trunks_password, "set a trunk's password: asked for, or read from a pipe")
    secret.add_argument("name")
    command(actions, "remove", trunks_remove, "remove a trunk and its rates").add_argument("name")

    rates = commands.add_parser("rates", help="import and list what calls over a trunk cost")
    actions = rates.add_subparsers(required=True, metavar="ACTION")
    take = command(actions, "import", rates_import, "replace a trunk's rates by those of a CSV file")
    take.add_argument("trunk")
    take.add_argument("file", type=Path, help="with a header row: prefix,rate,connection_fee,increments")
    rows = command(actions, "list", rates_list, "list a trunk's rates")
    rows.add_argument("trunk")
    rows.add_argument("--prefix", default="", help="those that begin so")
    rows.add_argument("--limit", type=int, default=100, help="how many (default: %(default)s)")
    command(actions, "remove", rates_remove, "remove a trunk's rates").add_argument("trunk")

    one = command(commands, "permissions", permissions, "show or change what an extension may call beyond the house")
    one.add_argument("number")
    one.add_argument(
        "settings", **SETTING,  # type: ignore[arg-type]
        help="external=on, classes=local,national,mobile, concurrent=2, spend-per-day=10, hours=office,"
        " caller-id=+493012345, classes=none (as the whole site), ...",
    )
