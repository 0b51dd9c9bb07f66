"""
The table ``mail``: mail about voicemail messages and alerts on its way, each with its state and, when it could not be
sent, the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import uuid4

from attrs import frozen

from pbx.store.database import Database, Row, Transaction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from pbx.features.mail import Mail

CHANNEL = "mail"
"""Notified with the id of a mail that is to be sent."""

FIRST_WAIT, LONGEST_WAIT = 60, 3600
"""Seconds until a mail that could not be sent is tried again: the first time, doubled each time, and at most."""
GIVEN_UP_DAYS = 3
"""Days after which it is given up."""
STALE_MINUTES = 15
"""Minutes after which a claim of another node is void: no attempt takes that long."""
LIST_LIMIT = 1000
"""Mails in one answer of :meth:`MailOutbox.list`."""
REASON_LENGTH = 500
"""Characters kept of a reason: it is what a server says."""

State: TypeAlias = Literal["queued", "sending", "sent", "failed"]

COLUMNS = (
    "id, message, recipient, subject, body, html, attachment, state, reason, attempts, queued, due, node, claimed,"
    " finished"
)

CLAIM = f"""
    UPDATE mail SET state = 'sending', node = %s, claimed = now(), attempts = attempts + 1
    WHERE id = (
        SELECT id FROM mail
        WHERE state = 'queued' AND due <= now()
            OR state = 'sending' AND claimed < now() - interval '{STALE_MINUTES} minutes'
        ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING {COLUMNS}
"""  # noqa: S608 - constants

AGAIN = f"""
    UPDATE mail SET
        state = CASE WHEN since < now() - interval '{GIVEN_UP_DAYS} days' THEN 'failed' ELSE 'queued' END,
        finished = CASE WHEN since < now() - interval '{GIVEN_UP_DAYS} days' THEN now() END,
        due = now() + interval '1 second' * least({FIRST_WAIT} * power(2, least(attempts, 20) - 1), {LONGEST_WAIT}),
        reason = %s, node = NULL, claimed = NULL
    WHERE id = %s AND state = 'sending' AND node = %s
    RETURNING state
"""  # noqa: S608 - constants


@frozen
class QueuedMail:
    """
    A mail as the table has it; the columns are described in the migration.
    """

    id: str
    message: str | None
    recipient: str
    subject: str
    body: str
    html: str | None
    attachment: str | None
    state: State
    reason: str
    attempts: int
    queued: dt.datetime
    due: dt.datetime
    node: str | None
    claimed: dt.datetime | None
    finished: dt.datetime | None


async def queue(transaction: Transaction, letter: Mail) -> None:
    """
    Queue a mail in a transaction under way; one about the same message to the same address is there once.
    """
    await transaction.execute(
        "INSERT INTO mail (id, message, recipient, subject, body, html, attachment)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (message, recipient) DO NOTHING",
        (uuid4().hex, letter.message, letter.recipient, letter.subject, letter.text, letter.html, letter.attachment),
    )


class MailOutbox:
    """
    The mails in the database.

    A mail is claimed by one node before it is sent, and the claim is ended by what came of it, so that two nodes never
    send the same.

    Args:
        database: Where they are kept.
        node: The name of this node, the same after a restart.
    """

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node

    @property
    def up(self) -> bool:
        """
        Whether the database can be asked.
        """
        return self._database.up

    async def watch(self, wake: Callable[[], object]) -> None:
        """
        Call back when there may be something to send.
        """
        def woken() -> None:
            wake()

        self._database.on_recovered(woken)
        await self._database.listen(CHANNEL, lambda _: wake())

    async def claim(self) -> QueuedMail | None:
        """
        Take the mail that is to be sent now, if there is one.
        """
        rows = await self._database.query(CLAIM, (self._node,))
        return QueuedMail(**rows[0]) if rows else None

    async def release(self) -> int:
        """
        Queue again what an earlier run of this node had claimed; how many.
        """
        return await self._database.execute(
            "UPDATE mail SET state = 'queued', node = NULL, claimed = NULL WHERE state = 'sending' AND node = %s",
            (self._node,),
        )

    async def seconds_until_next(self) -> float | None:
        """
        When the next mail is due; ``None`` when there is none.
        """
        rows = await self._database.query(
            "SELECT extract(epoch FROM min(due) - now())::float8 AS seconds FROM mail WHERE state = 'queued'"
        )
        seconds: float | None = rows[0]["seconds"]
        return None if seconds is None else max(0.0, seconds)

    async def sent(self, mail: str) -> None:
        """
        Tell that the server has taken a mail, and do with its message what its mailbox wants.
        """

        async def both(transaction: Transaction) -> None:
            rows = await transaction.query(
                "UPDATE mail SET state = 'sent', reason = '', finished = now(), node = NULL, claimed = NULL"
                " WHERE id = %s AND state <> 'sent' RETURNING message",
                (mail,),
            )
            if rows and rows[0]["message"] is not None:
                await transaction.execute(
                    "UPDATE voicemail SET deleted = now() FROM mailbox WHERE voicemail.id = %s AND deleted IS NULL"
                    " AND mailbox.number = voicemail.mailbox AND mailbox.after_mail = 'delete'",
                    (rows[0]["message"],),
                )

        await self._database.interact(both)

    async def again(self, mail: str, reason: str) -> State | None:
        """
        Tell that a mail could not be sent this time; what state it has now, ``failed`` when it is given up.
        """
        rows = await self._database.query(AGAIN, (reason[:REASON_LENGTH], mail, self._node))
        return rows[0]["state"] if rows else None

    async def failed(self, mail: str, reason: str) -> None:
        """
        Tell that a mail will never be sent.
        """
        await self._database.execute(
            "UPDATE mail SET state = 'failed', reason = %s, finished = now(), node = NULL, claimed = NULL"
            " WHERE id = %s AND state = 'sending' AND node = %s",
            (reason[:REASON_LENGTH], mail, self._node),
        )

    # For the operator

    async def list(
        self, *, state: str | None = None, message: str | None = None, limit: int = 100
    ) -> Sequence[QueuedMail]:
        """
        The mails, the latest first.
        """
        where, args = ["true"], []
        for column, value in (("state", state), ("message", message)):
            if value is not None:
                where.append(f"{column} = %s")
                args.append(value)
        rows = await self._rows(f"WHERE {' AND '.join(where)} ORDER BY queued DESC, id DESC LIMIT %s",
                                (*args, min(limit, LIST_LIMIT)))
        return [QueuedMail(**row) for row in rows]

    async def of_messages(self, messages: Sequence[str]) -> dict[str, dict[str, Any]]:
        """
        What became of the mail about each of some messages: id, state, reason and attempts.
        """
        rows = await self._database.query(
            "SELECT message, id, state, reason, attempts FROM mail WHERE message = ANY(%s)", ([*messages],)
        )
        return {row.pop("message"): row for row in rows}

    async def get(self, mail: str) -> QueuedMail | None:
        """
        One mail.
        """
        rows = await self._rows("WHERE id = %s", (mail,))
        return QueuedMail(**rows[0]) if rows else None

    async def retry(self, mail: str) -> bool:
        """
        Try a mail that failed, or waits, at once; ``False`` when it can't be.
        """
        changed = await self._database.execute(
            "UPDATE mail SET state = 'queued', due = now(), since = now(), attempts = 0, finished = NULL"
            " WHERE id = %s AND state IN ('queued', 'failed')",
            (mail,),
        )
        return changed > 0

    async def delete(self, mail: str) -> bool:
        """
        Forget a mail that is not being sent this moment; ``False`` when it is, or there is none.
        """
        removed = await self._database.execute("DELETE FROM mail WHERE id = %s AND state <> 'sending'", (mail,))
        return removed > 0

    async def expire(self, days: int) -> int:
        """
        Forget mails that were sent or failed some days ago; how many.
        """
        return await self._database.execute(
            "DELETE FROM mail WHERE state IN ('sent', 'failed') AND finished < now() - make_interval(days => %s)",
            (days,),
        )

    async def _rows(self, rest: str, args: Sequence[Any]) -> Sequence[Row]:
        return await self._database.query(f"SELECT {COLUMNS} FROM mail {rest}", args)  # noqa: S608 - constants
