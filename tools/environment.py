#!/usr/bin/env python3
"""
The checkout's own Python environment, ``.venv``: made once, brought up to date when the requirements change.

Only the standard library is used here, since nothing else is installed yet.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("PBX_VENV") or TOP / ".venv")
STAMP = VENV / "pbx-installed.json"
OLDEST = (3, 11)
CANDIDATES = ("python3.14", "python3.13", "python3.12", "python3.11")


class EnvironmentFailedError(Exception):
    """
    The environment cannot be made; the text says what the person at the terminal can do.
    """


def say(text: str) -> None:
    """
    Tell the person at the terminal what goes on.
    """
    print(text, file=sys.stderr, flush=True)


def ensure_python() -> None:
    """
    Go on with a Python that is new enough: this one, or else one found on the path, which then runs the same command.

    Raises:
        EnvironmentFailedError: There is none.
    """
    if sys.version_info >= OLDEST:
        return
    for name in CANDIDATES:
        path = shutil.which(name)
        if path:
            os.execv(path, [path, *sys.argv])  # noqa: S606 - a Python by its full path
    found = ".".join(map(str, sys.version_info[:3]))
    raise EnvironmentFailedError(
        f"Python 3.11 or newer is needed; this is {found}.\n"
        "  Debian 12, Ubuntu 24.04 and later:  sudo apt install python3\n"
        "  Ubuntu 22.04:                       sudo apt install python3.11"
    )


def prepare(*extras: str) -> Path:
    """
    Make the environment hold the exchange and what it needs, and return its Python.

    Args:
        extras: Names from ``[options.extras_require]`` in setup.cfg, such as ``test``.

    Raises:
        EnvironmentFailedError: It cannot be made.
    """
    ensure_python()
    python = VENV / "bin" / "python"
    if _is_current(extras):
        return python
    with (TOP / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another command is installing into .venv; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current(extras):
            _install(python, extras)
    return python


def go_on_within(*extras: str) -> None:
    """
    Go on as the environment's Python, which has what the program needs; it is made where there is none.

    Args:
        extras: As for :func:`prepare`.
    """
    python = prepare(*extras)
    if Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - this very program


def _place() -> str:
    """
    What an environment cannot outlive: its folder, and the interpreter it was made for.
    """
    return f"{TOP} {sys.version_info[0]}.{sys.version_info[1]}"


def _digest() -> str:
    """
    What has to be installed: the requirements and the build settings.
    """
    whole = hashlib.sha256()
    for name in ("setup.cfg", "pyproject.toml"):
        whole.update((TOP / name).read_bytes())
    return whole.hexdigest()


def _stamp() -> dict[str, Any]:
    """
    What was noted when the environment was made; empty when there is none that can be used.
    """
    try:
        stamp: dict[str, Any] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    # The interpreter is gone after an upgrade of the system's Python.
    usable = stamp.get("place") == _place() and os.access(VENV / "bin" / "python", os.X_OK)
    return stamp if usable else {}


def _is_current(extras: tuple[str, ...]) -> bool:
    stamp = _stamp()
    return stamp.get("digest") == _digest() and set(stamp["extras"]).issuperset(extras)


def _install(python: Path, extras: tuple[str, ...]) -> None:
    stamp = _stamp()
    if not stamp:
        say(f"Making the environment {VENV}")
        _make(python)
    wanted = sorted(set(stamp.get("extras", [])).union(extras))
    target = f"{TOP}[{','.join(wanted)}]" if wanted else str(TOP)
    say("Installing what the exchange needs; a minute or two, and only when that has changed")
    _pip_install(python, target)
    # Twisted keeps what plugins there are in a file beside them, written by the first command that looks.
    subprocess.run([VENV / "bin" / "twistd", "--help"], check=False, stdout=subprocess.DEVNULL)
    STAMP.write_text(json.dumps({"place": _place(), "digest": _digest(), "extras": wanted}), encoding="utf-8")


def _pip_install(python: Path, target: str) -> None:
    """
    Install a target in place, with a short line for each step; all that pip said is shown when it fails.
    """
    command: list[str | Path] = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off", "--editable", target]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in pip.stdout or ():
            said.append(line)
            words = line.split()
            if words[:1] in (["Collecting"], ["Processing"], ["Downloading"], ["Building"]):
                say(f"  {words[0].lower()} {Path(words[1]).name}")
            elif words[:1] == ["Installing"]:
                say("  unpacking")
    if pip.returncode != 0:
        raise EnvironmentFailedError(
            f"{''.join(said)}\nInstalling failed; the lines above say why. Packages come from https://pypi.org, or\n"
            "the index that pip is configured for: is it reachable from here? The same command tries again."
        )


def _make(python: Path) -> None:
    """
    Make an environment with pip in it, also where Debian's python3-venv is missing.
    """
    shutil.rmtree(VENV, ignore_errors=True)
    if not _runs(sys.executable, "-c", "import ensurepip") or not _runs(sys.executable, "-m", "venv", VENV):
        # Debian cuts ensurepip out of its Python; the rest of venv is there.
        shutil.rmtree(VENV, ignore_errors=True)
        if not _runs(sys.executable, "-m", "venv", "--without-pip", VENV) or not _bring_pip(python):
            shutil.rmtree(VENV, ignore_errors=True)
            version = ".".join(map(str, sys.version_info[:2]))
            raise EnvironmentFailedError(
                f"This Python cannot make a virtual environment with pip. Please run\n"
                f"  sudo apt install python{version}-venv\n"
                "and then the same command again."
            )


def _runs(*command: str | Path) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _bring_pip(python: Path) -> bool:
    """
    Put pip into an environment without it: by the system's pip, else by pip's own wheel from PyPI.
    """
    if _runs(sys.executable, "-m", "pip", "--python", python, "install", "pip"):
        return True
    say("Fetching pip from https://pypi.org")
    try:
        with urllib.request.urlopen("https://pypi.org/pypi/pip/json", timeout=60) as page:
            files, base = json.load(page)["urls"], page.url
        wheel = next(file for file in files if file["packagetype"] == "bdist_wheel")
        address = urllib.parse.urljoin(base, wheel["url"])
        with urllib.request.urlopen(address, timeout=60) as page:  # noqa: S310 - https, from the index's answer
            content = page.read()
    except (OSError, ValueError, KeyError, StopIteration) as error:
        say(f"That failed: {error}")
        return False
    if hashlib.sha256(content).hexdigest() != wheel["digests"]["sha256"]:
        say("That failed: what came is not what the index announced.")
        return False
    # A wheel is an archive that pip can be run from, to install itself in its right place.
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
        return _runs(python, f"{folder}/pip", "install", "--ignore-installed", "pip")


def main() -> int:
    """
    Make the environment with the extras named on the command line, and print its Python.
    """
    try:
        print(prepare(*sys.argv[1:]))
    except EnvironmentFailedError as problem:
        say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
