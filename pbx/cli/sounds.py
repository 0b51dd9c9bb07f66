"""
Prompts and music.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pbx.cli.api import PATIENCE
from pbx.cli.offer import command, content, group, path
from pbx.cli.tables import table

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

PROMPTS = [
    ("NAME", "name"),
    ("OWN", "own"),
    ("SECONDS", "seconds"),
    ("CHANGED", "changed"),
    ("TEXT", "text"),
]
MUSIC = [
    ("CLASS", "class"),
    ("NAME", "name"),
    ("OWN", "own"),
    ("SECONDS", "seconds"),
    ("SIZE", "size"),
    ("CHANGED", "changed"),
]


async def prompts_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All prompts of a language.
    """
    answer = await api.ask("GET", f"{path('prompts')}?{urlencode({'language': options.language})}")
    rows = [each for each in answer["prompts"] if each["own"] or not options.own]
    return answer, table(rows, PROMPTS, "There are no such prompts.")


async def prompts_upload(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    A recording in place of a prompt, or a new prompt.
    """
    where = path("prompts", options.language, options.name)
    answer = await api.ask("PUT", where, content(options.file), timeout=PATIENCE)
    return answer, _kept("Prompt", f"{options.language}/{options.name}", answer)


async def prompts_say(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    A text that is spoken as a prompt.
    """
    where = path("prompts", options.language, options.name)
    answer = await api.ask("PUT", where, {"text": options.text}, timeout=PATIENCE)
    return answer, _kept("Prompt", f"{options.language}/{options.name}", answer)


async def music_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    All music.
    """
    answer = await api.ask("GET", path("music"))
    rows = [{**piece, "class": each["name"]} for each in answer["classes"] for piece in each["files"]]
    return answer, table(rows, MUSIC, "There is no music.")


async def music_upload(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    One more piece.
    """
    where = path("music", options.group, options.name)
    answer = await api.ask("PUT", where, content(options.file), timeout=PATIENCE)
    return answer, _kept("Music", f"{options.group}/{options.name}", answer)


def _kept(what: str, name: str, answer: dict[str, Any]) -> str:
    return f"{what} {name} is there: {answer['seconds'] or 0:.1f} seconds."


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    actions = group(commands, "prompts", "list, upload and have spoken what the exchange says")
    prompts = command(actions, "list", prompts_list, "list what the exchange says")
    prompts.add_argument("--own", action="store_true", help="only your own")
    upload = command(actions, "upload", prompts_upload, "have a recording played for a prompt")
    say = command(actions, "say", prompts_say, "have a text spoken for a prompt; needs pip install 'pbx[tts]'")
    for one in (prompts, upload, say):
        one.add_argument("--language", default="en", help="such as de (default: %(default)s)")
    for one in (upload, say):
        one.add_argument("name", help="small letters, digits and hyphens")
    upload.add_argument("file", type=Path, help="in any usual format")
    say.add_argument("text", help="what is said")
    actions = group(commands, "music", "list and upload what callers hear while they wait")
    command(actions, "list", music_list, "list all music")
    upload = command(actions, "upload", music_upload, "add a piece of music to a class")
    upload.add_argument("group", metavar="CLASS", help="default is what everyone hears")
    upload.add_argument("name", help="small letters, digits and hyphens")
    upload.add_argument("file", type=Path, help="in any usual format")
