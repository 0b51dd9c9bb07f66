"""
Records of the domain name system, remembered as long as they are good, and longer while no name server answers.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError
from twisted.names import dns, hosts
from twisted.names.client import Resolver as StubResolver
from twisted.names.error import DNSServerError, DomainError, ResolverError
from twisted.names.resolve import ResolverChain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IReactorTime

TIMEOUT = (1, 2)
"""Seconds to wait for the name servers, first and second time: a call is being set up meanwhile."""

ABSENT_TTL = 60.0
"""Seconds for which it is believed that there are no such records (in RFC 2308 5 the zone says how long)."""

LONGEST_TTL = 3_600.0
"""Seconds for which records are believed at most, so that a carrier's move is followed within the hour."""

STALE = 86_400.0
"""Seconds for which old records serve when no name server answers (RFC 8767 5)."""

MOST_ENTRIES = 1_000
"""Answers remembered: trunks have some ten each, and only what the operator or a trunk names is looked up."""


class LookupFailed(Exception):  # noqa: N818  # it says what happened
    """
    No name server gave an answer, and none from before serves.
    """


@frozen
class _Answer:
    records: list[Any]
    good_until: float


class Lookup:
    """
    A memory in front of the domain name system.
    """

    def __init__(self, resolver: Any, clock: IReactorTime) -> None:
        """
        An empty memory.

        Args:
            resolver: A provider of Twisted's ``IResolver``, such as :func:`system_resolver` makes.
            clock: A clock that never jumps.
        """
        self._clock = clock
        self._lookups = {
            dns.A: resolver.lookupAddress,
            dns.AAAA: resolver.lookupIPV6Address,
            dns.SRV: resolver.lookupService,
            dns.NAPTR: resolver.lookupNamingAuthorityPointer,
        }
        self._answers: OrderedDict[tuple[str, int], _Answer] = OrderedDict()

    async def records(self, name: str, kind: int) -> list[Any]:
        """
        The records of one kind; none when the name or the kind does not exist.

        Args:
            name: A domain name.
            kind: ``dns.A``, ``dns.AAAA``, ``dns.SRV`` or ``dns.NAPTR`` of Twisted.

        Returns:
            Twisted's record payloads.

        Raises:
            LookupFailed: When no name server tells, and nothing is remembered.
        """
        key = (name.lower(), kind)
        now = self._clock.seconds()
        known = self._answers.get(key)
        if known is not None and now < known.good_until:
            self._answers.move_to_end(key)
            return known.records
        try:
            answers, _, _ = await self._lookups[kind](name, timeout=TIMEOUT)
        except (DNSServerError, ResolverError, ConnectError, OSError, DeferredTimeout) as error:
            if known is not None and now < known.good_until + STALE:
                return known.records
            raise LookupFailed(f"{name} cannot be looked up: {type(error).__name__}") from error
        except DomainError:
            # There are none; or a simple name server does not know such records at all.
            answers = []
        records = [answer.payload for answer in answers if answer.type == kind]
        ttl = min([LONGEST_TTL, *(answer.ttl for answer in answers)]) if records else ABSENT_TTL
        self._answers[key] = _Answer(records, self._clock.seconds() + ttl)
        self._answers.move_to_end(key)
        if len(self._answers) > MOST_ENTRIES:
            self._answers.popitem(last=False)
        return records


def system_resolver(
    reactor: Any,
    resolv_conf: str = "/etc/resolv.conf",
    hosts_file: bytes = b"/etc/hosts",
    servers: Sequence[tuple[str, int]] = (),
) -> Any:
    """
    The machine's own way to look names up: its hosts file, then its name servers.

    Args:
        reactor: Sends the queries and runs their timers.
        resolv_conf: Where the name servers are listed; read again each minute.
        hosts_file: Where hosts are listed.
        servers: Addresses and ports of name servers to ask in place of those listed.

    Returns:
        A provider of Twisted's ``IResolver``.
    """
    listed = None if servers else resolv_conf
    stub = StubResolver(listed, servers=list(servers), reactor=reactor, timeout=TIMEOUT)
    return ResolverChain([hosts.Resolver(hosts_file), stub])
