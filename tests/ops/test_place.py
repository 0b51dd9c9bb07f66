"""
Tests for :mod:`pbx.ops.place` and :mod:`pbx.ops.options`.
"""

from __future__ import annotations

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
