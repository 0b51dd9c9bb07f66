"""
``/api/reload``: the configuration read again, and what came of it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

from pbx.ops.settings import SettingsError
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from pbx.ops.reload import Report


LISTED = 50
"""Changes that one line of the audit record holds at the most; the log has lines of its own for more."""


class IReloading(Interface):
    """
    What reads the configuration again.
    """

    async def reload(actor: str) -> Report:  # noqa: N805
        """
        Go by the file as it is now, and tell what is different; raises :class:`~pbx.ops.settings.SettingsError` when it
        can't be gone by, and has changed nothing then.
        """


class Reload:
    """
    The resource.
    """

    def __init__(self, reloading: Any, audit: Any) -> None:
        """
        A resource over what reloads.

        Args:
            reloading: An :class:`IReloading`.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._reloading = reloading
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        return [Route("POST", "/api/reload", self._reload)]

    async def _reload(self, ask: Ask) -> object:
        try:
            report = await self._reloading.reload(ask.actor)
        except SettingsError as error:
            raise refusal(error) from error
        listed = report.changed[:LISTED]
        before = {change.key: "<secret>" if change.secret else change.before for change in listed}
        after = {change.key: "<another secret>" if change.secret else change.after for change in listed}
        if len(report.changed) > LISTED:
            after["more"] = len(report.changed) + report.more - LISTED
        self._audit.wrote(ask.actor, "reload", "the configuration", before, after)
        return report.as_row()


def refusal(error: SettingsError) -> Problem:
    """
    The answer when the configuration can't be gone by, with every mistake and its line.
    """
    count = "a mistake" if len(error.mistakes) == 1 else f"{len(error.mistakes)} mistakes"
    fields = [
        (mistake.path, mistake.text if line is None else f"line {line}: {mistake.text}")
        for mistake, line in zip(error.mistakes, error.lines, strict=True)
    ]
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{error.path} has {count}; nothing was changed.", fields=fields
    )
