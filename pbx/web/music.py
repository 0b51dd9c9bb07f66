"""
``/api/music``: the music that callers hear while they wait, by class.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pbx.audio.wording import NAME
from pbx.features.music import LARGEST, MusicOnHold, Piece
from pbx.web import files
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Reply, Route

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown(piece: Piece) -> dict[str, Any]:
    """
    What the API says of a piece.
    """
    return {"name": piece.name, "own": piece.own, **files.shown(piece.recording)}


class Music:
    """
    The resource.
    """

    def __init__(self, music: MusicOnHold, audit: Any) -> None:
        """
        A resource over music.

        Args:
            music: The music.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._music = music
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        one = "/api/music/<group>/<name>"
        return [
            Route("GET", "/api/music", self._list),
            Route("GET", one, self._get),
            Route("PUT", one, self._put, upload=LARGEST),
            Route("DELETE", one, self._delete),
        ]

    async def _list(self, ask: Ask) -> object:
        classes = await self._music.all()
        return {"classes": [{"name": name, "files": [*map(shown, pieces)]} for name, pieces in classes.items()]}

    async def _get(self, ask: Ask) -> Reply:
        piece = await self._existing(ask.path)
        try:
            return files.sent(piece.recording.path, await self._music.content(piece))
        except FileNotFoundError:
            raise _missing(ask.path)

    async def _put(self, ask: Ask) -> Reply:
        group, name = ask.path["group"], ask.path["name"]
        if NAME.fullmatch(group) is None or NAME.fullmatch(name) is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "A piece is /api/music/CLASS/NAME, each of up to 64 small letters, digits and hyphens.",
            )
        before = await self._music.find(group, name)
        with files.problems("body"):
            piece = await self._music.add(group, name, ask.body.content)
        replaced = before is not None and before.own
        old = shown(before) if before is not None and replaced else None
        self._audit.wrote(ask.actor, "change" if replaced else "add", f"music {group}/{name}", old, shown(piece))
        if replaced:
            return Reply(shown(piece))
        return Reply(shown(piece), HTTPStatus.CREATED, {"Location": f"/api/music/{group}/{name}"})

    async def _delete(self, ask: Ask) -> Reply:
        before = await self._existing(ask.path)
        if not before.own:
            raise Problem(
                HTTPStatus.CONFLICT,
                f"{before.group}/{before.name} came with the program. It is not played while the class has another.",
            )
        if not await self._music.delete(before.group, before.name):
            raise _missing(ask.path)
        self._audit.wrote(ask.actor, "remove", f"music {before.group}/{before.name}", shown(before), None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    async def _existing(self, path: Mapping[str, str]) -> Piece:
        piece = await self._music.find(path["group"], path["name"])
        if piece is None:
            raise _missing(path)
        return piece


def _missing(path: Mapping[str, str]) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no piece of music {path['group']}/{path['name']}.")
