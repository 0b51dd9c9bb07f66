"""
Who asks, and the record of what they changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.logger import Logger
from zope.interface import Interface, implementer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.web.iweb import IRequest

Fields: TypeAlias = "dict[str, Any] | None"
"""What something is, for the audit record; ``None`` before it was made and after it was removed."""


class IIdentity(Interface):
    """
    What knows from a request who sent it.
    """

    async def who(request: IRequest) -> str | None:  # noqa: N805
        """
        A name for the audit record, such as ``local:root``; ``None`` when it cannot be told.
        """


class IAudit(Interface):
    """
    Where every change is recorded with its author.
    """

    def wrote(actor: str, action: str, subject: str, before: Fields, after: Fields) -> None:  # noqa: N805
        """
        Record a change that has happened; neither side of it holds a secret.
        """


@implementer(IIdentity)
class AnyOf:
    """
    Several ways to know who asks, of which the first that does decides.
    """

    def __init__(self, ways: Sequence[Any]) -> None:
        self._ways = ways

    async def who(self, request: IRequest) -> str | None:
        """
        The first name that is known.
        """
        for way in self._ways:
            name: str | None = await way.who(request)
            if name is not None:
                return name
        return None


@implementer(IAudit)
class LogAudit:
    """
    The audit record as lines in the log.
    """

    log = Logger()

    def wrote(self, actor: str, action: str, subject: str, before: Fields, after: Fields) -> None:
        """
        One line that says who did what, and what is different now.
        """
        old, new = before or {}, after or {}
        changed = {key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)}
        changes = ", ".join(f"{key}: {was!r} -> {now!r}" for key, (was, now) in changed.items())
        # Who ends a call or sends a test mail changes nothing that could be compared.
        is_act = before is None and after is None
        self.log.info(
            "audit: {actor} {action} {subject}{changes}",
            actor=actor,
            action=action,
            subject=subject,
            changes="" if is_act else f" ({changes or 'nothing differs'})",
        )
