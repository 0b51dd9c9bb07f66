"""
Where the program lies, and with that where its files go unless the operator says otherwise.
"""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs

import pbx


@attrs.frozen
class Place:
    """
    The default paths of a checkout or of an installed exchange.

    Attributes:
        config: The configuration file.
        data: The data directory.
        log_file: The log, or ``None`` for ``log/pbx.log`` in the data directory.
    """

    config: Path
    data: Path
    log_file: Path | None


INSTALLED = Place(Path("/etc/pbx/config.yml"), Path("/var/lib/pbx"), Path("/var/log/pbx/pbx.log"))
"""The paths of the Filesystem Hierarchy Standard, for the exchange as a service of the machine."""


def place(package: Path | None = None) -> Place:
    """
    The place that this program runs from.

    Args:
        package: The folder of the ``pbx`` package; by default the one that is running.
    """
    top = (package or Path(pbx.__file__).parent).parent
    if (top / "setup.cfg").is_file() and (top / "etc" / "config.yml").is_file():
        return Place(top / "etc" / "config.yml", top / "var", None)
    return INSTALLED


def machine_zone(link: Path = Path("/etc/localtime")) -> str:
    """
    The name of the machine's time zone; ``UTC`` where it has none that can be told.

    Args:
        link: Where the machine keeps it: a symbolic link into the time zone database.
    """
    for name in filter(None, (os.environ.get("TZ", ""), str(link.resolve()).partition("/zoneinfo/")[2])):
        try:
            return ZoneInfo(name).key
        except (KeyError, OSError, ValueError):
            # A zone of the user's own making, or one that the database does not have.
            continue
    return "UTC"
