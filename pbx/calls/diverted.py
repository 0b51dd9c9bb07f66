"""
What a provider is told of those who have sent a call on: Diversion (RFC 5806) and History-Info (RFC 7044, 7544).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.directory.outbound import shown_as
from pbx.sip.diversion import Diversion as DiversionField
from pbx.sip.history_info import Entry
from pbx.sip.uri import URI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.calls.beyond import Line
    from pbx.directory.decision import Diversion
    from pbx.directory.outside import Way
    from pbx.directory.situation import Situation

REASONS: dict[str, tuple[str, int]] = {
    "always": ("unconditional", 302),
    "busy": ("user-busy", 486),
    "no answer": ("no-answer", 408),
    "unregistered": ("unavailable", 503),
    "failed": ("unavailable", 503),
    "dnd": ("do-not-disturb", 486),
    "follow me": ("follow-me", 302),
}
"""Why a call is sent on, as Diversion and History-Info have it (RFC 7544 7.1); a transfer is none of these."""


def diversion_fields(
    diversions: Sequence[Diversion], line: Line, way: Way, situation: Situation
) -> tuple[tuple[str, str], ...]:
    """
    The header fields that tell a provider who has sent a call on to beyond the house.

    Args:
        diversions: The steps by which it came there, the first first.
        line: The line to the provider.
        way: How it is called.
        situation: Who the extensions are.
    """
    steps = [(step, *REASONS[step.reason]) for step in diversions if step.reason in REASONS]
    if not steps or not line.trunk.diversion:
        return ()
    uris = [URI.parse(line.from_uri(_number(step.number, line, situation))) for step, *_ in steps]
    # RFC 5806 3.2: the last comes first.
    told = [
        ("Diversion", str(DiversionField(uri, reason)))
        for uri, (_, reason, _) in reversed([*zip(uris, steps, strict=True)])
    ]
    entries: list[Entry] = []
    index, before, cause = "1", "", None
    for uri, (_, _, why) in zip(uris, steps, strict=True):
        entries.append(Entry(uri, index, before, cause))
        before, index, cause = index, f"{index}.1", why
    entries.append(Entry(URI.parse(line.from_uri(way.number)), index, before, cause))
    return (*told, ("History-Info", ", ".join(map(str, entries))))


def _number(extension: str, line: Line, situation: Situation) -> str:
    """
    An extension's number as the world knows it.
    """
    found = situation.numbers.extension(extension)
    own = found.permissions.caller_id if found is not None else None
    return shown_as(line.trunk, own or line.trunk.caller_id or extension, situation.plan.site)
