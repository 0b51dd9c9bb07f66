"""
From a URI to the places it can be sent to, best first (RFC 3263).
"""

from __future__ import annotations

import random
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.names import dns

from pbx.transport.lookup import Lookup, LookupFailed
from pbx.transport.naming import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.sip.uri import URI

SERVICES = {b"SIP+D2U": "UDP", b"SIP+D2T": "TCP", b"SIPS+D2T": "TLS"}
"""NAPTR services and the transports they stand for (RFC 3263 4.1)."""

PREFIXES = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}
"""What is put before a domain to look for its servers (RFC 3263 4.1, 4.2)."""

MOST_TARGETS = 32
"""Places that are tried for one URI; a zone may list any number, and each costs up to four seconds."""


class ResolveError(Exception):
    """
    A URI for which there is no place to send to, and why.
    """


@frozen
class Target:
    """
    One place a request can be sent to.

    Attributes:
        transport: ``"UDP"``, ``"TCP"`` or ``"TLS"``.
        host: An IPv4 or IPv6 address, never a name.
        port: The port.
        name: The name that was asked for, which a TLS certificate must bear (RFC 5922 4); empty for an address.
        verify: Whether the TLS certificate is checked at all.
    """

    transport: str
    host: str
    port: int
    name: str = ""
    verify: bool = True


@frozen
class _Service:
    priority: int
    weight: int
    port: int
    name: str


class Resolver:
    """
    Who knows where URIs can be sent to.
    """

    def __init__(
        self,
        lookup: Lookup,
        *,
        ipv6: Callable[[], bool] = lambda: True,
        tls: bool = True,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """
        A resolver over the domain name system.

        Args:
            lookup: Finds the records.
            ipv6: Whether we have an IPv6 socket to send from.
            tls: Whether we can speak TLS.
            chance: A number from 0 to 1, for the choice among servers of one priority.
        """
        self._lookup = lookup
        self._ipv6 = ipv6
        self._transports = ("TLS", "TCP", "UDP") if tls else ("TCP", "UDP")
        self._chance = chance

    async def resolve(self, uri: URI, default_transport: str | None = None) -> list[Target]:
        """
        The places a URI can be sent to.

        Args:
            uri: A ``sip`` or ``sips`` URI. An address is taken as it is; a name with a port is looked up as a host;
                any other name is looked up as a domain, by NAPTR and SRV, and as a host where it has neither.
            default_transport: What to speak where neither the URI nor its domain says; ``"UDP"`` when ``None``.

        Returns:
            At least one place and at most 32, best first.

        Raises:
            ResolveError: When there is none.
        """
        host = uri.param("maddr") or uri.host
        asked = self._asked_transport(uri)
        fallback = asked or ("TLS" if uri.scheme == "sips" else (default_transport or "UDP").upper())
        if _is_address(host):
            return [Target(fallback, host.strip("[]"), uri.port or DEFAULT_PORTS[fallback])]
        name = host.rstrip(".")
        if uri.port is not None:
            found = await self._hosts(fallback, name, uri.port, name)
        else:
            found = await self._domain(name, asked, fallback, only_tls=uri.scheme == "sips")
        if not found:
            raise ResolveError(f"{name} has no address")
        return found[:MOST_TARGETS]

    def _asked_transport(self, uri: URI) -> str | None:
        transport = (uri.param("transport") or "").upper()
        if not transport:
            return None
        if transport not in DEFAULT_PORTS:
            raise ResolveError(f"transport {transport} is not spoken here")
        # RFC 3261 26.2.2: sips means TLS, over which tcp then runs.
        return "TLS" if uri.scheme == "sips" else transport

    async def _domain(self, name: str, asked: str | None, fallback: str, *, only_tls: bool) -> list[Target]:
        """
        The servers of a domain (RFC 3263 4.1 and 4.2).
        """
        if asked is not None:
            choices, by_preference = [(asked, PREFIXES[asked] + name)], False
        else:
            choices = await self._pointers(name, only_tls=only_tls)
            by_preference = bool(choices)
            if not choices:
                transports = ("TLS",) if only_tls else self._transports
                # RFC 3263 4.1: without NAPTR, an SRV record shows that a transport is spoken. What is preferred by
                # default comes first.
                preferred = sorted(transports, key=lambda transport: transport != fallback)
                choices = [(transport, PREFIXES[transport] + name) for transport in preferred]
        found: list[Target] = []
        failure: ResolveError | None = None
        for transport, service in choices:
            for server in await self._servers(service):
                try:
                    found += await self._hosts(transport, server.name, server.port, name)
                except ResolveError as error:
                    failure = error
                if len(found) >= MOST_TARGETS:
                    return found
            if found and not by_preference:
                return found
        if failure is not None and not found:
            raise failure
        return found or await self._hosts(fallback, name, DEFAULT_PORTS[fallback], name)

    async def _pointers(self, name: str, *, only_tls: bool) -> list[tuple[str, str]]:
        """
        The transports a domain offers, and where each is looked up, best first.
        """
        found = []
        try:
            records = await self._lookup.records(name, dns.NAPTR)
        except LookupFailed:
            # Some name servers choke on the question alone; those that are away fail the next one too.
            return []
        for record in records:
            transport = SERVICES.get(bytes(record.service.string).upper())
            spoken = transport in self._transports and (transport == "TLS" or not only_tls)
            if transport is not None and spoken and bytes(record.flags.string).lower() == b"s":
                found.append((record.order, record.preference, transport, str(record.replacement)))
        return [(transport, replacement) for _, _, transport, replacement in sorted(found)]

    async def _servers(self, service: str) -> list[_Service]:
        """
        The servers of a service in the order RFC 2782 gives.
        """
        try:
            records = await self._lookup.records(service, dns.SRV)
        except LookupFailed as error:
            # To go on with the domain's own address would send calls to its web server.
            raise ResolveError(str(error)) from error
        waiting = [_Service(record.priority, record.weight, record.port, str(record.target)) for record in records]
        if len(waiting) == 1 and waiting[0].name in ("", "."):
            # RFC 2782: the service is decidedly not available at this domain.
            return []
        chosen: list[_Service] = []
        waiting.sort(key=lambda server: (server.priority, server.weight))
        while waiting:
            same = [server for server in waiting if server.priority == waiting[0].priority]
            mark = self._chance() * sum(server.weight for server in same)
            for server in same:
                mark -= server.weight
                if mark <= 0:
                    break
            chosen.append(server)
            waiting.remove(server)
        return chosen

    async def _hosts(self, transport: str, host: str, port: int, name: str) -> list[Target]:
        """
        A place for each address of a host, IPv4 first: those who have both are reached by it at least as well.
        """
        kinds = [dns.A, dns.AAAA] if self._ipv6() else [dns.A]
        waiting = [Deferred.fromCoroutine(self._lookup.records(host, kind)) for kind in kinds]
        answers: list[Any] = await DeferredList(waiting, consumeErrors=True)
        if not any(good for good, _ in answers):
            raise ResolveError(answers[0][1].getErrorMessage())
        return [
            Target(transport, str(ip_address(record.address)), port, name)
            for good, records in answers
            if good
            for record in records
        ]


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
