"""
``/api/extensions``: who can be called, and by which password their phones register.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import msgspec
from msgspec import UNSET, Meta, UnsetType
from zope.interface import Interface

from pbx.directory.extension import Extension
from pbx.ops.section import printable
from pbx.web.changes import named
from pbx.web.destinations import refuse_if_used
from pbx.web.passwords import password_fault
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pbx.web.destinations import Numbers


class ExtensionExistsError(Exception):
    """
    There is an extension with that number already.
    """


class NumberOfPlaceError(ExtensionExistsError):
    """
    The number is that of a ring group, a menu or a room.
    """


class ExtensionGoneError(Exception):
    """
    There is no extension with that number any more.
    """


class IExtensions(Interface):
    """
    Where extensions are kept. A change has reached the database, and the next call, when its coroutine returns.
    """

    async def list() -> Iterable[Extension]:
        """
        Every extension, in the order of the numbers.
        """

    async def get(number: str) -> Extension | None:  # noqa: N805
        """
        One extension.
        """

    async def add(extension: Extension, password: str) -> None:  # noqa: N805
        """
        Keep a new one; its digests are made from the password.

        Raises:
            ExtensionExistsError: The number is taken.
            NumberOfPlaceError: By a place.
        """

    async def update(extension: Extension, password: str | None) -> None:  # noqa: N805
        """
        Replace the one with its number; without a password it keeps its digests.

        Raises:
            ExtensionGoneError: There is none.
        """

    async def change_handling(number: str, changes: Mapping[str, Any]) -> Extension:  # noqa: N805
        """
        Change some attributes of how an extension is handled; the others stay, whoever changes them meanwhile.

        Raises:
            ExtensionGoneError: There is none.
        """

    async def change_permissions(number: str, changes: Mapping[str, Any]) -> Extension:  # noqa: N805
        """
        Change some attributes of what an extension may do beyond the house; the others stay.

        Raises:
            ExtensionGoneError: There is none.
        """

    async def remove(number: str) -> bool:  # noqa: N805
        """
        Forget one; ``False`` when there was none.
        """


Number = Annotated[str, Meta(pattern=r"^[0-9]{2,15}\Z", description="2 to 15 digits")]
Name = Annotated[
    str, Meta(min_length=1, max_length=100, description="text of 1 to 100 characters", extra={"check": printable})
]
Email = (
    Annotated[str, Meta(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\Z", description="an email address, or null")] | None
)
Password = Annotated[str, Meta(description="text of at least 12 characters", extra={"secret": True})]


class NewExtension(msgspec.Struct, frozen=True):
    """
    The body that adds an extension.
    """

    number: Number
    name: Name
    password: Password
    email: Email = None
    allow_external: bool = False
    is_admin: bool = False


class ChangedExtension(msgspec.Struct, frozen=True):
    """
    The body that changes one; what it leaves out stays as it is.
    """

    number: Number | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    allow_external: bool | UnsetType = UNSET
    is_admin: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


def shown(extension: Extension) -> dict[str, Any]:
    """
    What the API says of an extension: nothing that its password could be found from.
    """
    return {
        "number": extension.number,
        "name": extension.name,
        "email": extension.email,
        "allow_external": extension.allow_external,
        "is_admin": extension.is_admin,
        "enabled": extension.enabled,
    }


class Extensions:
    """
    The resource.
    """

    def __init__(self, extensions: Any, audit: Any, numbers: Numbers | None = None) -> None:
        """
        A resource over extensions.

        Args:
            extensions: An :class:`IExtensions`.
            audit: An :class:`~pbx.web.identity.IAudit`.
            numbers: Every number that can be called: an extension that a place leads to is not removed.
        """
        self._extensions = extensions
        self._numbers = numbers
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        one = "/api/extensions/<number>"
        return [
            Route("GET", "/api/extensions", self._list),
            Route("POST", "/api/extensions", self._add, body=NewExtension),
            Route("GET", one, self._get),
            Route("PUT", one, self._change, body=ChangedExtension),
            Route("DELETE", one, self._remove),
        ]

    async def _list(self, ask: Ask) -> object:
        return {"extensions": [shown(extension) for extension in await self._extensions.list()]}

    async def _get(self, ask: Ask) -> object:
        return shown(await existing(self._extensions, ask))

    async def _add(self, ask: Ask) -> Reply:
        body: NewExtension = ask.body
        _check_password(body.password, body.number, body.name)
        extension = Extension(
            number=body.number,
            name=body.name,
            email=body.email,
            allow_external=body.allow_external,
            is_admin=body.is_admin,
        )
        try:
            await self._extensions.add(extension, body.password)
        except NumberOfPlaceError:
            detail = f"{body.number} is the number of a ring group, a menu or a conference room already."
            raise Problem(HTTPStatus.CONFLICT, detail, fields=[("number", "taken")])
        except ExtensionExistsError:
            raise Problem(
                HTTPStatus.CONFLICT,
                f"There is an extension {body.number} already. PUT /api/extensions/{body.number} changes it.",
                fields=[("number", "taken")],
            )
        self._audit.wrote(ask.actor, "add", f"extension {body.number}", None, shown(extension))
        return Reply(shown(extension), HTTPStatus.CREATED, {"Location": f"/api/extensions/{body.number}"})

    async def _change(self, ask: Ask) -> object:
        before = await existing(self._extensions, ask)
        given = named(ask.body)
        password = given.pop("password", None)
        if given.setdefault("number", before.number) != before.number:
            raise wrong_fields([("number", "cannot be changed; add another extension and remove this one")])
        after = attrs.evolve(before, **given)
        if password is not None:
            _check_password(password, after.number, after.name)
        try:
            await self._extensions.update(after, password)
        except ExtensionGoneError:
            # Somebody else has just removed it.
            raise missing(after.number)
        changed = shown(after) | ({"password": "changed"} if password is not None else {})
        self._audit.wrote(ask.actor, "change", f"extension {after.number}", shown(before), changed)
        return shown(after)

    async def _remove(self, ask: Ask) -> Reply:
        before = await existing(self._extensions, ask)
        if self._numbers is not None:
            refuse_if_used(self._numbers, before.number)
        if not await self._extensions.remove(before.number):
            raise missing(before.number)
        self._audit.wrote(ask.actor, "remove", f"extension {before.number}", shown(before), None)
        return Reply(status=HTTPStatus.NO_CONTENT)


async def existing(extensions: Any, ask: Ask) -> Extension:
    """
    The extension of a path.

    Args:
        extensions: An :class:`IExtensions`.
        ask: The request.

    Raises:
        Problem: 404 when there is none.
    """
    number = ask.path["number"]
    extension: Extension | None = None
    if number.isascii() and number.isdigit():
        extension = await extensions.get(number)
    if extension is None:
        raise missing(number)
    return extension


def missing(number: str) -> Problem:
    """
    The answer where there is no extension with a number.
    """
    return Problem(HTTPStatus.NOT_FOUND, f"There is no extension {number}.")


def _check_password(password: str, number: str, name: str) -> None:
    fault = password_fault(password, number=number, name=name)
    if fault is not None:
        raise wrong_fields([("password", fault)])
