"""
Conferences, ring groups and menus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.cli.offer import command, group, path
from pbx.cli.tables import table, tree

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

CONFERENCES = [
    ("NUMBER", "number"),
    ("NAME", "name"),
    ("PIN", "pin_set"),
    ("MODERATOR PIN", "moderator_pin_set"),
    ("PEOPLE", "people"),
    ("MOST", "max_members"),
    ("STARTED", "started"),
    ("LOCKED", "locked"),
    ("RECORDING", "recording"),
]
MEMBERS = [
    ("ID", "id"),
    ("NUMBER", "number"),
    ("NAME", "name"),
    ("MODERATOR", "moderator"),
    ("JOINED", "joined"),
    ("WAITING", "waiting"),
    ("MUTED", "muted"),
    ("TALKING", "talking"),
]
RING_GROUPS = [
    ("NUMBER", "number"),
    ("NAME", "name"),
    ("STRATEGY", "strategy"),
    ("MEMBERS", "members"),
    ("TIMEOUT", "timeout"),
    ("OTHERWISE", "otherwise"),
]
MENUS = [
    ("NUMBER", "number"),
    ("NAME", "name"),
    ("GREETING", "greeting"),
    ("KEYS", "keys"),
    ("DIRECT DIAL", "direct_dial"),
    ("LANGUAGE", "language"),
]


def destination(value: dict[str, Any] | None) -> str:
    """
    Where callers go, in words.
    """
    if value is None:
        return ""
    words = (value["kind"].replace("_", " "), value["target"], value.get("argument", ""))
    return " ".join(word for word in words if word)


def _room(room: dict[str, Any]) -> dict[str, Any]:
    live = room["live"]
    if live is None:
        return {**room, "people": 0}
    return {
        **room,
        "people": len(live["members"]),
        "started": live["started"],
        "locked": live["locked"],
        "recording": live["recording"] is not None,
    }


async def conferences_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All rooms.
    """
    answer = await api.ask("GET", path("conferences"))
    rooms = [_room(room) for room in (*answer["conferences"], *answer["ad_hoc"])]
    return answer, table(rooms, CONFERENCES, "There are no conferences.")


async def conferences_show(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One room, and who is there.
    """
    answer = await api.ask("GET", path("conferences", options.number))
    return answer, _whole(answer)


def _whole(room: dict[str, Any]) -> str:
    live = room["live"]
    members = table([] if live is None else live["members"], MEMBERS, "Nobody is there.")
    state = {} if live is None else {key: value for key, value in live.items() if key != "members"}
    return f"{tree({key: value for key, value in room.items() if key != 'live'} | state)}\n\n{members}"


async def conferences_act(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Something done to a conference.
    """
    answer = await api.ask("POST", path("conferences", options.number, options.act))
    return answer, f"Conference {options.number} {options.said}."


async def conferences_mute(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Somebody who is not heard any more, or again; or all who are no moderators.
    """
    if options.member is not None:
        return await conferences_member(api, options)
    answer = await api.ask("POST", path("conferences", options.number, "mute-all"))
    return answer, f"All in conference {options.number} but moderators are muted."


async def conferences_member(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Something done to somebody in a conference.
    """
    answer = await api.ask("POST", path("conferences", options.number, "members", options.member, options.act))
    return answer, f"{options.member} {options.said}."


async def ring_groups_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All ring groups.
    """
    answer = await api.ask("GET", path("ring-groups"))
    rows = [
        {
            **each,
            "members": ", ".join(
                member["number"] + (f" after {member['after']} s" if member["after"] else "")
                for member in each["members"]
            ),
            "otherwise": destination(each["otherwise"]),
        }
        for each in answer["ring_groups"]
    ]
    return answer, table(rows, RING_GROUPS, "There are no ring groups.")


async def menus_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All menus.
    """
    answer = await api.ask("GET", path("menus"))
    rows = [{**each, "greeting": ", ".join(each["greeting"]), "keys": _keys(each)} for each in answer["menus"]]
    return answer, table(rows, MENUS, "There are no menus.")


def _keys(menu: dict[str, Any]) -> str:
    return ", ".join(
        f"{choice['key']}: {destination(choice['destination']) or choice['language'] or 'again'}"
        for choice in menu["choices"]
    )


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    actions = group(commands, "conferences", "list conferences, and see to what goes on in them")
    command(actions, "list", conferences_list, "list all conferences")
    command(actions, "show", conferences_show, "show a conference and who is there").add_argument("number")
    for name, act, text, said in (
        ("lock", "lock", "let nobody else into a conference", "is locked"),
        ("unlock", "unlock", "let others into a conference again", "is open again"),
        ("end", "end", "end a conference", "was ended"),
    ):
        one = command(actions, name, conferences_act, text)
        one.set_defaults(act=act, said=said)
        one.add_argument("number")
    for name, run, text, said in (
        ("kick", conferences_member, "send somebody away", "was sent away"),
        ("mute", conferences_mute, "mute somebody, or all but the moderators", "is muted"),
        ("unmute", conferences_member, "let somebody be heard again", "is heard again"),
    ):
        one = command(actions, name, run, text)
        one.set_defaults(act=name, said=said)
        one.add_argument("number")
        nargs = "?" if run is conferences_mute else None
        one.add_argument("member", nargs=nargs, help="the ID, as pbxctl conferences show shows it")
    actions = group(commands, "ring-groups", "list ring groups")
    command(actions, "list", ring_groups_list, "list all ring groups")
    actions = group(commands, "menus", "list menus")
    command(actions, "list", menus_list, "list all menus")
