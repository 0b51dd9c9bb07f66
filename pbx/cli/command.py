"""
The command itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import treq
from twisted.internet.task import react
from twisted.web.client import Agent

from pbx.cli import alerts, exchange, people, places, route, routes, sounds, trunks, voicemail
from pbx.cli.api import TIMEOUT, Api, CliError, UnsuccessfulError, policy
from pbx.cli.offer import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treq.client import HTTPClient


def parser() -> argparse.ArgumentParser:
    """
    What can be typed.
    """
    whole = argparse.ArgumentParser(prog="pbxctl", description="The exchange from the command line.")
    common(whole, is_command=False)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for subject in (exchange, alerts, people, voicemail, places, sounds, trunks, routes, route):
        subject.offer(commands)
    return whole


async def run(options: argparse.Namespace, client: HTTPClient) -> str:
    """
    Carry out what was typed.

    Returns:
        What to show.

    Raises:
        CliError: It did not work.
    """
    try:
        answer, text = await options.run(Api(client, options.url), options)
    except UnsuccessfulError as error:
        if options.json:
            raise UnsuccessfulError(error.answer, _json(error.answer)) from error
        raise
    return _json(answer) if options.json else text


def _json(answer: Any) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _show(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as head, has seen enough. What Python still writes at its end goes to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str] | None = None) -> None:
    """
    The command itself.

    Raises:
        SystemExit: Always: 0 when it worked, 1 when not, 2 when it was mistyped.
    """
    options = parser().parse_args(arguments)

    async def typed(reactor: Any) -> None:
        try:
            client = treq.client.HTTPClient(Agent(reactor, policy(options), connectTimeout=TIMEOUT))
            _show(await run(options, client))
        except UnsuccessfulError as error:
            _show(str(error))
            raise SystemExit(1)
        except CliError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(1)

    react(typed)
