"""
Settings as they are typed, ``max-channels=10``, as the API wants them.
"""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

import msgspec

from pbx.cli.api import CliError
from pbx.directory.time_condition import DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NOTHING = ("", "none", "null")
"""What takes a setting away."""

YES, NO = ("on", "yes", "true"), ("off", "no", "false")


def settings(struct: type[msgspec.Struct], typed: Iterable[str], special: Special | None = None) -> dict[str, Any]:
    """
    What was typed, each ``SETTING=VALUE``.

    A list is typed with commas. What it can be is left to the exchange, which knows better.

    Args:
        struct: The body that they are for.
        typed: The settings.
        special: Reads those that are no plain values.

    Raises:
        CliError: There is no such setting, or it cannot be that.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    body: dict[str, Any] = {}
    for each in typed:
        name, equals, value = each.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in fields or name in ("name", "password"):
            known = ", ".join(sorted(key for key in fields if key not in ("name", "password")))
            raise CliError(f"{each}: needed is SETTING=VALUE, the setting one of {known}.")
        read = (special or {}).get(name)
        try:
            body[name] = _plain(fields[name].type, value) if read is None else read(value.strip())
        except ValueError as error:
            raise CliError(f"{each}: {error}.")
    return body


def target(value: str) -> dict[str, str] | None:
    """
    Where callers go, typed as ``extension:1005``.

    Raises:
        ValueError: It is typed otherwise.
    """
    if value in NOTHING:
        return None
    kind, colon, number = value.partition(":")
    if not colon and kind != "hangup":
        raise ValueError("needed is KIND:TARGET such as extension:1005, voicemail:1005, announcement:closed, or hangup")
    return {"kind": kind.replace("-", "_"), "target": number}


def hours(value: str) -> list[dict[str, Any]]:
    """
    Opening hours, typed as ``mon-fri 08:30-17:00, sat 09:00-12:00``.

    Raises:
        ValueError: They are typed otherwise.
    """
    spans = []
    for each in value.split(",") if value not in NOTHING else ():
        days, _, clock = each.strip().partition(" ")
        start, dash, end = clock.replace(" ", "").partition("-")
        if not dash:
            raise ValueError("needed is DAYS START-END such as mon-fri 08:30-17:00, several with commas between")
        spans.append({"days": _days(days), "start": start, "end": end})
    return spans


def holidays(value: str) -> list[dict[str, Any]]:
    """
    Holidays, typed as ``12-25, 2026-12-27..2026-12-31``.
    """
    days = []
    for each in value.split(",") if value not in NOTHING else ():
        first, _, last = each.strip().partition("..")
        days.append({"date": first.strip(), "until": last.strip() or None})
    return days


Special = typing.Mapping[str, "Callable[[str], Any]"]


def _days(value: str) -> list[str]:
    days: list[str] = []
    for part in value.lower().split("+"):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part!r} is no day; they are {', '.join(DAYS)}, and mon-fri or mon+wed are several")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days += DAYS[begin:end + 1] if begin <= end else (*DAYS[begin:], *DAYS[:end + 1])
    return days


def _plain(kind: Any, typed: str) -> Any:
    plain, value = _types(kind), typed.strip()
    if type(None) in plain and value in NOTHING:
        return None
    if bool in plain:
        if value not in (*YES, *NO):
            raise ValueError("it is on or off")
        return value in YES
    if tuple in plain:
        items = [] if value in NOTHING else [item.strip() for item in value.split(",")]
        return [int(item) if item.isascii() and item.isdigit() and int in plain else item for item in items]
    if int in plain:
        if not (value.isascii() and value.isdigit()):
            raise ValueError("it is a whole number")
        return int(value)
    # A space behind a prefix of names is meant.
    return typed


def _types(kind: Any) -> set[type]:
    """
    What plain types a field takes; of a list also those of its items.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _types(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return {found for part in arguments for found in _types(part)}
    if origin is tuple:
        return {tuple, *_types(arguments[0])} - {bool}
    if origin is typing.Literal:
        return {type(value) for value in arguments}
    return {kind}
