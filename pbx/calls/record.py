"""
The call detail record: made from a call's events alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

from pbx.calls.events import CallAnswered, CallBegan, CallEnded, LegAnswered, LegBegan, LegEnded, LegRang

if TYPE_CHECKING:
    from pbx.calls.events import CallEvent


class IRecords(Interface):
    """
    Where records are kept.
    """

    def add(record: dict[str, Any]) -> None:  # noqa: N805
        """
        Keep a record, exactly once by its ``id``; never waits.
        """


class Recorder:
    """
    Collects the events of each live call and writes its record when it ends.

    Args:
        records: Where they go.
    """

    def __init__(self, records: IRecords) -> None:
        self._records = records
        self._open: dict[str, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def event(self, event: CallEvent) -> None:
        """
        Take an event.
        """
        if isinstance(event, CallBegan):
            self._open[event.call] = {
                "id": event.call, "call_id": event.sip_call_id, "caller": event.caller,
                "caller_name": event.caller_name, "callee": event.callee, "started": event.at, "answered": None,
                "media_path": None, "codec": None, "legs": {}, "route": list(event.reasons),
            }
            return
        record = self._open.get(event.call)
        if record is None:
            return
        legs: dict[int, dict[str, Any]] = record["legs"]
        if isinstance(event, LegBegan):
            legs[event.leg] = {
                "direction": event.direction, "party": event.party, "address": event.address,
                "call_id": event.sip_call_id, "started": stamp(event.at), "rang": None, "answered": None,
                "ended": None, "codec": None, "status": None, "reason": None, "quality": None,
            }
        elif isinstance(event, LegRang):
            legs[event.leg]["rang"] = stamp(event.at)
        elif isinstance(event, LegAnswered):
            legs[event.leg].update(answered=stamp(event.at), codec=event.codec)
        elif isinstance(event, LegEnded):
            quality = event.quality.as_dict() if event.quality is not None else None
            legs[event.leg].update(ended=stamp(event.at), status=event.status, reason=event.reason, quality=quality)
        elif isinstance(event, CallAnswered):
            record.update(answered=event.at, media_path=event.media_path, codec=event.codec)
        elif isinstance(event, CallEnded):
            del self._open[event.call]
            self._records.add(self._finished(record, event))

    def _finished(self, record: dict[str, Any], event: CallEnded) -> dict[str, Any]:
        started, answered = record["started"], record["answered"]
        return {
            **record,
            "started": stamp(started),
            "answered": None if answered is None else stamp(answered),
            "ended": stamp(event.at),
            # The wall clock may have been moved meanwhile; no call lasts less than nothing.
            "duration": max(0.0, round(event.at - started, 3)),
            "billable": 0.0 if answered is None else max(0.0, round(event.at - answered, 3)),
            "disposition": event.disposition,
            "reason": event.reason,
            "status": event.status,
            "q850": event.cause,
            "hangup_by": event.by,
            "legs": [record["legs"][number] for number in sorted(record["legs"])],
        }


def stamp(seconds: float) -> str:
    """
    Write a time of the wall clock as ISO 8601 in UTC.
    """
    milliseconds = round(seconds * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}+00:00"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    # A call has a dozen times, most of them within the same few seconds as everybody else's.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
