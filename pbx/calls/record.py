"""
The call detail record: made from a call's events alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.logger import Logger
from zope.interface import Interface

from pbx.calls.events import (
    CallAnswered,
    CallBegan,
    CallEnded,
    CallsMerged,
    LegAnswered,
    LegBegan,
    LegEnded,
    LegRang,
    MediaChanged,
    StepNoted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.calls.events import CallEvent


class IRecords(Interface):
    """
    Where records are kept.
    """

    def add(record: Callable[[], dict[str, Any]]) -> None:  # noqa: N805
        """
        Keep what ``record()`` returns, exactly once by its ``id``; never waits, and asks for it when it is written.
        """


class Recorder:
    """
    Collects the events of each live call, and has its record made of them when it has ended.

    Args:
        records: Where they go.
    """

    log = Logger()

    def __init__(self, records: IRecords) -> None:
        self._records = records
        self._open: dict[str, list[CallEvent]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def event(self, event: CallEvent) -> None:
        """
        Take an event.
        """
        # Between two messages nothing is done but this: the record is made when there is time.
        if type(event) is CallBegan:
            self._open[event.call] = [event]
            return
        events = self._open.get(event.call)
        if events is None:
            return
        events.append(event)
        if type(event) is CallsMerged:
            del self._open[event.call]
            self._open.get(event.into, []).extend(moved(events, event))
        elif type(event) is CallEnded:
            del self._open[event.call]
            # Calls that went as they should are many, and stand in the records.
            if event.disposition != "answered" or event.by == "system":
                self.log.info(
                    "{call_id}: {disposition}: {reason}",
                    call_id=event.call, disposition=event.disposition, reason=event.reason,
                )
            self._records.add(partial(record_of, events))


def record_of(events: Iterable[CallEvent]) -> dict[str, Any]:
    """
    Make the record of a call.

    Args:
        events: All that happened to it, in order.

    Returns:
        JSON values.
    """
    record: dict[str, Any] = {
        "answered": None, "billable": 0.0, "media_path": None, "codec": None, "direction": "internal", "trunk": None,
    }
    legs: dict[int, dict[str, Any]] = {}
    started, answered = 0.0, None
    for event in events:
        if type(event) is CallBegan:
            started = event.clock
            record.update(
                id=event.call, call_id=event.sip_call_id, caller=event.caller, caller_name=event.caller_name,
                callee=event.callee, started=stamp(event.at), route=list(event.reasons),
            )
        elif type(event) is LegBegan:
            legs[event.leg] = {
                "direction": event.direction, "party": event.party, "address": event.address,
                "call_id": event.sip_call_id, "started": stamp(event.at), "rang": None, "answered": None,
                "ended": None, "codec": None, "status": None, "reason": None, "quality": None,
            }
            if event.trunk:
                legs[event.leg].update(trunk=event.trunk, payer=event.payer, emergency=event.emergency)
                _note_trunk(record, event)
        elif type(event) is LegRang:
            legs[event.leg]["rang"] = stamp(event.at)
        elif type(event) is LegAnswered:
            leg = legs[event.leg]
            leg["answered"], leg["codec"] = stamp(event.at), event.codec
            if record["direction"] == "outbound":
                record["trunk"] = leg.get("trunk") or record["trunk"]
        elif type(event) is MediaChanged:
            record.update(media_path=event.media_path, codec=event.callee_codec)
            legs[event.caller_leg]["codec"] = event.caller_codec
            legs[event.callee_leg]["codec"] = event.callee_codec
        elif type(event) is StepNoted:
            record["route"].append(event.reason)
        elif type(event) is LegEnded:
            quality = event.quality.as_dict() if event.quality is not None else None
            leg = legs[event.leg]
            leg["ended"], leg["status"], leg["reason"], leg["quality"] = (
                stamp(event.at), event.status, event.reason, quality,
            )
        elif type(event) is CallAnswered:
            answered = event.clock
            record["answered"] = stamp(event.at)
        elif type(event) is CallEnded:
            record.update(
                ended=stamp(event.at), duration=round(event.clock - started, 3), disposition=event.disposition,
                reason=event.reason, status=event.status, q850=event.cause, hangup_by=event.by,
            )
            if answered is not None and event.disposition == "answered":
                record["billable"] = round(event.clock - answered, 3)
    record["legs"] = [legs[number] for number in sorted(legs)]
    return record


def _note_trunk(record: dict[str, Any], began: LegBegan) -> None:
    """
    Note by which trunk a call came in or, unless it came in, by which it went out: the last one that was tried, or the
    one that was answered.
    """
    if began.leg == 1:
        record.update(direction="inbound", trunk=began.trunk)
    elif record["direction"] != "inbound":
        record.update(direction="outbound", trunk=began.trunk)


def moved(events: Iterable[CallEvent], merged: CallsMerged) -> list[CallEvent]:
    """
    What a call adds to the events of the one it has become part of: its legs, and the steps that led there.
    """
    result: list[CallEvent] = []
    for event in events:
        if isinstance(event, LegBegan | LegRang | LegAnswered | LegEnded):
            result.append(evolve(event, call=merged.into, leg=event.leg + merged.offset))
        elif isinstance(event, MediaChanged):
            result.append(evolve(
                event, call=merged.into, caller_leg=event.caller_leg + merged.offset,
                callee_leg=event.callee_leg + merged.offset,
            ))
        elif isinstance(event, StepNoted):
            result.append(evolve(event, call=merged.into))
        elif isinstance(event, CallBegan):
            result += [StepNoted(merged.into, event.at, reason) for reason in event.reasons]
    return result


def stamp(seconds: float) -> str:
    """
    Write a time of the wall clock as ISO 8601 in UTC.
    """
    milliseconds = round(seconds * 1000)
    return _second(milliseconds // 1000) + _FRACTIONS[milliseconds % 1000]


_FRACTIONS = tuple([f".{milliseconds:03d}+00:00" for milliseconds in range(1000)])


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    # A call has a dozen times, most of them within the same few seconds as everybody else's.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
