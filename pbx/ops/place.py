"""
Where the program lies, and with that where its files go unless the operator says otherwise.
"""

from __future__ import annotations

from pathlib import Path

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
