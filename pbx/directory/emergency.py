"""
Emergency calls: the numbers, the places where phones stand, and who in the house is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen


def _read_only(civic: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(civic))


@frozen
class Location:
    """
    A place where phones stand, as help has to find it (RAY BAUM's Act: a dispatchable location).

    Attributes:
        name: How extensions name it; unique.
        civic: The address by the names of RFC 5139 (``country``, ``A1``, ``A3``, ``RD``, ``HNO``, ``FLR``, ``ROOM``,
            ``PC``, ``NAM``...), as PIDF-LO carries it.
        subnets: Networks (CIDR) of the phones that stand there.
        callback: The number at which the emergency centre can call back, E.164; ``None`` for the extension's own, or
            else :attr:`Emergency.callback`.
        notify: Extensions that are told besides those of :attr:`Emergency.notify`.
        prompt: The prompt that says where it is, for those who are told by telephone; ``None`` has its name spelled.
    """

    name: str
    civic: Mapping[str, str] = field(factory=dict, converter=_read_only, hash=False)
    subnets: tuple[str, ...] = ()
    callback: str | None = None
    notify: tuple[str, ...] = ()
    prompt: str | None = None


@frozen
class Emergency:
    """
    What happens upon an emergency call.

    Attributes:
        numbers: The numbers, dialled with or without the outside prefix. Those of the site's country are emergency
            numbers besides, unless somebody here has them.
        test_number: Dialled, it goes the whole way of an emergency call, and everybody is told that it is a test.
        test_target: What is called for it over the trunk; ``None`` for the same number.
        locations: The places.
        location: The place of phones that no other has, ``None`` where there is none.
        callback: The number at which the emergency centre can call back, E.164.
        desk: The extension that a call back rings besides the phone that called.
        notify: Extensions that are called and told.
        mail: Addresses that are written to.
    """

    numbers: tuple[str, ...] = ("112", "911")
    test_number: str | None = None
    test_target: str | None = None
    locations: tuple[Location, ...] = ()
    location: str | None = None
    callback: str | None = None
    desk: str | None = None
    notify: tuple[str, ...] = ()
    mail: tuple[str, ...] = ()
