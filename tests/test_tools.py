"""
Tests for ``tools/test``, ``tools/environment.py`` and the reporter behind the counting line.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import textwrap
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

TOP = Path(__file__).resolve().parent.parent

SAMPLE = '''
    from twisted.trial.unittest import SkipTest, SynchronousTestCase

    class SampleTests(SynchronousTestCase):
        def test_good(self):
            pass
        def test_bad(self):
            self.assertEqual(1, 2)
        def test_error(self):
            raise RuntimeError("broken")
        def test_skipped(self):
            raise SkipTest("not here")
        def test_expected(self):
            self.assertEqual(1, 2)
        test_expected.todo = "later"
        def test_unexpected(self):
            pass
        test_unexpected.todo = "later"
'''

FATAL = '''
    import os
    from twisted.trial.unittest import SynchronousTestCase

    class FatalTests(SynchronousTestCase):
        def test_dies(self):
            os._exit(3)
        def test_good(self):
            pass
'''


def loaded(name: str) -> ModuleType:
    """
    A program of ``tools/`` as a module.
    """
    sys.path.insert(0, str(TOP / "tools"))
    try:
        loader = SourceFileLoader(f"tools_{name}", str(TOP / "tools" / name))
        specification = importlib.util.spec_from_loader(loader.name, loader)
        module = importlib.util.module_from_spec(specification)
        loader.exec_module(module)
    finally:
        sys.path.remove(str(TOP / "tools"))
    return module


class TestCommandTests(SynchronousTestCase):
    """
    The line at the end of ``tools/test``.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def last_line(self, module: str, *options: str) -> tuple[str, int]:
        """
        The last line of ``tools/test`` over a test module, and its exit code.
        """
        name = f"sample_{self.id().rpartition('.')[2]}"
        (self.folder / f"{name}.py").write_text(textwrap.dedent(module))
        script = textwrap.dedent(f"""
            import sys
            sys.dont_write_bytecode = True
            sys.path.insert(0, {str(TOP)!r})
            from tests.test_tools import loaded
            program = loaded("test")
            program.environment.prepare = lambda *extras: program.Path(sys.executable)
            program.environment.TOP = program.Path({str(TOP)!r})
            sys.exit(program.main())
        """)
        run = subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", script, *options, f"{self.folder / name}.py"],
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        return run.stdout.splitlines()[-1], run.returncode

    def test_counts(self) -> None:
        """
        What trial found is counted: errors and unexpected successes have failed, expected failures prove nothing.
        """
        self.assertEqual(self.last_line(SAMPLE, "--jobs", "1"), ("1 passed, 3 failed, 2 skipped", 1))

    def test_no_tests(self) -> None:
        """
        A name that is no test has failed.
        """
        line, code = self.last_line("raise RuntimeError('not to be imported')", "--jobs", "1")
        self.assertEqual((line, code), ("0 passed, 1 failed, 0 skipped", 1))

    def test_trial_dies(self) -> None:
        """
        When the process ends in the middle of a test there is a line too, and it is no good one.
        """
        self.assertEqual(self.last_line(FATAL, "--jobs", "1"), ("0 passed, 1 failed, 0 skipped", 1))

    def test_worker_dies(self) -> None:
        """
        The same when one of several processes ends.
        """
        line, code = self.last_line(FATAL, "--jobs", "2")
        self.assertRegex(line, r"^\d+ passed, [1-9]\d* failed, 0 skipped$")
        self.assertEqual(code, 1)


class ChecksTests(SynchronousTestCase):
    """
    What ``.ci/run`` asks of a machine.
    """

    def test_without_ensurepip(self) -> None:
        """
        Debian's Python makes environments without pip alone, unless python3-venv was installed.
        """
        made = [line for line in (TOP / ".ci" / "run").read_text().splitlines() if "-m venv" in line]
        self.assertEqual([line for line in made if "--without-pip" not in line], [])
        self.assertEqual(len(made), 1)


class EnvironmentTests(SynchronousTestCase):
    """
    The environment of a checkout.
    """

    def setUp(self) -> None:
        self.environment: Any = loaded("environment.py")
        folder = Path(self.mktemp()).absolute()
        (folder / "bin").mkdir(parents=True)
        self.environment.VENV = folder
        self.environment.STAMP = folder / "stamp.json"
        self.python = folder / "bin" / "python"
        self.did: list[str] = []
        self.environment._make = self.make
        self.environment._pip_install = lambda python, target: self.did.append(f"install {Path(target).name}")
        self.environment.say = lambda text: None
        self.environment.subprocess = type("Nothing", (), {"run": lambda *_, **__: None, "DEVNULL": None})

    def make(self, python: Path) -> None:
        """
        Pretend to make an environment.
        """
        self.did.append("make")
        python.touch()
        python.chmod(0o755)

    def prepare(self, *extras: str) -> list[str]:
        """
        What is done to prepare the environment.
        """
        self.did.clear()
        self.environment.prepare(*extras)
        return self.did

    def test_once(self) -> None:
        """
        It is made and filled once; a second start does nothing.
        """
        self.assertEqual(self.prepare(), ["make", f"install {TOP.name}"])
        self.assertEqual(self.prepare(), [])

    def test_extras(self) -> None:
        """
        What the tests need is added to it, and kept when something else is added.
        """
        self.prepare()
        self.assertEqual(self.prepare("test"), [f"install {TOP.name}[test]"])
        self.assertEqual(self.prepare(), [])
        self.assertEqual(self.prepare("lint"), [f"install {TOP.name}[lint,test]"])

    def test_requirements_changed(self) -> None:
        """
        Other requirements are installed into it; it is not made again.
        """
        self.prepare()
        self.environment._digest = lambda: "another"
        self.assertEqual(self.prepare(), [f"install {TOP.name}"])

    def test_moved(self) -> None:
        """
        For another folder or another Python it is made again, and so it is when its Python is gone.
        """
        self.prepare()
        self.environment._place = lambda: "elsewhere 3.14"
        self.assertEqual(self.prepare(), ["make", f"install {TOP.name}"])
        self.python.unlink()
        self.assertEqual(self.prepare(), ["make", f"install {TOP.name}"])

    def test_interrupted(self) -> None:
        """
        When installing failed it is tried again the next time.
        """

        def fail(python: Path, target: str) -> None:
            raise self.environment.EnvironmentFailedError("no network")

        working, self.environment._pip_install = self.environment._pip_install, fail
        self.assertRaises(self.environment.EnvironmentFailedError, self.environment.prepare)
        self.environment._pip_install = working
        self.assertIn(f"install {TOP.name}", self.prepare())

    def test_old_python(self) -> None:
        """
        With a Python that is too old, and no other, the line says what to install.
        """
        self.environment.sys = type("Old", (), {"version_info": (3, 9, 2), "argv": [], "stderr": io.StringIO()})
        self.environment.shutil = type("Nothing", (), {"which": lambda name: None})
        error = self.assertRaises(self.environment.EnvironmentFailedError, self.environment.prepare)
        self.assertIn("sudo apt install", str(error))
        self.assertIn("3.9.2", str(error))

    def test_usage(self) -> None:
        """
        Both commands explain themselves without installing anything.
        """
        for name in ("run", "test"):
            program = loaded(name)
            shown = io.StringIO()
            self.patch(sys, "argv", [name, "--help"])
            with contextlib.redirect_stdout(shown):
                self.assertRaises(SystemExit, program.main)
            self.assertIn(f"tools/{name}", shown.getvalue())
