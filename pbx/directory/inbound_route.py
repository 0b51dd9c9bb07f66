"""
Inbound routes: where calls go that come in over a trunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType

from attrs import frozen

from pbx.directory.pattern import Index
from pbx.directory.permissions import CallClass


@frozen
class Target:
    """
    Where an inbound route leads; of the kinds of :class:`~pbx.directory.decision.Destination`, and ``external``.

    Attributes:
        kind: ``extension``, ``ring_group``, ``queue``, ``menu``, ``conference``, ``voicemail``, ``announcement``,
            ``external`` (a number beyond the house, as an extension would dial it) or ``hangup``.
        target: The number, or the prompt.
    """

    kind: str
    target: str = ""


@frozen
class InboundRoute:
    """
    One way in; the first route that takes a call has it.

    Attributes:
        name: How it is called in reasons and reports; unique.
        did: The number called: a pattern (:mod:`pbx.directory.pattern`) of it in E.164 or as the trunk sends it; empty
            for any.
        caller: The same of the number that calls; empty for any, ``anonymous`` for callers who do not say.
        trunk: The trunk it comes in over; ``None`` for any.
        time: The time condition that decides between :attr:`destination` and :attr:`closed`; ``None`` for always open.
        destination: Where callers go.
        closed: Where they go outside of :attr:`time`; ``None`` leaves such calls to the routes behind it.
        classes: What its callers may be led to beyond the house, by its own destinations; none means nothing.
        concurrent: How many of them may be led there at once; ``None`` for as many as an extension usually may, as for
            what follows.
        minutes_per_day: Minutes a day there for all of them.
        spend_per_day: Cost a day for all of them, in the currency of the rates.
        prefix: What is put before the caller's name, so that a phone shows which number was called.
        enabled: Whether it is there at all.
    """

    name: str
    destination: Target
    did: str = ""
    caller: str = ""
    trunk: str | None = None
    time: str | None = None
    closed: Target | None = None
    classes: tuple[CallClass, ...] = ()
    concurrent: int | None = None
    minutes_per_day: int | None = None
    spend_per_day: Decimal | None = None
    prefix: str = ""
    enabled: bool = True


class InboundRoutes(tuple[InboundRoute, ...]):
    """
    Inbound routes in the order of asking; the same ones in every plan that has the same.
    """

    @cached_property
    def by_did(self) -> Index[InboundRoute]:
        """
        Those that are enabled, by the numbers called.
        """
        return Index((route.did or "!", route) for route in self if route.enabled)

    @cached_property
    def by_name(self) -> Mapping[str, InboundRoute]:
        """
        All of them by name.
        """
        return MappingProxyType({route.name: route for route in self})
