"""
What somebody must see to: said by calls, told to people by whoever provides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Interface, implementer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class IAlerts(Interface):
    """
    Who tells the people who run the exchange.
    """

    def alert(
        kind: str, subject: str, text: str, *, detail: Mapping[str, str] | None = None, mail: Sequence[str] = ()  # noqa: N805
    ) -> None:
        """
        Something is wrong, and stays so until :meth:`settled`; the same once more changes nothing but its text.

        Args:
            kind: What kind of thing: ``trunk``, ``trunk_password``, ``toll_limit``, ``emergency``, ``loop``.
            subject: Which: the name of a trunk, the number of an extension.
            text: What is wrong, and what to do, in words; the first sentence says what it is about.
            detail: What programs want to know of it.
            mail: Addresses that are written to besides those that always are.
        """

    def settled(kind: str, subject: str, text: str) -> None:  # noqa: N805
        """
        It is well again; without effect where nothing was wrong.
        """


@implementer(IAlerts)
class NoAlerts:
    """
    Nobody is told.
    """

    def alert(
        self, kind: str, subject: str, text: str, *, detail: Mapping[str, str] | None = None, mail: Sequence[str] = ()
    ) -> None:
        """
        Nothing.
        """

    def settled(self, kind: str, subject: str, text: str) -> None:
        """
        Nothing.
        """
