"""
What can be typed: commands, the options that all of them have, and secrets that are asked for.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pbx.cli.api import CliError

if TYPE_CHECKING:
    from collections.abc import Callable


def path(*parts: str) -> str:
    """
    A path of the API, with what was typed quoted.
    """
    return "/api/" + "/".join(quote(part, safe="") for part in parts)


def read_password(what: str = "Password") -> str:
    """
    A secret typed twice at the terminal, or the first line of what is piped in; never an argument, which others see.

    Args:
        what: What is asked for.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"{what}: ")
    if getpass.getpass("Again: ") != password:
        raise CliError(f"The two {what}s differ." if what.isupper() else f"The two {what.lower()}s differ.")
    return password


def common(to: argparse.ArgumentParser, *, is_command: bool) -> None:
    """
    The options that may stand before the command, or after it.
    """

    def default(value: object) -> object:
        # After the command, what was said before it stands.
        return argparse.SUPPRESS if is_command else value

    to.add_argument("--json", action="store_true", default=default(False), help="show what the API answers")
    url = "https://localhost:8080"
    to.add_argument("--url", default=default(url), help=f"the exchange (default: {url})")
    to.add_argument(
        "--cert", type=Path, default=default(None), help="its certificate (default: ssl/pbx.crt in the data directory)"
    )
    to.add_argument("-k", "--insecure", action="store_true", default=default(False), help="accept any certificate")


def command(to: Any, name: str, run: Callable[..., Any], text: str) -> argparse.ArgumentParser:
    """
    Offer a command.

    Args:
        to: The commands that there are.
        name: What is typed.
        run: Carries it out: takes the API and what was typed, gives the API's answer and what people are shown.
        text: What it does, from "list" or another verb on.
    """
    one: argparse.ArgumentParser = to.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    common(one, is_command=True)
    one.set_defaults(run=run, read_password=read_password)
    return one


def group(commands: Any, name: str, text: str) -> Any:
    """
    Offer a word that more words follow.

    Args:
        commands: The commands that there are.
        name: What is typed.
        text: What they are for.
    """
    return commands.add_parser(name, help=text).add_subparsers(required=True, metavar="ACTION")


def content(file: Path) -> bytes:
    """
    A file that shall be sent.

    Raises:
        CliError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise CliError(f"{file}: {error.strerror or error}")
