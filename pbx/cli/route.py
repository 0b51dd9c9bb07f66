"""
Where a call would go and why, and cases that a plan is checked against.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import yaml

from pbx.cli.api import PATIENCE, CliError, UnsuccessfulError
from pbx.cli.offer import command, content, path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pbx.cli.api import Api

SEVERAL = ("called", "down", "degraded", "full", "up", "unregistered", "registered", "switch", "usage")
"""The options that may be given more than once."""


class _Loader(yaml.SafeLoader):
    """
    YAML as the exchange reads JSON: a time stays the text that was written.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(file: Path) -> Any:
    """
    What a file of cases says.

    Raises:
        CliError: It cannot be read, or is no YAML.
    """
    try:
        # What it makes are plain values, as yaml.safe_load does.
        return yaml.load(content(file), Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise CliError(f"{file} is no YAML: {error}")


async def route(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Where a call would go, or what came of cases.
    """
    if options.check is not None:
        if options.caller is not None:
            raise CliError("With --check the calls stand in the file.")
        return await _check(api, options.check)
    if options.number is None:
        raise CliError("Needed is who calls and what number: pbxctl route 1001 030123456; or --check FILE.")
    wanted = [("from", options.caller), ("number", options.number)]
    wanted += [(name, getattr(options, name)) for name in ("at", "trunk", "on_behalf", "address")]
    query = [(name, value) for name, value in wanted if value is not None]
    query += [(name, value) for name in SEVERAL for value in getattr(options, name) or ()]
    if options.anonymous:
        query.append(("anonymous", "true"))
    answer = await api.ask("GET", f"{path('route')}?{urlencode(query)}")
    over = f" over {answer['trunk']}" if answer["trunk"] else ""
    lines = [f"{answer['from'] or 'nobody'} calls {answer['number']}{over} at {answer['at']}"]
    return answer, "\n".join([*lines, *_shown(answer["tree"], "")])


async def _check(api: Api, file: Path) -> tuple[Any, str]:
    answer = await api.ask("POST", path("route", "check"), load(file), timeout=PATIENCE)
    lines: list[str] = []
    for verdict in answer["verdicts"]:
        if not verdict["passed"]:
            lines.append(f"FAILED: {verdict['name']}")
            lines += [f"  {text}" for text in verdict["differs"]]
            lines += [f"    because {text}" for text in verdict["reasons"]]
    count, failed = answer["cases"], answer["failed"]
    lines.append(f"{count} case{'' if count == 1 else 's'}, {failed or 'none'} failed.")
    if failed:
        raise UnsuccessfulError(answer, "\n".join(lines))
    return answer, "\n".join(lines)


def _shown(node: dict[str, Any], indent: str) -> Iterator[str]:
    """
    A tree as indented lines.
    """
    yield f"{indent}-> {_destination(node)}"
    inside = f"{indent}   "
    for way in (node.get("outgoing") or {}).get("ways", ()):
        rate = f", {way['rate']} a minute" if way["rate"] is not None else ""
        yield f"{inside}over {way['trunk']}: calls {way['number']}, shows {way['caller'] or 'no number'}{rate}"
    for ring in node["rings"]:
        yield f"{inside}rings {ring}"
    if node["on_behalf"]:
        yield f"{inside}on behalf of {node['on_behalf']}"
    for reason in node["reasons"]:
        yield f"{inside}because {reason}"
    for branch in node["branches"]:
        yield f"{inside}{branch['when']}:"
        yield from _shown(branch, f"{inside}  ")


def _destination(node: dict[str, Any]) -> str:
    kind = node["kind"].replace("_", " ")
    if node["kind"] == "refuse":
        return f"refused: {node['status']} {node['text']}"
    if node["kind"] == "outside":
        outgoing = node["outgoing"]
        emergency = outgoing["emergency"]
        if emergency is not None:
            where = f" from {emergency['location']}" if emergency["location"] else ""
            return f"emergency call to {outgoing['number']}{where}{', a test' if emergency['test'] else ''}"
        return f"outside: {outgoing['number']} ({outgoing['class']})"
    return f"{kind} {node['target']}".rstrip() + (f" {node['argument']}" if node.get("argument") else "")


def offer(commands: Any) -> None:
    """
    Offer the command.
    """
    one = command(commands, "route", route, "tell where a call would go, and why, without placing it")
    one.add_argument("caller", metavar="FROM", nargs="?", help="who calls: an extension, or with --trunk any number")
    one.add_argument("number", metavar="NUMBER", nargs="?", help="what is called")
    one.add_argument("--at", metavar="TIME", help="when, such as 2026-12-24T18:00 (default: now)")
    one.add_argument("--trunk", metavar="NAME", help="the call comes in over this trunk")
    one.add_argument("--called", metavar="NUMBER", action="append", help="what else the provider says was called")
    one.add_argument("--anonymous", action="store_true", help="the caller does not say who it is")
    one.add_argument("--on-behalf", metavar="EXTENSION", help="who transfers the call")
    one.add_argument("--address", metavar="ADDRESS", help="where the phone is, for its location")
    for name, metavar, text in (
        ("down", "TRUNK", "as if this trunk were down"),
        ("degraded", "TRUNK", "as if something were wrong with it"),
        ("full", "TRUNK", "as if it had no free channel"),
        ("up", "TRUNK", "as if it were up and had nothing to do"),
        ("unregistered", "EXTENSION", "as if this extension had no phone"),
        ("registered", "EXTENSION", "as if it had one"),
        ("switch", "CONDITION:POSITION", "as if the night switch of a time condition stood at day, night or auto"),
        ("usage", "EXTENSION:CALLS[:MINUTES[:SPENT]]", "as if this extension had used so much today"),
    ):
        one.add_argument(f"--{name}", metavar=metavar, action="append", help=text)
    one.add_argument("--check", metavar="FILE", type=Path, help="check a file of cases instead; 1 if one fails")
