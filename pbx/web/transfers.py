"""
``POST /api/calls/<id>/transfer``: to send whoever an extension talks to elsewhere.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from zope.interface import Interface

from pbx.ops.section import printable
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Reply, Route

Number = Annotated[
    str, Meta(min_length=1, max_length=64, description="a number as it is dialled", extra={"check": printable})
]


class ITransfers(Interface):
    """
    What transfers live calls.
    """

    def transfer(call_id: str, by: str, to: str) -> bool:  # noqa: N805
        """
        Send whoever ``by`` talks to in a call to a number; ``False`` when it talks to nobody in that call.
        """

    def transfer_to_voicemail(call_id: str, by: str, mailbox: str) -> bool:  # noqa: N805
        """
        Send whoever ``by`` talks to in a call to a mailbox, without ringing anybody; ``False`` likewise.
        """

    def join(call_id: str, other_id: str, by: str) -> bool:  # noqa: N805
        """
        Let the parties of two calls of ``by`` talk to each other; ``False`` when it talks to nobody in one of them.
        """


class Transfer(msgspec.Struct, frozen=True):
    """
    The body: who gives the other away, and exactly one of where to.

    Attributes:
        by: The extension that gives away whom it talks to.
        to: A number to be rung (blind).
        voicemail: A mailbox, whose extension is not rung.
        call: Another call of that extension, whose party the first shall talk to (attended).
    """

    by: Number
    to: Number | None = None
    voicemail: Number | None = None
    call: Number | None = None


class Transfers:
    """
    The resource.
    """

    def __init__(self, transfers: Any, audit: Any) -> None:
        """
        A resource over an :class:`ITransfers`.
        """
        self._transfers = transfers
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [Route("POST", "/api/calls/<id>/transfer", self._transfer, body=Transfer)]

    async def _transfer(self, ask: Ask) -> Reply:
        body: Transfer = ask.body
        call = ask.path["id"]
        wanted = [name for name in ("to", "voicemail", "call") if getattr(body, name) is not None]
        if len(wanted) != 1:
            fault = "exactly one of to, voicemail and call says where"
            raise wrong_fields([(name, fault) for name in wanted or ["to"]])
        if body.to is not None:
            done = self._transfers.transfer(call, body.by, body.to)
        elif body.voicemail is not None:
            done = self._transfers.transfer_to_voicemail(call, body.by, body.voicemail)
        else:
            done = self._transfers.join(call, body.call, body.by)
        if not done:
            raise Problem(HTTPStatus.NOT_FOUND, f"Extension {body.by} talks to nobody in that call; it may have ended.")
        where = f"{wanted[0]} {getattr(body, wanted[0])}"
        self._audit.wrote(ask.actor, "transfer", f"call {call}", None, {"by": body.by, "where": where})
        return Reply(status=HTTPStatus.NO_CONTENT)
