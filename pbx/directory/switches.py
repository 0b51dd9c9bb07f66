"""
Night switches: where each stands, in memory, and who wants to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pbx.directory.time_condition import SwitchPosition


class Switches:
    """
    The night switches that were moved by hand, by the names of their time conditions.
    """

    log = Logger()

    def __init__(self) -> None:
        self._moved: dict[str, SwitchPosition] = {}
        self._observers: list[Callable[[str, SwitchPosition, SwitchPosition], None]] = []

    def get(self, name: str, default: SwitchPosition = "auto", /) -> SwitchPosition:
        """
        Where the switch of a time condition stands.
        """
        return self._moved.get(name, default)

    def all(self) -> Mapping[str, SwitchPosition]:
        """
        Those that were moved, as they are now.
        """
        return dict(self._moved)

    def on_change(self, observer: Callable[[str, SwitchPosition, SwitchPosition], None]) -> None:
        """
        Call ``observer(name, before, after)`` whenever one is moved from now on, by whomever.
        """
        self._observers.append(observer)

    def put(self, name: str, position: SwitchPosition) -> None:
        """
        Move one.
        """
        before = self.get(name)
        if position == "auto":
            self._moved.pop(name, None)
        else:
            self._moved[name] = position
        if before == position:
            return
        for observer in self._observers:
            try:
                observer(name, before, position)
            except Exception:  # noqa: BLE001 - one observer's mistake must not keep the others from knowing
                self.log.failure("An observer of night switches failed")

    def replace(self, moved: Mapping[str, SwitchPosition]) -> None:
        """
        Have these moved, and no others.
        """
        for name in {*self._moved, *moved}:
            self.put(name, moved.get(name, "auto"))
