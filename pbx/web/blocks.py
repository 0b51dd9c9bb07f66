"""
``/api/blocks``: who is not let in after too many wrong passwords.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

from pbx.web.problems import Problem
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Iterable


class IBlocks(Interface):
    """
    The blocks in force.
    """

    def list() -> Iterable[dict[str, Any]]:
        """
        Each with its ``address`` (or IPv6 network), its ``user`` (``None`` for the whole address), and until when.
        """

    def unblock(address: str) -> bool:  # noqa: N805
        """
        Let an address, its network, and every user from there in again; ``False`` when nothing was blocked.

        Raises:
            ValueError: It is no address.
        """


class Blocks:
    """
    The resource.
    """

    def __init__(self, blocks: Any, audit: Any) -> None:
        """
        A resource over blocks.

        Args:
            blocks: An :class:`IBlocks`.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._blocks = blocks
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [
            Route("GET", "/api/blocks", self._list),
            # An IPv6 network has a slash in it.
            Route("DELETE", "/api/blocks/<path:address>", self._lift),
        ]

    async def _list(self, ask: Ask) -> object:
        return {"blocks": list(self._blocks.list())}

    async def _lift(self, ask: Ask) -> Reply:
        address = ask.path["address"]
        try:
            lifted = self._blocks.unblock(address)
        except ValueError:
            lifted = False
        if not lifted:
            raise Problem(HTTPStatus.NOT_FOUND, f"{address} is not blocked; the block may have ended by itself.")
        self._audit.wrote(ask.actor, "unblock", f"address {address}", None, None)
        return Reply(status=HTTPStatus.NO_CONTENT)
