"""
``/api/extensions/NUMBER/permissions``: what an extension may call beyond the house, and how it is shown there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from pbx.ops.plan_sections import Permissions as PermissionsBody
from pbx.web.changes import changed, named
from pbx.web.extensions import ExtensionGoneError, existing, missing
from pbx.web.problems import wrong_fields
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from pbx.directory.extension import Extension
    from pbx.directory.permissions import Permissions


ChangedPermissions = changed(PermissionsBody)


class PermissionsOfExtensions:
    """
    The resource.
    """

    def __init__(self, extensions: Any, plan: Any, audit: Any) -> None:
        """
        A resource over extensions.

        Args:
            extensions: An :class:`~pbx.web.extensions.IExtensions`.
            plan: An :class:`~pbx.web.plan.IPlan`.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._extensions = extensions
        self._plan = plan
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        path = "/api/extensions/<number>/permissions"
        return [Route("GET", path, self._get), Route("PUT", path, self._change, body=ChangedPermissions)]

    async def _get(self, ask: Ask) -> object:
        return self._shown(await existing(self._extensions, ask))

    async def _change(self, ask: Ask) -> object:
        before = await existing(self._extensions, ask)
        given = named(ask.body)
        faults = self._faults(given)
        if faults:
            raise wrong_fields(faults)
        try:
            after: Extension = await self._extensions.change_permissions(before.number, given)
        except ExtensionGoneError:
            # Somebody else has just removed it.
            raise missing(before.number)
        subject = f"permissions of extension {before.number}"
        self._audit.wrote(
            ask.actor, "change", subject, attrs.asdict(before.permissions), attrs.asdict(after.permissions)
        )
        return self._shown(after)

    def _faults(self, given: dict[str, Any]) -> list[tuple[str, str]]:
        faults = []
        hours, location = given.get("hours"), given.get("location")
        if hours is not None and hours not in self._plan.plan.conditions:
            faults.append(("hours", f"there is no time condition {hours!r}"))
        if location is not None and location not in {each.name for each in self._plan.plan.emergency.locations}:
            faults.append(("location", f"there is no {location!r} among emergency.locations of config.yml"))
        return faults

    def _shown(self, extension: Extension) -> dict[str, Any]:
        own: Permissions = extension.permissions
        limits = self._plan.plan.limits
        names = ("classes", "concurrent", "minutes_per_day", "spend_per_day", "hours")
        in_force = {
            name: getattr(limits, name) if getattr(own, name) is None else getattr(own, name) for name in names
        }
        return {**attrs.asdict(own), "allow_external": extension.allow_external, "in_force": in_force}
