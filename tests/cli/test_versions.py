"""
Tests of ``pbxctl`` at an exchange of another version, such as one that was not restarted after an update.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from twisted.web.resource import Resource

from pbx.cli.api import CliError, OtherVersionError
from pbx.cli.command import parser
from tests.cli.case import CommandCase

SETTINGS = {"handling": "dnd=on", "permissions": "classes=local", "conditions": "switch=1"}
"""What is set by a command whose settings are not those of most."""


class Elsewhere(Resource):
    """
    Answers the same to everything.
    """

    isLeaf = True  # noqa: N815 - Twisted asks for it

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__()
        self.status, self.content = status, content

    def resource(self) -> Resource:
        """
        Itself, as an app gives it.
        """
        return self

    def render(self, request: Any) -> bytes:
        """
        The answer.
        """
        request.setResponseCode(self.status)
        return self.content


def lines(typed: argparse.ArgumentParser, before: tuple[str, ...] = ()) -> Iterator[str]:
    """
    Every command with what it needs.
    """
    words = [*before]
    for group in typed._mutually_exclusive_groups:
        if group.required:
            words += [group._group_actions[0].option_strings[0], "1"]
    for action in typed._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from lines(inner, (*before, name))
        elif action.option_strings:
            words += [action.option_strings[-1], "1"] if action.required else []
        elif action.dest == "settings":
            words.append(SETTINGS.get(before[0], "enabled=on"))
        elif action.type is Path:
            words.append(__file__)
        elif action.dest == "destination":
            words.append("extension:1")
        else:
            words.append(action.choices[0] if action.choices else "1")
    if typed.get_default("run") is not None:
        yield shlex.join(words)


class VersionTests(CommandCase):
    """
    What a command says where the answer is not as it should be.
    """

    def answer(self, content: object, status: int = HTTPStatus.OK) -> None:
        """
        Have everything answered so.
        """
        self.app = Elsewhere(status, b"" if content is None else json.dumps(content).encode())  # type: ignore[assignment]

    def test_every_command(self) -> None:
        """
        Whatever an answer lacks, every command either does without it, or says in one line what is to be done.
        """
        commands = [*lines(parser())]
        self.assertGreater(len(commands), 50)
        lacking = set()
        for content in ({}, None, [], "OK"):
            self.answer(content)
            for line in commands:
                running = self.typed(line, "123456")
                said: list[Any] = []
                running.addBoth(said.append)
                self.assertEqual(len(said), 1, line)
                if isinstance(said[0], str):
                    continue
                self.assertTrue(said[0].check(CliError), f"{line}: {said[0]}")
                text = said[0].getErrorMessage()
                if said[0].check(OtherVersionError):
                    lacking.add(line)
                    self.assertNotIn("\n", text)
                    self.assertIn("is of another version than pbxctl, and is to be restarted", text)
        self.assertGreater(len(lacking), 40, lacking)

    def test_reload(self) -> None:
        """
        A reload whose answer says less than this pbxctl shows names what is missing.
        """
        self.answer({"changed": [], "waiting": [], "more": 0})
        self.assertEqual(
            self.refused("reload"),
            "Its answer has no 'doubts': the exchange that runs is of another version than pbxctl, and is to be"
            " restarted.",
        )

    def test_rows(self) -> None:
        """
        So it is with what stands within: an alert without a text.
        """
        self.answer({"alerts": [{"id": 1}]})
        self.assertIn("no 'text': the exchange that runs is of another version", self.refused("alerts"))

    def test_paths(self) -> None:
        """
        A path that the exchange does not have yet is told in its words, with what may be behind it; where it knows the
        path and not what is named there it is the name that is wrong.
        """
        for status, detail in ((404, "There is no /api/reload."), (405, "/api/reload takes GET, not POST.")):
            self.answer({"status": status, "detail": detail}, status)
            self.assertEqual(
                self.refused("reload"),
                f"{detail} If pbxctl was updated since the exchange was started, restart the exchange.",
            )
        self.answer({"status": 404, "detail": "There is no trunk x."}, 404)
        self.assertEqual(self.refused("trunks show x"), "There is no trunk x.")
