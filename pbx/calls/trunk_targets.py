"""
Where a trunk is: the places it is reached at, best first, and the addresses its requests may come from.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from pbx.sip.address import NameAddr
from pbx.sip.message import ParseError
from pbx.sip.uri import URI, parse_host
from pbx.transport.resolver import ResolveError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twisted.internet.interfaces import IReactorTime

    from pbx.directory.trunk import Trunk
    from pbx.transport.resolver import Target

    class Resolver(Protocol):
        """
        What is asked for places: a :class:`pbx.transport.resolver.Resolver`.
        """

        async def resolve(self, uri: URI, default_transport: str | None = None) -> list[Target]:
            """
            The places a URI can be sent to, best first.
            """


AVOIDED = 300.0
"""Seconds for which a place that failed is tried last."""

KNOWN = 3_600.0
"""Seconds for which an address is a trunk's after its name last led there: many lead to some of theirs in turn."""

MOST_ADDRESSES = 256
"""Addresses known of one trunk: a zone may name ever new ones."""


class TrunkTargets:
    """
    Where one trunk is.

    Args:
        resolver: Finds places.
        clock: The time by which places are avoided and addresses forgotten.
        trunk: The trunk.

    Attributes:
        current: The place it is registered at, tried first as long as its name leads there.
        trouble: Why its name led nowhere when it was last asked; empty when it did.
    """

    def __init__(self, resolver: Resolver, clock: IReactorTime, trunk: Trunk) -> None:
        self.current: Target | None = None
        self.trouble = ""
        self._resolver = resolver
        self._clock = clock
        self._way = _way_to(trunk)
        self._others = _others(trunk)
        self._avoided: dict[Target, float] = {}
        self._addresses: dict[tuple[str, int], float] = {}

    async def best_first(self, route: str | None = None) -> list[Target]:
        """
        The places to try in order: the current one, others, and at last those that failed of late.

        Args:
            route: A Route value that leads there instead (RFC 3608 6.1), unless the operator names a proxy.

        Raises:
            ResolveError: There is none.
        """
        try:
            found = await self._find(route)
        except ResolveError as error:
            self.trouble = str(error)
            raise
        self.trouble = ""
        self._note(found)
        now = self._clock.seconds()
        self._avoided = {target: until for target, until in self._avoided.items() if until > now}
        # A sort keeps the order of equals.
        return sorted(found, key=lambda target: (target in self._avoided, target != self.current))

    async def look_again(self) -> None:
        """
        Note from which addresses requests may come now; what can't be looked up leaves those known before.
        """
        for uri in (self._way, *self._others):
            try:
                found = await self._resolver.resolve(uri)
                if uri is not self._way and uri.port is None:
                    # On this machine a trunk is at one port only.
                    found = [target for target in found if not _is_loopback(target.host)]
                self._note(found)
            except ResolveError as error:
                if uri is self._way:
                    self.trouble = str(error)
            else:
                if uri is self._way:
                    self.trouble = ""

    def failed(self, target: Target) -> None:
        """
        Something sent there has failed: try it last for a while.
        """
        self._avoided[target] = self._clock.seconds() + AVOIDED
        if self.current == target:
            self.current = None

    def works(self, target: Target) -> None:
        """
        It has answered.
        """
        self._avoided.pop(target, None)

    def has(self, address: str, port: int) -> bool:
        """
        Tell whether its name led to an address; of loopback, where other programs of this machine speak from, to the
        port as well.
        """
        now = self._clock.seconds()
        known = self._addresses.get((address, port if _is_loopback(address) else 0))
        return known is not None and known > now

    def _note(self, targets: Iterable[Target]) -> None:
        until = self._clock.seconds() + KNOWN
        for target in targets:
            key = (target.host, target.port if _is_loopback(target.host) else 0)
            self._addresses.pop(key, None)
            self._addresses[key] = until
        while len(self._addresses) > MOST_ADDRESSES:
            del self._addresses[next(iter(self._addresses))]

    async def _find(self, route: str | None) -> list[Target]:
        if route is not None:
            try:
                return await self._resolver.resolve(NameAddr.parse(route).uri)
            except (ParseError, ResolveError):
                # A name that only the provider's own machines can look up: where the REGISTER went will do.
                pass
        return await self._resolver.resolve(self._way)


def host_and_port(text: str) -> tuple[str, int | None]:
    """
    A host with or without port, as people write it: IPv6 in brackets where a port follows.

    Raises:
        ParseError: It is none.
    """
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return parse_host(host), int(port)
    return parse_host(f"[{text}]" if ":" in text and not text.startswith("[") else text), None


def _way_to(trunk: Trunk) -> URI:
    host, port = (trunk.host, trunk.port)
    if trunk.outbound_proxy is not None:
        host, port = trunk.outbound_proxy, None
    return _uri(host, port, trunk.transport)


def _others(trunk: Trunk) -> tuple[URI, ...]:
    """
    What else leads to the provider's machines: calls may come from any of its domain's.
    """
    found = [_uri(trunk.host, None, None)]
    if trunk.outbound_proxy is not None:
        found.append(_uri(trunk.host, trunk.port, trunk.transport))
    return tuple(uri for uri in found if uri != _way_to(trunk))


def _uri(host: str, port: int | None, transport: str | None) -> URI:
    try:
        name, own_port = host_and_port(host)
    except ParseError:
        # Nothing can be looked up by it, which is said then.
        name, own_port = host, None
    params = () if transport is None else (("transport", transport),)
    return URI("sip", None, None, name, port if own_port is None else own_port, params)


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback
