"""
The directory: every extension, in memory, so that no call ever waits for the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.directory.extension import Extension

Change: TypeAlias = "Callable[[Extension | None, Extension | None], None]"
"""Called with an extension before and after; ``None`` stands for one that was not there, or is no more."""


class Directory:
    """
    The extensions by number, and those who want to know when one changes.
    """

    log = Logger()

    def __init__(self, extensions: Iterable[Extension] = ()) -> None:
        self._by_number = {extension.number: extension for extension in extensions}
        self._observers: list[Change] = []

    def __len__(self) -> int:
        return len(self._by_number)

    def __contains__(self, number: object) -> bool:
        return number in self._by_number

    def extension(self, number: str) -> Extension | None:
        """
        The extension with this number, or ``None``.
        """
        return self._by_number.get(number)

    def all(self) -> list[Extension]:
        """
        Every extension, in the order of their numbers.
        """
        return [self._by_number[number] for number in sorted(self._by_number)]

    def is_beginning(self, digits: str) -> bool:
        """
        Tell whether somebody who may call has a longer number that begins with these digits.
        """
        return any(
            number != digits and number.startswith(digits) and extension.enabled
            for number, extension in self._by_number.items()
        )

    def put(self, extension: Extension) -> None:
        """
        Add an extension, or replace the one with its number.
        """
        before = self._by_number.get(extension.number)
        if before != extension:
            self._by_number[extension.number] = extension
            self._tell(before, extension)

    def remove(self, number: str) -> None:
        """
        Forget an extension; one that is not there is no error.
        """
        before = self._by_number.pop(number, None)
        if before is not None:
            self._tell(before, None)

    def replace(self, extensions: Iterable[Extension]) -> None:
        """
        Make these the whole directory: what differs is added, replaced or removed, each told on its own.
        """
        wanted = {extension.number: extension for extension in extensions}
        for number in [number for number in self._by_number if number not in wanted]:
            self.remove(number)
        for extension in wanted.values():
            self.put(extension)

    def on_change(self, observer: Change) -> None:
        """
        Call ``observer(before, after)`` at every change from now on.
        """
        self._observers.append(observer)

    def _tell(self, before: Extension | None, after: Extension | None) -> None:
        for observer in self._observers:
            try:
                observer(before, after)
            except Exception:  # noqa: BLE001 - one observer's mistake must not keep the directory stale for the others
                self.log.failure("An observer of the directory failed")
