"""
Routes beyond the house and from there, time conditions, and night switches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.cli.offer import command, group, path
from pbx.cli.settings import holidays, hours, settings, target
from pbx.cli.tables import table, tree
from pbx.ops.plan_sections import InboundRoute, OutboundRoute, TimeCondition

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

OUTBOUND = [
    ("POSITION", "position"),
    ("NAME", "name"),
    ("PATTERNS", "patterns"),
    ("CALLERS", "callers"),
    ("STRIP", "strip"),
    ("PREPEND", "prepend"),
    ("TRUNKS", "trunks"),
    ("TIME", "time"),
    ("ENABLED", "enabled"),
    ("FROM", "from"),
]
INBOUND = [
    ("POSITION", "position"),
    ("NAME", "name"),
    ("DID", "did"),
    ("CALLER", "caller"),
    ("TRUNK", "trunk"),
    ("DESTINATION", "destination"),
    ("TIME", "time"),
    ("CLOSED", "closed"),
    ("ENABLED", "enabled"),
    ("FROM", "from"),
]
CONDITIONS = [
    ("NAME", "name"),
    ("OPEN", "open"),
    ("SWITCH", "position"),
    ("KEY", "switch"),
    ("FROM", "from"),
    ("REASON", "reason"),
]
TARGETS = {"destination": target, "closed": target}
TIMES = {"hours": hours, "holidays": holidays}


def _target(value: dict[str, str] | None) -> str:
    return "" if value is None else " ".join(filter(None, (value["kind"].replace("_", " "), value["target"])))


async def _all(api: Api, many: str, member: str) -> dict[str, Any]:
    """
    Every route of a kind, however many pages they fill.
    """
    whole: dict[str, Any] = await api.ask("GET", path(many))
    while len(whole[member]) < whole["total"]:
        page = await api.ask("GET", f"{path(many)}?after={len(whole[member])}")
        if not page[member]:
            break
        whole[member] += page[member]
    return whole


async def outbound_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    The ways out, in the order of asking.
    """
    answer = await _all(api, "outbound-routes", "outbound_routes")
    rows = [
        {**each, **{name: ", ".join(each[name]) for name in ("patterns", "callers", "trunks")}}
        for each in answer["outbound_routes"]
    ]
    return answer, table(rows, OUTBOUND, "There are no outbound routes: every number goes out over all trunks.")


async def inbound_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    The ways in, in the order of asking.
    """
    answer = await _all(api, "inbound-routes", "inbound_routes")
    rows = [
        {
            **each, "did": each["did"] or "any", "caller": each["caller"] or "any", "trunk": each["trunk"] or "any",
            "destination": _target(each["destination"]), "closed": _target(each["closed"]),
        }
        for each in answer["inbound_routes"]
    ]
    return answer, table(rows, INBOUND, "There are no inbound routes: every call from a trunk is refused.")


async def outbound_add(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another way out.
    """
    body = {"name": options.name, "patterns": options.patterns.split(",")}
    answer = await api.ask("POST", path("outbound-routes"), body | settings(OutboundRoute, options.settings))
    return answer, f"Outbound route {options.name} was added, at position {answer['position']}."


async def inbound_add(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another way in.
    """
    typed = [f"destination={options.destination}", *options.settings]
    body = {"name": options.name, "did": "" if options.did == "any" else options.did}
    answer = await api.ask("POST", path("inbound-routes"), body | settings(InboundRoute, typed, TARGETS))
    return answer, f"Inbound route {options.name} was added, at position {answer['position']}."


async def routes_set(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another setting of a route.
    """
    changes = settings(options.struct, options.settings, TARGETS)
    answer = await api.ask("PUT", path(options.many, options.name), changes)
    return answer, tree(answer)


async def routes_remove(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One route less.
    """
    await api.ask("DELETE", path(options.many, options.name))
    return {"removed": options.name}, f"The route {options.name} was removed."


async def routes_move(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    A route that is asked earlier or later.
    """
    answer = await api.ask("PUT", path(options.many, options.name, "position"), {"position": options.position})
    return answer, f"The route {options.name} is at position {answer['position']}."


async def conditions_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All time conditions, and whether they are open.
    """
    answer = await api.ask("GET", path("time-conditions"))
    rows = [{**each, **each["now"]} for each in answer["time_conditions"]]
    return answer, table(rows, CONDITIONS, "There are no time conditions.")


async def conditions_show(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All about one.
    """
    answer = await api.ask("GET", path("time-conditions", options.name))
    return answer, _condition(answer)


async def conditions_add(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another one.
    """
    body = {"name": options.name, **settings(TimeCondition, options.settings, TIMES)}
    answer = await api.ask("POST", path("time-conditions"), body)
    return answer, _condition(answer)


async def conditions_set(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Another setting of one.
    """
    changes = settings(TimeCondition, options.settings, TIMES)
    answer = await api.ask("PUT", path("time-conditions", options.name), changes)
    return answer, _condition(answer)


async def conditions_remove(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One less.
    """
    await api.ask("DELETE", path("time-conditions", options.name))
    return {"removed": options.name}, f"Time condition {options.name} was removed."


async def switch(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    A night switch that is moved.
    """
    answer = await api.ask("PUT", path("time-conditions", options.name, "switch"), {"position": options.position})
    return answer, f"{answer['now']['reason'][:1].upper()}{answer['now']['reason'][1:]}."


def _condition(answer: dict[str, Any]) -> str:
    spans = [f"{' '.join(each['days'])} {each['start']}-{each['end']}" for each in answer["hours"]]
    days = [
        each["date"] + (f"..{each['until']}" if each["until"] else "") + (f" ({each['name']})" if each["name"] else "")
        for each in answer["holidays"]
    ]
    return tree({**answer, "hours": spans, "holidays": days})


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    ways = group(commands, "routes", "list, add, change, move and remove routes")
    for way, many, run, struct, text in (
        ("outbound", "outbound-routes", outbound_list, OutboundRoute, "the ways out"),
        ("inbound", "inbound-routes", inbound_list, InboundRoute, "the ways in"),
    ):
        listed = f"list {text}, the first to be asked first"
        actions = command(ways, way, run, listed).add_subparsers(metavar="ACTION")
        command(actions, "list", run, listed)
        adds = outbound_add if way == "outbound" else inbound_add
        add = command(actions, "add", adds, "add a route behind all others")
        add.add_argument("name")
        if way == "outbound":
            add.add_argument("patterns", help="what is dialled, such as 00. or 0[2-9].,0800. (see etc/config.yml)")
        else:
            add.add_argument("did", help="the number called, such as +493012345 or +4930123XX, or any")
            add.add_argument("destination", help="extension:1005, ring_group:600, menu:500, voicemail:1005, ...")
        change = command(actions, "set", routes_set, "change settings of a route")
        change.add_argument("name")
        for one in (add, change):
            one.add_argument(
                "settings", nargs="*", metavar="SETTING=VALUE",
                help="strip=2, prepend=+, trunks=a,b, time=office, enabled=off, ..." if way == "outbound"
                else "trunk=provider, time=office, closed=voicemail:1005, caller=anonymous, ...",
            )
        command(actions, "remove", routes_remove, "remove a route").add_argument("name")
        move = command(actions, "move", routes_move, "have a route asked earlier or later")
        move.add_argument("name")
        move.add_argument("position", type=int, help="as the list shows it")
        for action in actions.choices.values():
            action.set_defaults(many=many, struct=struct)

    listed = "list the time conditions and whether they are open"
    actions = command(commands, "conditions", conditions_list, listed).add_subparsers(metavar="ACTION")
    command(actions, "list", conditions_list, listed)
    command(actions, "show", conditions_show, "show all about a time condition").add_argument("name")
    for name, run, text in (
        ("add", conditions_add, "add a time condition"), ("set", conditions_set, "change a time condition"),
    ):
        one = command(actions, name, run, text)
        one.add_argument("name")
        one.add_argument(
            "settings", nargs="*", metavar="SETTING=VALUE",
            help='"hours=mon-fri 08:30-17:00, sat 09:00-12:00", holidays=12-25,2026-12-27..2026-12-31, switch=1, ...',
        )
    command(actions, "remove", conditions_remove, "remove a time condition").add_argument("name")

    moved = command(commands, "switch", switch, "move the night switch of a time condition")
    moved.add_argument("name")
    moved.add_argument("position", choices=["day", "night", "auto"], help="open, closed, or as the clock says")
