"""
The table ``alert``: what somebody must see to, or had to, with the mail about it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen
from twisted.logger import Logger

from pbx.store import mail
from pbx.store.database import Database, DatabaseDown, DatabaseError, Rejected, Transaction
from pbx.store.jsonb import document
from pbx.store.worker import Worker

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pbx.features.mail import Mail

PAUSE: Final = 0.2
"""Seconds from a change to its writing, so that what changes again and again is written once."""

AGAIN: Final = 5.0
"""Seconds until what failed although the database is there is tried again."""

STOP_SECONDS: Final = 2.0
"""How long the database may take for the last ones when the program stops."""

MOST_WAITING: Final = 2000
"""Alerts and mails that wait while the database is away: then the oldest that are no emergency are not kept."""

KEPT_DAYS: Final = 365
"""Days for which an alert is kept that was settled: who looks for what went wrong asks about the last year."""

HOUSEKEEPING: Final = 3600.0
"""Seconds between two looks for alerts that are too old."""

WRITE = """
    INSERT INTO alert (id, kind, subject, text, began, changed, settled, outcome, acknowledged, acknowledged_by, detail)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)
    ON CONFLICT (id) DO UPDATE SET text = excluded.text, changed = excluded.changed, settled = excluded.settled,
        outcome = excluded.outcome, acknowledged = excluded.acknowledged, acknowledged_by = excluded.acknowledged_by
"""

COLUMNS = "id, kind, subject, text, began, changed, settled, outcome, acknowledged, acknowledged_by, detail"


def _read_only(detail: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(detail))


@frozen
class Alert:
    """
    Something that somebody must see to, or had to.

    Attributes:
        id: Tells it from all others, over restarts too.
        kind: What kind of thing it is.
        subject: Which.
        text: What is wrong, and what to do.
        began: When, in seconds since the epoch by the wall clock; likewise all times.
        changed: When its text was last another.
        settled: Since when it is well again, ``None`` while it is not.
        outcome: How it ended, in words.
        acknowledged: When somebody took note of it, ``None`` while nobody has.
        acknowledged_by: Who that was.
        detail: What programs want to know of it.
    """

    id: str
    kind: str
    subject: str
    text: str
    began: float
    changed: float
    settled: float | None = None
    outcome: str = ""
    acknowledged: float | None = None
    acknowledged_by: str = ""
    detail: Mapping[str, str] = field(factory=dict, converter=_read_only, hash=False)


class StoredAlerts:
    """
    The alerts in the database, and those on their way there.

    Args:
        clock: When to write.
        database: Where to.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, database: Database) -> None:
        self._clock = clock
        self._database = database
        self._waiting: dict[str, tuple[Alert, tuple[Mail, ...]]] = {}
        self._tidied = float("-inf")
        self._worker = Worker(clock, self._work, "store alerts")
        self.lost = 0
        database.on_recovered(self._recovered)

    @property
    def waiting(self) -> int:
        """
        How many are not written yet.
        """
        return len(self._waiting)

    async def load(self, recent: int) -> list[Alert]:
        """
        The open ones and the last of those that were settled, the oldest first.

        Raises:
            DatabaseDown: The database is away.
        """
        rows = await self._database.query(
            f"(SELECT {COLUMNS} FROM alert WHERE settled IS NULL) UNION ALL"  # noqa: S608 - constants
            f" (SELECT {COLUMNS} FROM alert WHERE settled IS NOT NULL ORDER BY settled DESC LIMIT %s) ORDER BY began",
            (recent,),
        )
        times = ("began", "changed", "settled", "acknowledged")
        return [
            Alert(**{**row, **{name: row[name] and row[name].timestamp() for name in times}}) for row in rows
        ]

    def save(self, alert: Alert, letters: Sequence[Mail] = ()) -> None:
        """
        Keep an alert as it is now, and queue mail about it with it; returns at once.
        """
        _, before = self._waiting.pop(alert.id, (alert, ()))
        self._waiting[alert.id] = (alert, (*before, *letters))
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next((key for key, (each, _) in self._waiting.items() if each.kind != "emergency"),
                                   alert.id)]
            self.lost += 1
        self._worker.soon(PAUSE)

    async def stop(self) -> None:
        """
        Write what waits.
        """
        done = await self._worker.settle(STOP_SECONDS, again=bool(self._waiting))
        self._worker.stop()
        if self._waiting or not done:
            self.log.error("{n} alerts were not stored: the database is away", n=len(self._waiting))

    def _recovered(self) -> None:
        if self._waiting:
            self._worker.soon(0)

    async def _work(self) -> None:
        while self._waiting and self._database.up:
            key, (alert, letters) = next(iter(self._waiting.items()))
            try:
                await self._write(alert, letters)
            except Rejected as error:
                self.log.error("Alert {id} is not acceptable to the database: {error}", id=alert.id, error=error)
            except DatabaseDown:
                # Again when it is back.
                return
            except DatabaseError as error:
                self.log.error("Alerts wait, tried again in {s:.0f} s: {error}", s=AGAIN, error=error)
                self._worker.soon(AGAIN)
                return
            now, since = self._waiting.get(key, (None, ()))
            if now is alert:
                del self._waiting[key]
            elif now is not None:
                # It changed while it was written.
                self._waiting[key] = (now, since[len(letters):])
        await self._tidy()

    async def _write(self, alert: Alert, letters: Sequence[Mail]) -> None:
        async def both(transaction: Transaction) -> None:
            await transaction.execute(WRITE, _values(alert))
            for letter in letters:
                # One about the same is there once, so that a write that is repeated sends nothing twice.
                await mail.queue(transaction, letter)

        await self._database.interact(both)

    async def _tidy(self) -> None:
        if self._clock.seconds() - self._tidied < HOUSEKEEPING or not self._database.up:
            return
        try:
            await self._database.execute(
                "DELETE FROM alert WHERE settled < now() - make_interval(days => %s)", (KEPT_DAYS,)
            )
        except DatabaseError:
            # Next time.
            return
        self._tidied = self._clock.seconds()


def _values(alert: Alert) -> tuple[Any, ...]:
    clean = evolve(alert, text=_clean(alert.text), subject=_clean(alert.subject), outcome=_clean(alert.outcome))
    return (
        clean.id, clean.kind, clean.subject, clean.text, _moment(clean.began), _moment(clean.changed),
        _moment(clean.settled), clean.outcome, _moment(clean.acknowledged), clean.acknowledged_by,
        document(dict(clean.detail)).decode(),
    )


def _clean(text: str) -> str:
    # It may quote what a stranger wrote: PostgreSQL has no NUL, UTF-8 no lone surrogates.
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _moment(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
