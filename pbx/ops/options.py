"""
What may follow ``twistd pbx`` on the command line.
"""

from __future__ import annotations

from pathlib import Path

from twisted.python import usage

from pbx.ops.place import place


class Options(usage.Options):
    """
    The command line of the exchange.

    After parsing, ``options["config"]`` is the path of the configuration file, and ``options["data"]`` the data
    directory or ``None`` when the configuration decides.
    """

    longdesc = "A telephone exchange in one process. Everything else is said in the configuration file."

    optParameters = [
        ["config", "c", str(place().config), "The configuration file.", Path],
        ["data", "d", None, "The data directory; it comes before paths.data in the configuration.", Path],
    ]

    def postOptions(self) -> None:
        """
        Make the default a path too.
        """
        self["config"] = Path(self["config"])
