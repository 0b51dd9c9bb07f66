"""
``/first/<token>``: the page on which the first administrator chooses a name and a password, once.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.logger import Logger
from zope.interface import Interface

from pbx.web.passwords import SHORTEST, password_fault
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

VALID = 24 * 3600.0
"""Seconds for which a link can be used."""

LINK = "first_administrator_link"
"""The stored value that holds the digest of the link's token, and until when it is valid."""

ADMINISTRATOR = "first_administrator"
"""The stored value that holds the administrator's name and password hash."""


class IStoredValues(Interface):
    """
    Single values that outlive a restart.
    """

    async def get(key: str) -> str | None:  # noqa: N805
        """
        A value, or ``None`` when there is none.
        """

    async def set(key: str, value: str) -> None:  # noqa: N805
        """
        Keep a value in place of the one there was.
        """


class Link(msgspec.Struct, frozen=True):
    """
    What is stored of a link: not its token.

    Attributes:
        digest: SHA-256 of the token, in hexadecimal.
        until: The wall clock's seconds at which it ends.
    """

    digest: str
    until: float


class Administrator(msgspec.Struct, frozen=True):
    """
    What is stored of the first administrator.

    Attributes:
        name: The login name.
        password_hash: As the hasher wrote it.
        since: The wall clock's seconds.
    """

    name: str
    password_hash: str
    since: float

    def __repr__(self) -> str:
        return f"Administrator(name={self.name!r})"


class FirstAdministrator:
    """
    The one-time link and its page.
    """

    log = Logger()

    def __init__(
        self,
        values: Any,
        hash_password: Callable[[str], Awaitable[str]],
        wall: Callable[[], float],
        audit: Any,
    ) -> None:
        """
        A link that is not offered yet.

        Args:
            values: An :class:`IStoredValues`.
            hash_password: Hashes a password in a way that is slow to guess, without making the caller wait.
            wall: The wall clock, in seconds.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._values = values
        self._hash = hash_password
        self._wall = wall
        self._audit = audit
        self._is_taken = False

    async def offer(self) -> str | None:
        """
        Make a new link, in place of any before: its path, or ``None`` when there is an administrator.

        Called at each start, since of the token of an earlier one only the digest is known.
        """
        if await self._values.get(ADMINISTRATOR) is not None:
            return None
        token = secrets.token_urlsafe(24)
        link = Link(_digest(token), self._wall() + VALID)
        await self._values.set(LINK, msgspec.json.encode(link).decode())
        return f"/first/{token}"

    def routes(self) -> list[Route]:
        """
        What it answers, to anyone who has the link.
        """
        return [
            Route("GET", "/first/<token>", self._show, is_open=True),
            Route("POST", "/first/<token>", self._take, form=True, is_open=True),
        ]

    async def _show(self, ask: Ask) -> Reply:
        await self._check(ask.path["token"])
        return _form()

    async def _take(self, ask: Ask) -> Reply:
        await self._check(ask.path["token"])
        name, password = ask.body.get("name", "").strip(), ask.body.get("password", "")
        fault = _name_fault(name) or password_fault(password, number=name)
        if fault is None and password != ask.body.get("again", ""):
            fault = "and its repetition differ"
        if fault is not None:
            what = "The name" if _name_fault(name) else "The password"
            return _form(name, f"{what} {fault}.", HTTPStatus.UNPROCESSABLE_ENTITY)
        # Nothing is awaited between the look and the mark: of two who send the form at once, one is late.
        if self._is_taken:
            raise _gone()
        self._is_taken = True
        try:
            administrator = Administrator(name, await self._hash(password), self._wall())
            await self._values.set(ADMINISTRATOR, msgspec.json.encode(administrator).decode())
        except BaseException:
            self._is_taken = False
            raise
        self._audit.wrote("one-time link", "add", f"administrator {name}", None, {"name": name})
        self.log.info("The first administrator is {name}", name=name)
        return _page(
            f"<h1>Welcome, {html.escape(name)}</h1><p>You are the administrator of this exchange. Keep the password: "
            "it is stored so that nobody can read it.</p><p>This page does not open again.</p>"
        )

    async def _check(self, token: str) -> None:
        """
        Let only the holder of a link that is still good pass; all others are told the same.
        """
        stored = await self._values.get(LINK)
        if stored is None or self._is_taken or await self._values.get(ADMINISTRATOR) is not None:
            raise _gone()
        link = msgspec.json.decode(stored, type=Link)
        if not hmac.compare_digest(link.digest, _digest(token)) or self._wall() > link.until:
            raise _gone()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _gone() -> Problem:
    return Problem(
        HTTPStatus.NOT_FOUND,
        "This link was used, has ended after 24 hours, or never was. While there is no administrator, each start of "
        "the exchange shows a new one on its terminal.",
    )


def _name_fault(name: str) -> str | None:
    if not 2 <= len(name) <= 64 or not name.isprintable() or "/" in name:
        return "must have 2 to 64 characters, and no slash"
    return None


def _form(name: str = "", fault: str = "", status: int = HTTPStatus.OK) -> Reply:
    shown_fault = f'<p class="fault" role="alert">{html.escape(fault)}</p>' if fault else ""
    return _page(
        f"""<h1>The first administrator</h1>
<p>Choose the name and the password with which you will administer this exchange.</p>
{shown_fault}
<form method="post">
<label for="name">Name</label>
<input id="name" name="name" value="{html.escape(name)}" autocomplete="username" required minlength="2" maxlength="64">
<label for="password">Password, at least {SHORTEST} characters</label>
<input id="password" name="password" type="password" autocomplete="new-password" required minlength="{SHORTEST}">
<label for="again">The password again</label>
<input id="again" name="again" type="password" autocomplete="new-password" required minlength="{SHORTEST}">
<button>Become administrator</button>
</form>""",
        status,
    )


def _page(content: str, status: int = HTTPStatus.OK) -> Reply:
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The exchange</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem; color: #151515; }}
label, input, button {{ display: block; width: 100%; box-sizing: border-box; }}
input {{ font: inherit; padding: .5rem; margin: .25rem 0 1rem; border: 1px solid #707070; border-radius: 4px; }}
button {{ font: inherit; padding: .6rem; border: 0; border-radius: 4px; background: #0055aa; color: #fff; }}
.fault {{ border-left: 4px solid #b1380b; padding-left: .75rem; }}
</style>
</head>
<body><main>
{content}
</main></body>
</html>
"""
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    }
    return Reply(text.encode(), status, headers)
