"""
How extensions want their calls handled, what they do, and which phones want to be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.cli.api import CliError
from pbx.cli.offer import command, group, path
from pbx.cli.tables import table, tree

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

PRESENCE = [
    ("NUMBER", "number"),
    ("NAME", "name"),
    ("STATE", "state"),
    ("PHONE", "registered"),
    ("DND", "dnd"),
    ("CALLS", "calls"),
    ("SINCE", "since"),
]
LINES = [
    ("DIRECTION", "direction"),
    ("STATE", "state"),
    ("PEER", "peer"),
    ("NAME", "peer_name"),
]
SUBSCRIPTIONS = [
    ("EXTENSION", "extension"),
    ("EVENT", "event"),
    ("RESOURCE", "resource"),
    ("ADDRESS", "address"),
    ("PHONE", "user_agent"),
    ("SINCE", "since"),
    ("UNTIL", "until"),
]

SWITCHES = ("dnd", "voicemail")
"""What is on or off."""

NUMBERS = ("forward_always", "forward_busy", "forward_no_answer", "forward_unregistered", "pickup_group")
"""What is a number or a name, or nothing."""

LISTS = ("simultaneous", "blocked")
"""What is several numbers."""

SETTINGS = (*SWITCHES, *NUMBERS, *LISTS, "no_answer_timeout", "follow_me")
"""Everything that can be set."""

NOTHING = ("", "none", "off")
"""What takes a setting away."""


async def handling_show(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    How an extension's calls are handled.
    """
    answer = await api.ask("GET", path("extensions", options.number, "handling"))
    return answer, _handling(answer)


async def handling_set(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Some of it changed.
    """
    changes = dict(setting(each) for each in options.settings)
    answer = await api.ask("PATCH", path("extensions", options.number, "handling"), changes)
    return answer, _handling(answer)


def setting(typed: str) -> tuple[str, object]:
    """
    A setting as it is typed, ``forward-busy=1006``, as the API wants it.

    Raises:
        CliError: There is no such setting, or it cannot be that.
    """
    name, equals, value = typed.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or name not in SETTINGS:
        raise CliError(f"{typed}: needed is SETTING=VALUE, the setting one of {', '.join(sorted(SETTINGS))}.")
    if name in SWITCHES:
        if value not in ("on", "off", "yes", "no"):
            raise CliError(f"{typed}: {name} is on or off.")
        return name, value in ("on", "yes")
    if name == "no_answer_timeout":
        return name, None if value in NOTHING else _whole(typed, value)
    if name in NUMBERS:
        return name, None if value in NOTHING else value
    several = [] if value in NOTHING else value.split(",")
    return name, [_follow_me(typed, each) for each in several] if name == "follow_me" else several


def _follow_me(typed: str, value: str) -> dict[str, object]:
    number, *seconds = value.split(":")
    if len(seconds) > 2:
        raise CliError(f"{typed}: needed is NUMBER:AFTER:LASTING, the seconds may be left out.")
    return {"number": number} | {
        name: _whole(typed, text) for name, text in zip(("after", "lasting"), seconds, strict=False)
    }


def _whole(typed: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise CliError(f"{typed}: {value} is no whole number of seconds.")
    return int(value)


def _handling(answer: dict[str, Any]) -> str:
    steps = [
        f"{step['number']} after {step['after']} s" + (f" for {step['lasting']} s" if step["lasting"] else "")
        for step in answer["follow_me"]
    ]
    return tree({**answer, "follow_me": steps})


async def presence(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What extensions do.
    """
    if options.number is None:
        answer = await api.ask("GET", path("presence"))
        return answer, table(answer["presence"], PRESENCE, "There are no extensions.")
    answer = await api.ask("GET", path("presence", options.number))
    lines = table(answer["lines"], LINES, "It is not on the phone.")
    return answer, f"{table([answer], PRESENCE, '')}\n\n{lines}"


async def subscriptions(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Which phones want to be told of what.
    """
    answer = await api.ask("GET", path("subscriptions"))
    return answer, table(answer["subscriptions"], SUBSCRIPTIONS, "No phone has subscribed to anything.")


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    actions = group(commands, "handling", "show and set how an extension's calls are handled")
    command(actions, "show", handling_show, "show how an extension's calls are handled").add_argument("number")
    change = command(actions, "set", handling_set, "set some of how an extension's calls are handled")
    change.add_argument("number")
    change.add_argument(
        "settings",
        nargs="+",
        metavar="SETTING=VALUE",
        help="dnd=on, forward-busy=1006, forward-busy=none, no-answer-timeout=20, simultaneous=1006,1007, "
        "follow-me=1006:10:20 (after 10 seconds, for 20), blocked=0900*,anonymous, pickup-group=sales, ...",
    )
    one = command(commands, "presence", presence, "list what the extensions do")
    one.add_argument("number", nargs="?", help="one of them, with whom it talks to")
    command(commands, "subscriptions", subscriptions, "list the phones that want to be told of lamps and messages")
