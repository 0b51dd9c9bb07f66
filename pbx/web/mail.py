"""
``/api/mail``: what became of each mail, and whether mail works at all.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pbx.calls.record import stamp
from pbx.ops.mail import MailError, TestLetter
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    import datetime as dt

    from pbx.store.mail import QueuedMail

Limit = Annotated[int, Meta(ge=1, le=1000, description="a whole number, 1 to 1000")]
Address = Annotated[str, Meta(pattern=r"^[!-?A-~]+@[0-9A-Za-z.-]+$", max_length=254, description="a mail address")]


class Which(msgspec.Struct, frozen=True):
    """
    Which mails are listed.
    """

    state: Literal["", "queued", "sending", "sent", "failed"] = ""
    message: str = ""
    limit: Limit = 100


class Test(msgspec.Struct, frozen=True):
    """
    The body that has a test mail sent.
    """

    to: Address


def shown(mail: QueuedMail) -> dict[str, Any]:
    """
    What the API says of a mail.
    """
    return {
        "id": mail.id,
        "message": mail.message,
        "to": mail.recipient,
        "subject": mail.subject,
        "state": mail.state,
        "reason": mail.reason,
        "attempts": mail.attempts,
        "queued": _stamp(mail.queued),
        "next": _stamp(mail.due) if mail.state == "queued" else None,
        "finished": _stamp(mail.finished),
    }


class MailResource:
    """
    The resource.

    Args:
        mails: The mails (:class:`pbx.store.mail.MailOutbox`).
        sender: What sends them (:class:`pbx.ops.mail.MailSender`).
        audit: An :class:`~pbx.web.identity.IAudit`.
    """

    def __init__(self, mails: Any, sender: Any, audit: Any) -> None:
        self._mails = mails
        self._sender = sender
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        one = "/api/mail/<mail>"
        return [
            Route("GET", "/api/mail", self._list, query=Which),
            Route("POST", "/api/mail/test", self._test, body=Test),
            Route("GET", one, self._get),
            Route("POST", f"{one}/retry", self._retry),
            Route("DELETE", one, self._delete),
        ]

    async def _list(self, ask: Ask) -> object:
        which: Which = ask.query
        mails = await self._mails.list(state=which.state or None, message=which.message or None, limit=which.limit)
        return {"mails": [shown(mail) for mail in mails]}

    async def _get(self, ask: Ask) -> object:
        return shown(await self._existing(ask))

    async def _retry(self, ask: Ask) -> object:
        mail = await self._existing(ask)
        if not await self._mails.retry(mail.id):
            raise Problem(HTTPStatus.CONFLICT, f"The mail is {mail.state}: it is not sent again.")
        self._audit.wrote(ask.actor, "retry", f"mail {mail.id} to {mail.recipient}", None, None)
        return shown(await self._existing(ask))

    async def _delete(self, ask: Ask) -> Reply:
        mail = await self._existing(ask)
        if not await self._mails.delete(mail.id):
            raise Problem(HTTPStatus.CONFLICT, "The mail is being sent this moment.")
        self._audit.wrote(ask.actor, "remove", f"mail {mail.id} to {mail.recipient}", shown(mail), None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    async def _test(self, ask: Ask) -> object:
        body: Test = ask.body
        self._audit.wrote(ask.actor, "test", f"mail to {body.to}", None, None)
        try:
            await self._sender.test(TestLetter(secrets.token_hex(16), body.to))
        except MailError as error:
            raise Problem(HTTPStatus.BAD_GATEWAY, f"The test mail could not be sent. {error}")
        return {"to": body.to, "state": "sent"}

    async def _existing(self, ask: Ask) -> QueuedMail:
        found: QueuedMail | None = await self._mails.get(ask.path["mail"])
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no mail {ask.path['mail']}.")
        return found


def _stamp(moment: dt.datetime | None) -> str | None:
    return None if moment is None else stamp(moment.timestamp())
