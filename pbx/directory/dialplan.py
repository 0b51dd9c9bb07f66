"""
The dialplan: where a call goes, and why, as a pure function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pbx.directory.extension import Extension


class Numbers(Protocol):
    """
    What the plan asks the directory.
    """

    def extension(self, number: str) -> Extension | None:
        """
        The extension with this number.
        """


@frozen
class RouteRequest:
    """
    One call to route.

    Attributes:
        caller: The number of the extension that calls.
        number: What it dialled, cleaned.
    """

    caller: str
    number: str


@frozen
class Situation:
    """
    All that the plan may look at besides the request; a simulation can replace any of it.

    Attributes:
        numbers: The directory.
        reachable: How many phones of an extension can be reached now, where it has been asked for.
    """

    numbers: Numbers
    reachable: Mapping[str, int]


@frozen
class Destination:
    """
    A place to send a call to.

    Attributes:
        kind: ``extension`` or ``refuse``.
        target: The number, for an extension.
        status: For ``refuse``: the SIP status.
        cause: For ``refuse``: the cause of ITU-T Q.850.
        text: For ``refuse``: the reason in words.
    """

    kind: str
    target: str = ""
    status: int = 0
    cause: int = 0
    text: str = ""


@frozen
class Decision:
    """
    Where a call goes, and the steps that led there, in order, in words.
    """

    destination: Destination
    reasons: tuple[str, ...]


def decide(request: RouteRequest, situation: Situation) -> Decision:
    """
    Route one call.
    """
    number = request.number
    extension = situation.numbers.extension(number)
    if extension is None or not extension.enabled:
        why = f"{number!r} is no extension" if extension is None else f"extension {number} is disabled"
        return Decision(Destination("refuse", status=404, cause=1, text="Unallocated number"), (why,))
    reasons = [f"{number} is the extension of {extension.name}"]
    phones = situation.reachable.get(number, 0)
    if phones == 0:
        reasons.append("none of its phones is registered")
        return Decision(Destination("refuse", status=480, cause=20, text="Not registered"), tuple(reasons))
    reasons.append(f"{phones} of its phones ring")
    return Decision(Destination("extension", target=number), tuple(reasons))
