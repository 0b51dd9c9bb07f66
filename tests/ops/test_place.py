"""
Tests for :mod:`pbx.ops.place` and :mod:`pbx.ops.options`.
"""

from __future__ import annotations

import configparser
import importlib
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.options import Options
from pbx.ops.place import INSTALLED, place


class PlaceTests(SynchronousTestCase):
    """
    Where files go by default.
    """

    def test_checkout(self) -> None:
        """
        From a checkout everything stays inside it.
        """
        here = place()
        top = Path(__file__).resolve().parent.parent.parent
        self.assertEqual((here.config, here.data, here.log_file), (top / "etc" / "config.yml", top / "var", None))

    def test_installed(self) -> None:
        """
        From anywhere else the machine's own folders are used.
        """
        self.assertIs(place(Path("/usr/lib/python3/dist-packages/pbx")), INSTALLED)


class ServiceTests(SynchronousTestCase):
    """
    The files of ``etc/`` for the machine's own service.
    """

    etc = Path(__file__).resolve().parent.parent.parent / "etc"

    def test_unit(self) -> None:
        """
        The unit makes the folders that an installed exchange writes to, for its own user, and enough open files.
        """
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string((self.etc / "pbx.service").read_text())
        service = unit["Service"]
        self.assertEqual(Path("/var/lib") / service["StateDirectory"], INSTALLED.data)
        self.assertEqual(Path("/var/log") / service["LogsDirectory"], INSTALLED.log_file.parent)
        self.assertEqual(service["User"], "pbx")
        self.assertGreater(int(service["LimitNOFILE"]), 100_000)
        command = service["ExecStart"].split()
        self.assertEqual((command[0], command[-1]), ("/opt/pbx/bin/twistd", "pbx"))
        module, name = next(word.partition("=")[2] for word in command if word.startswith("--logger")).rsplit(".", 1)
        self.assertTrue(callable(getattr(importlib.import_module(module), name)))

    def test_rotation(self) -> None:
        """
        The log of an installed exchange is rotated, and no file is put where the exchange makes its own.
        """
        text = (self.etc / "pbx.logrotate").read_text()
        pattern = next(line.split()[0] for line in text.splitlines() if line.endswith("{"))
        self.assertTrue(INSTALLED.log_file.match(pattern))
        self.assertIn("nocreate", text)


class OptionsTests(SynchronousTestCase):
    """
    The command line.
    """

    def test_defaults(self) -> None:
        """
        Without options the configuration of the place is taken, and it decides about the data directory.
        """
        options = Options()
        options.parseOptions([])
        self.assertEqual((Path(options["config"]), options["data"]), (place().config, None))

    def test_given(self) -> None:
        """
        Both paths can be named.
        """
        options = Options()
        options.parseOptions(["--config", "/tmp/c.yml", "--data", "/tmp/d"])  # noqa: S108 - never opened
        self.assertEqual((options["config"], options["data"]), (Path("/tmp/c.yml"), Path("/tmp/d")))  # noqa: S108

    def test_nothing_else(self) -> None:
        """
        A stray word is an error.
        """
        self.assertRaises(UsageError, Options().parseOptions, ["now"])
