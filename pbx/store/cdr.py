"""
The table ``cdr``: one record for each call, with its legs.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from pbx.calls.record import IRecords
from pbx.store.jsonb import document
from pbx.store.outbox import Outbox
from pbx.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pbx.store.database import Database, Row

LIST_LIMIT = 1000
"""Records in one answer of :meth:`Cdr.list`."""

COLUMNS = (
    "id, call_id, caller, caller_name, callee, started, answered, ended, duration, billable, disposition, reason,"
    " status, q850, hangup_by, media_path, codec, mos, direction, trunk, route, legs"
)

# The record's own "mos" is never asked for: it is that of its worst leg, worked out by the server.
INSERT = f"""
    INSERT INTO cdr ({COLUMNS})
    SELECT id, call_id, caller, caller_name, callee, started, answered, ended, duration, billable, disposition, reason,
        status, q850, hangup_by, media_path, codec,
        (SELECT min((leg -> 'quality' ->> 'mos')::float8) FROM jsonb_array_elements(legs) AS leg),
        coalesce(direction, 'internal'), trunk, coalesce(route, '[]'), coalesce(legs, '[]')
    FROM jsonb_to_recordset(%s::jsonb) AS record (
        id text, call_id text, caller text, caller_name text, callee text, started timestamptz, answered timestamptz,
        ended timestamptz, duration float8, billable float8, disposition text, reason text, status integer,
        q850 integer, hangup_by text, media_path text, codec text, direction text, trunk text, route jsonb,
        legs jsonb)
    ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - constant

STATISTICS = """
    SELECT count(*) AS calls,
        count(*) FILTER (WHERE disposition = 'answered') AS answered,
        count(*) FILTER (WHERE disposition = 'busy') AS busy,
        count(*) FILTER (WHERE disposition = 'no answer') AS no_answer,
        count(*) FILTER (WHERE disposition = 'cancelled') AS cancelled,
        count(*) FILTER (WHERE disposition = 'failed') AS failed,
        coalesce(sum(billable), 0) AS talk_seconds,
        avg(billable) FILTER (WHERE disposition = 'answered') AS average_duration,
        avg(mos) AS mos_average,
        min(mos) AS mos_lowest
    FROM cdr
"""


@implementer(IRecords)
class Cdr:
    """
    The call records: those in the database, and those on their way there.

    Args:
        reactor: The reactor (time and threads).
        database: Where they are kept.
        spool: The directory where they wait while the database is away.
        wall: The time of day in seconds since 1970, to know what today is.
    """

    def __init__(self, reactor: Any, database: Database, spool: Path, wall: Callable[[], float]) -> None:
        self._database = database
        self._wall = wall
        in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        self.outbox = Outbox(reactor, lambda: database.up, self._insert, Spool(spool, "cdr"), in_thread)
        database.on_recovered(self.outbox.recovered)

    async def start(self) -> None:
        """
        Take up the records that an earlier run left on disk.
        """
        await self.outbox.start()

    async def stop(self) -> None:
        """
        Bring every record to the database or to disk.
        """
        await self.outbox.stop()

    def add(self, record: Callable[[], dict[str, Any]]) -> None:
        """
        Keep a call's record; returns at once. A record with an id that is there already changes nothing.

        Args:
            record: Makes it when it is written. JSON values: ``id``, ``call_id``, ``caller``, ``caller_name``,
                ``callee``, ``started``, ``answered``, ``ended`` (ISO 8601), ``duration``, ``billable`` (seconds),
                ``disposition``, ``reason``, ``status``, ``q850``, ``hangup_by``, ``media_path``, ``codec``,
                ``direction`` (``internal``, ``inbound``, ``outbound``), ``trunk``, ``route`` (why the call went where
                it went), and ``legs``, a list of objects.
        """
        self.outbox.add(lambda: document(record()))

    async def list(
        self,
        *,
        limit: int = 100,
        before: str | None = None,
        caller: str | None = None,
        callee: str | None = None,
        disposition: str | None = None,
        direction: str | None = None,
        trunk: str | None = None,
    ) -> Sequence[Row]:
        """
        Records, the latest first, as JSON values.

        Args:
            limit: How many at most, up to 1000.
            before: Only records that come after this one in the list, by its id; or that started before this ISO 8601
                time.
            caller: Only of this caller.
            callee: Only to this callee.
            disposition: Only those that ended so.
            direction: Only those within the house, in or out.
            trunk: Only those over this trunk.

        Raises:
            DatabaseDown: The database is away.
            Rejected: ``before`` is neither an id nor a time.
        """
        await self.outbox.flush()
        wheres, args = ["true"], []
        for column, value in (
            ("caller", caller), ("callee", callee), ("disposition", disposition), ("direction", direction),
            ("trunk", trunk),
        ):
            if value is not None:
                wheres.append(f"{column} = %s")
                args.append(value)
        if before is not None and _is_id(before):
            wheres.append("(started, id) < (SELECT started, id FROM cdr WHERE id = %s)")
            args.append(before)
        elif before is not None:
            wheres.append("started < %s::timestamptz")
            args.append(before)
        rows = await self._database.query(
            f"SELECT {COLUMNS} FROM cdr WHERE {' AND '.join(wheres)}"  # noqa: S608 - constants
            " ORDER BY started DESC, id DESC LIMIT %s",
            (*args, max(1, min(limit, LIST_LIMIT))),
        )
        for row in rows:
            for name in ("started", "answered", "ended"):
                row[name] = _iso(row[name])
        return rows

    async def outside_since(self, moment: float) -> Sequence[dict[str, Any]]:
        """
        The legs that went beyond the house, of calls that ended since some moment, as their records have them.

        Args:
            moment: Seconds since the epoch.

        Raises:
            DatabaseDown: The database is away.
        """
        # Also what an earlier run left on disk.
        await self.outbox.catch_up()
        rows = await self._database.query(
            "SELECT leg FROM cdr, jsonb_array_elements(legs) AS leg WHERE ended >= %s AND leg ? 'trunk'",
            (dt.datetime.fromtimestamp(moment, dt.UTC),),
        )
        return [row["leg"] for row in rows]

    async def statistics(self) -> dict[str, Row]:
        """
        Figures of the calls that ended: ``today`` (by local time) and ``total``.

        Each has ``calls``, ``answered``, ``busy``, ``no_answer``, ``cancelled``, ``failed``, ``talk_seconds``, and
        ``average_duration`` (of answered calls, seconds), ``mos_average`` and ``mos_lowest``, which are ``None`` when
        there is nothing to average.

        Raises:
            DatabaseDown: The database is away.
        """
        await self.outbox.flush()
        # Local time without a zone until midnight is found: the zone's offset may have been another then.
        now = dt.datetime.fromtimestamp(self._wall())  # noqa: DTZ006
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0).astimezone()
        (today,) = await self._database.query(f"{STATISTICS} WHERE started >= %s", (midnight,))
        (total,) = await self._database.query(STATISTICS)
        return {"today": today, "total": total}

    async def _insert(self, records: Sequence[bytes]) -> None:
        await self._database.execute(INSERT, (f"[{b','.join(records).decode()}]",))


def _is_id(text: str) -> bool:
    return len(text) == 32 and all(character in "0123456789abcdef" for character in text)  # uuid4().hex


def _iso(moment: dt.datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
