"""
Whose request it is: a trunk is known by our mark in the Request-URI, else by the address it speaks from.
"""

from __future__ import annotations

import contextlib
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from pbx.calls.register import MARK
from pbx.directory.numbering import is_dialable, writings
from pbx.directory.pattern import any_matches
from pbx.sip.address import NameAddr
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ipaddress import IPv4Network, IPv6Network

    from pbx.calls.trunk_line import TrunkLine
    from pbx.directory.plan import Site
    from pbx.sip.message import Request
    from pbx.transport.flow import Flow


class Recognition:
    """
    Tells lines by their requests, without asking anybody: by what was looked up before.

    Args:
        lines: The lines that are in use.
        site: By whose rules numbers are written that were called.
    """

    def __init__(self, lines: Iterable[TrunkLine], site: Site) -> None:
        self._site = site
        self._lines = sorted((line for line in lines if line.trunk.enabled), key=_order)
        self._marked = {line.mark: line for line in self._lines}
        self._call_marked = {line.call_mark: line for line in self._lines}
        self._networks: list[tuple[IPv4Network | IPv6Network, TrunkLine]] = [
            (ip_network(network, strict=False), line) for line in self._lines for network in line.trunk.inbound_ips
        ]

    def of(self, flow: Flow, request: Request) -> TrunkLine | None:
        """
        The line that a request has come over; ``None`` where it is nobody's.
        """
        if not self._lines:
            return None
        mark = request.target.param(MARK)
        if mark:
            line = self._marked.get(mark)
            if line is None and request.to_tag:
                line = self._call_marked.get(mark)
            if line is not None:
                return line
        address, port = flow.remote
        for found in (self._listed(address), self._known(address, port)):
            if found:
                return found[0] if len(found) == 1 else self._likeliest(found, request)
        return None

    def has(self, address: str) -> bool:
        """
        Tell whether any line may speak from an address; loopback never, where everything else speaks from too.
        """
        return bool(self._listed(address)) or bool(self._known(address, 0))

    def _listed(self, address: str) -> list[TrunkLine]:
        if not self._networks:
            return []
        ip = ip_address(address.partition("%")[0])
        found = {line: None for network, line in self._networks if network.version == ip.version and ip in network}
        return list(found)

    def _known(self, address: str, port: int) -> list[TrunkLine]:
        return [line for line in self._lines if line.targets_of.has(address, port)]

    def _likeliest(self, lines: list[TrunkLine], request: Request) -> TrunkLine:
        """
        Which of several lines of one provider a request is for: by the account, the domain, the number called.
        """
        users, hosts = _named(request)
        numbers = [way for user in users if is_dialable(user) for way in writings(user, self._site)]
        tests: tuple[Callable[[TrunkLine], bool], ...] = (
            lambda line: bool({line.trunk.contact_user, line.trunk.username} & users),
            lambda line: line.trunk.domain.lower() in hosts or line.trunk.host.lower() in hosts,
            lambda line: any_matches(line.trunk.dids, *numbers),
        )
        for test in tests:
            fitting = [line for line in lines if test(line)]
            if len(fitting) == 1:
                return fitting[0]
            lines = fitting or lines
        return lines[0]


def _named(request: Request) -> tuple[set[str], set[str]]:
    """
    The users whom a request is for, and the hosts that it and its sender name.
    """
    uris = [request.target, request.to.uri]
    party = request.headers.get("P-Called-Party-ID")
    if party is not None:
        # What can't be read names nobody.
        with contextlib.suppress(ParseError):
            uris.append(NameAddr.parse(party).uri)
    users = {user for uri in uris for user in (uri.user, dialled_number(uri)) if user}
    return users, {uri.host.lower() for uri in (*uris, request.from_.uri)}


def _order(line: TrunkLine) -> tuple[int, str]:
    return line.trunk.priority, line.trunk.name
