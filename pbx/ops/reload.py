"""
What is different between two readings of the configuration, and what of that waits for a restart, with the reason.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from pbx.ops.strict import fields_of, is_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pbx.ops.sections import Configuration

SOCKETS: Final = "the phones' sockets are opened once, and closing one would cut off the phones on it"
SHARED: Final = "ports and open files are shared out among calls and connections at the start"

RESTART: Final = {
    "server.sip_host": SOCKETS,
    "server.sip_port": SOCKETS,
    "server.sip_tls_port": SOCKETS,
    "server.rtp_port_range_start": SHARED,
    "server.rtp_port_range_end": SHARED,
    "server.dns": "who asks the name servers is made at the start",
    "paths.data": "database, spool and recordings are open there",
    "api.host": "the socket of the API is opened once",
    "api.port": "the socket of the API is opened once",
    "database.url": "records and registrations are kept in the one that is open",
    "manhole": "the debug shell is opened once",
}
"""The keys, or sections, that are looked at only at the start, and why."""

LONGEST: Final = 200
"""Characters of a value in a text for people; in data it is whole."""

MOST: Final = 1000
"""Changes that are listed at the most: of a file that is another altogether nobody reads more."""

HIDDEN: Final = "<secret>"


@attrs.frozen
class Change:
    """
    One key that is different.

    Attributes:
        key: The key; what has a name is found by it: ``sip_trunks[Primary Trunk].host``.
        before: Its value in the words of the file; ``None`` also where it was not there. Secrets are not shown.
        after: The same now.
        what: ``changed``, or ``added`` or ``removed`` for what has a name, or ``moved`` for another order of such.
        secret: Whether the value is a secret, which is why neither is shown.
        reason: Why it waits for a restart; empty when it does not.
    """

    key: str
    before: Any = None
    after: Any = None
    what: str = "changed"
    secret: bool = False
    reason: str = ""

    def __str__(self) -> str:
        if self.secret:
            return f"{self.key}: changed"
        if self.what in {"added", "removed"}:
            return f"{self.key}: {self.what} {_text(self.after if self.what == 'added' else self.before)}"
        return f"{self.key}: {_text(self.before)} -> {_text(self.after)}"

    def as_row(self) -> dict[str, Any]:
        """
        The change as the API shows it.
        """
        row: dict[str, Any] = {"key": self.key, "what": self.what, "before": self.before, "after": self.after}
        row |= {"secret": self.secret, "text": str(self)}
        return {**row, "reason": self.reason} if self.reason else row


@attrs.frozen
class Report:
    """
    What a reload came to.

    Attributes:
        changed: What is in effect now and was not before; :data:`MOST` of it.
        waiting: What the file says otherwise than it did at the start, and waits for a restart.
        more: How much else is in effect now and was not before.
        doubts: What somebody should look at all the same, such as a route that names a trunk that there is not.
    """

    changed: tuple[Change, ...] = ()
    waiting: tuple[Change, ...] = ()
    more: int = 0
    doubts: tuple[str, ...] = ()

    def as_row(self) -> dict[str, Any]:
        """
        The report as the API shows it.
        """
        return {
            "changed": [change.as_row() for change in self.changed],
            "more": self.more,
            "waiting": [change.as_row() for change in self.waiting],
            "doubts": list(self.doubts),
        }


def report(started: Configuration, before: Configuration, after: Configuration) -> Report:
    """
    What a reload comes to.

    Args:
        started: What the program started with.
        before: What it read last.
        after: What it has read now.
    """
    changed = [change for change in compare(before, after) if not change.reason]
    waiting = [change for change in compare(started, hold(after, started)) if change.reason]
    return Report(tuple(changed[:MOST]), tuple(waiting), max(0, len(changed) - MOST))


def hold(started: Configuration, after: Configuration) -> Configuration:
    """
    What can be gone by until the next start: what waits for it is as it was.

    Args:
        started: What the program started with.
        after: What it has read now.
    """
    for key in RESTART:
        after = _put(after, key.split("."), started)
    return after


def _put(into: Any, path: list[str], source: Any) -> Any:
    value = getattr(source, path[0])
    if len(path) > 1:
        value = _put(getattr(into, path[0]), path[1:], value)
    return msgspec.structs.replace(into, **{path[0]: value})


def compare(before: Configuration, after: Configuration) -> list[Change]:
    """
    Every key that is different, in the order of the file.
    """
    return list(_sections("", before, after))


def _sections(path: str, before: msgspec.Struct, after: msgspec.Struct) -> Iterator[Change]:
    if before == after:
        return
    for field in fields_of(type(after)):
        key = f"{path}.{field.encode_name}" if path else field.encode_name
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old == new:
            continue
        if isinstance(old, msgspec.Struct) and isinstance(new, msgspec.Struct):
            yield from _sections(key, old, new)
        elif _is_named(old) and _is_named(new):
            yield from _named(key, old, new)
        elif is_secret(field.type):
            yield Change(key, secret=True, reason=_reason(key))
        else:
            yield Change(key, _plain(old), _plain(new), reason=_reason(key))


def _named(path: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Iterator[Change]:
    """
    Compare what has names, piece by piece, wherever each stands.
    """
    old, new = {each.name: each for each in before}, {each.name: each for each in after}
    for name, piece in old.items():
        if name not in new:
            yield Change(f"{path}[{name}]", before=_plain(piece), what="removed", reason=_reason(path))
    for name, piece in new.items():
        if name not in old:
            yield Change(f"{path}[{name}]", after=_plain(piece), what="added", reason=_reason(path))
        else:
            yield from _sections(f"{path}[{name}]", old[name], piece)
    order = [name for name in old if name in new], [name for name in new if name in old]
    if order[0] != order[1]:
        yield Change(path, *order, what="moved", reason=_reason(path))


def _is_named(value: object) -> bool:
    """
    Whether a value is a list of sections that cannot do without a name; an empty one may be.
    """
    if not isinstance(value, tuple):
        return False
    return all(
        isinstance(each, msgspec.Struct)
        and any(field.name == "name" and field.required for field in fields_of(type(each)))
        for each in value
    )


def _reason(key: str) -> str:
    while key:
        if key in RESTART:
            return RESTART[key]
        key = key.rpartition(".")[0]
    return ""


def _plain(value: Any) -> Any:
    """
    A value as JSON can say it; of a section what is not as it would be without it.
    """
    if isinstance(value, msgspec.Struct):
        plain = {}
        for field in fields_of(type(value)):
            held = getattr(value, field.name)
            if field.required or held != field.default:
                plain[field.encode_name] = HIDDEN if held and is_secret(field.type) else _plain(held)
        return plain
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
