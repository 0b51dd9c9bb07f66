"""
``/api/prompts``: what the exchange says, and the operator's own recordings and texts in place of it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from pbx.audio.wording import NAME
from pbx.features.prompts import LARGEST, Prompt, Prompts, is_language
from pbx.features.speech import LONGEST_TEXT
from pbx.ops.section import printable
from pbx.web import files
from pbx.web.problems import Problem
from pbx.web.routes import Ask, Reply, Route, Upload

if TYPE_CHECKING:
    from collections.abc import Mapping

Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_TEXT,
        description=f"text of 1 to {LONGEST_TEXT} characters",
        extra={"check": printable},
    ),
]


class SpokenPrompt(msgspec.Struct, frozen=True):
    """
    The body that has a text spoken.
    """

    text: Text


class Which(msgspec.Struct, frozen=True):
    """
    Which prompts are listed: those of one language.
    """

    language: str = "en"


def shown(prompt: Prompt) -> dict[str, Any]:
    """
    What the API says of a prompt.
    """
    return {
        "language": prompt.language,
        "name": prompt.name,
        "text": prompt.text,
        "own": prompt.own,
        "shipped": prompt.shipped,
        **files.shown(prompt.recording),
    }


class PromptsResource:
    """
    The resource.
    """

    def __init__(self, prompts: Prompts, audit: Any) -> None:
        """
        A resource over prompts.

        Args:
            prompts: The prompts.
            audit: An :class:`~pbx.web.identity.IAudit`.
        """
        self._prompts = prompts
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        one = "/api/prompts/<language>/<name>"
        return [
            Route("GET", "/api/prompts", self._list, query=Which),
            Route("GET", one, self._get),
            Route("PUT", one, self._put, body=SpokenPrompt, upload=LARGEST),
            Route("DELETE", one, self._delete),
        ]

    async def _list(self, ask: Ask) -> object:
        which: Which = ask.query
        return {
            "languages": await self._prompts.languages(),
            "language": which.language,
            "can_speak": is_language(which.language) and self._prompts.can_speak(which.language),
            "prompts": [shown(prompt) for prompt in await self._prompts.all(which.language)],
        }

    async def _get(self, ask: Ask) -> Reply:
        prompt = await self._existing(ask.path)
        try:
            return files.sent(prompt.recording.path, await self._prompts.content(prompt))
        except FileNotFoundError:
            raise _missing(ask.path)

    async def _put(self, ask: Ask) -> Reply:
        language, name = ask.path["language"], ask.path["name"]
        if not is_language(language) or NAME.fullmatch(name) is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                "A prompt is /api/prompts/LANGUAGE/NAME: a language such as en or pt-br, and a name of up to 64 small "
                "letters, digits and hyphens.",
            )
        before = await self._prompts.find(language, name)
        if isinstance(ask.body, Upload):
            with files.problems("body"):
                prompt = await self._prompts.record(language, name, ask.body.content)
        else:
            spoken: SpokenPrompt = ask.body
            with files.problems("text"):
                prompt = await self._prompts.speak(language, name, spoken.text)
        replaced = before is not None and before.own
        old = shown(before) if before is not None and replaced else None
        self._audit.wrote(ask.actor, "change" if replaced else "add", f"prompt {language}/{name}", old, shown(prompt))
        if replaced:
            return Reply(shown(prompt))
        return Reply(shown(prompt), HTTPStatus.CREATED, {"Location": f"/api/prompts/{language}/{name}"})

    async def _delete(self, ask: Ask) -> Reply:
        before = await self._existing(ask.path)
        if not before.own:
            raise Problem(
                HTTPStatus.CONFLICT,
                f"{before.language}/{before.name} came with the program. PUT another one to have that played.",
            )
        if not await self._prompts.delete(before.language, before.name):
            raise _missing(ask.path)
        self._audit.wrote(ask.actor, "remove", f"prompt {before.language}/{before.name}", shown(before), None)
        return Reply(status=HTTPStatus.NO_CONTENT)

    async def _existing(self, path: Mapping[str, str]) -> Prompt:
        prompt = await self._prompts.find(path["language"], path["name"])
        if prompt is None:
            raise _missing(path)
        return prompt


def _missing(path: Mapping[str, str]) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no prompt {path['language']}/{path['name']}.")
