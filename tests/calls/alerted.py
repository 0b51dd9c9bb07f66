"""
Whoever is alerted in tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen
from zope.interface import implementer

from pbx.calls.alerts import IAlerts


@frozen
class Told:
    """
    One thing that was told.
    """

    what: str
    kind: str
    subject: str
    text: str
    detail: Mapping[str, str] = {}
    mail: tuple[str, ...] = ()


@implementer(IAlerts)
class Alerted:
    """
    Who remembers what it was told.
    """

    def __init__(self) -> None:
        self.told: list[Told] = []

    def alert(
        self, kind: str, subject: str, text: str, *, detail: Mapping[str, str] | None = None, mail: Sequence[str] = ()
    ) -> None:
        """
        Something is wrong.
        """
        self.told.append(Told("alert", kind, subject, text, detail or {}, tuple(mail)))

    def settled(self, kind: str, subject: str, text: str) -> None:
        """
        It is well again.
        """
        self.told.append(Told("settled", kind, subject, text))
