"""
What the resources ask for, kept in memory.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs
from zope.interface import implementer

from pbx.directory.extension import Extension
from pbx.web.calls import ICalls, ICdr, IRegistrations
from pbx.web.extensions import ExtensionExistsError, ExtensionGoneError, IExtensions
from pbx.web.first_admin import IStoredValues
from pbx.web.status import IStatistics, IStatus


@implementer(IExtensions)
class MemoryExtensions:
    """
    Extensions in a dict, with the passwords they were given.
    """

    def __init__(self) -> None:
        self.kept: dict[str, Extension] = {}
        self.passwords: dict[str, str] = {}

    async def list(self) -> list[Extension]:
        """
        All.
        """
        return [self.kept[number] for number in sorted(self.kept)]

    async def get(self, number: str) -> Extension | None:
        """
        One.
        """
        return self.kept.get(number)

    async def add(self, extension: Extension, password: str) -> None:
        """
        A new one.
        """
        if extension.number in self.kept:
            raise ExtensionExistsError(extension.number)
        self.kept[extension.number] = extension
        self.passwords[extension.number] = password

    async def update(self, extension: Extension, password: str | None) -> None:
        """
        Another in place of one.
        """
        if extension.number not in self.kept:
            raise ExtensionGoneError(extension.number)
        self.kept[extension.number] = extension
        if password is not None:
            self.passwords[extension.number] = password

    async def change_handling(self, number: str, changes: Mapping[str, Any]) -> Extension:
        """
        Another handling for one.
        """
        if number not in self.kept:
            raise ExtensionGoneError(number)
        extension = self.kept[number]
        self.kept[number] = attrs.evolve(extension, handling=attrs.evolve(extension.handling, **changes))
        return self.kept[number]

    async def change_permissions(self, number: str, changes: Mapping[str, Any]) -> Extension:
        """
        Other permissions for one.
        """
        if number not in self.kept:
            raise ExtensionGoneError(number)
        extension = self.kept[number]
        self.kept[number] = attrs.evolve(extension, permissions=attrs.evolve(extension.permissions, **changes))
        return self.kept[number]

    async def remove(self, number: str) -> bool:
        """
        One less.
        """
        return self.kept.pop(number, None) is not None


@implementer(ICalls)
class MemoryCalls:
    """
    Calls in a list.
    """

    def __init__(self) -> None:
        self.live = [{"id": "a1", "caller": "1005", "callee": "1006", "state": "answered"}]

    def list(self) -> list[dict[str, Any]]:
        """
        All.
        """
        return self.live

    def hang_up(self, call: str) -> bool:
        """
        One less.
        """
        before = len(self.live)
        self.live = [each for each in self.live if each["id"] != call]
        return len(self.live) < before


@implementer(ICdr)
class MemoryCdr:
    """
    No records, but what was asked of them.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def list(
        self,
        limit: int,
        before: dt.datetime | None,
        caller: str | None,
        callee: str | None,
        disposition: str | None,
        direction: str | None,
        trunk: str | None,
    ) -> list[dict[str, Any]]:
        """
        One record.
        """
        self.asked.append((limit, before, caller, callee, disposition, direction, trunk))
        return [{"id": "r1", "caller": "1005", "callee": "1006", "disposition": "answered"}]


@implementer(IRegistrations)
class MemoryRegistrations:
    """
    One phone.
    """

    def list(self) -> list[dict[str, Any]]:
        """
        It.
        """
        return [{"aor": "1005", "contact": "sip:1005@192.0.2.7"}]


@implementer(IStatus, IStatistics)
class MemoryStatus:
    """
    A state that a test sets.
    """

    def __init__(self) -> None:
        self.checks = {"sip": True, "directory": True}
        self.database = True

    def ready(self) -> dict[str, bool]:
        """
        The parts.
        """
        return self.checks

    def beside(self) -> dict[str, bool]:
        """
        The database.
        """
        return {"database": self.database}

    def trunks(self) -> dict[str, int]:
        """
        The trunks.
        """
        return {"up": 1, "degraded": 0, "down": 0}

    def status(self) -> dict[str, Any]:
        """
        The whole.
        """
        return {"version": "0.1.0"}

    async def statistics(self) -> dict[str, Any]:
        """
        Counts.
        """
        return {"today": {"answered": 3}}


@implementer(IStoredValues)
class MemoryValues:
    """
    Values in a dict.
    """

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        """
        One.
        """
        return self.kept.get(key)

    async def set(self, key: str, value: str) -> None:
        """
        Another.
        """
        self.kept[key] = value
