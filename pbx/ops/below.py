"""
What the floors below need of the configuration, each in its own words.
"""

from __future__ import annotations

import resource
from ipaddress import ip_address
from typing import TYPE_CHECKING

from attrs import frozen

from pbx.calls.tools import CallSettings
from pbx.media.settings import MediaSettings
from pbx.ops.section import name_server, stun_server
from pbx.registrar.authenticator import AuthenticatorSettings
from pbx.registrar.registrar import RegistrarSettings
from pbx.transport.guard import GuardSettings
from pbx.transport.settings import TransportSettings
from pbx.transport.stun import ExternalSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.ops.settings import Settings

FILES_KEPT = 150
"""Open files of the exchange itself: the database, logs, the SIP sockets of each address, connections of ours."""

PAIRS_PER_CALL = 2
"""Pairs of media sockets: one a leg."""

FILES_PER_CALL = 2 * PAIRS_PER_CALL
"""RTP and RTCP of two legs; what is kept open for the next call is never more than calls may take."""

MOST_CONNECTIONS = 10_000
"""SIP connections of others, each some 20 kB with TLS."""

MOST_FROM_ONE = 4_000
"""Of these from one address: an office behind one NAT has hundreds."""

MOST_PAGES = 500
"""Connections to the API, each some 50 kB."""


@frozen
class Capacity:
    """
    What the open files are given out to: together never more than there may be.

    Attributes:
        calls: Calls at once.
        connections: SIP connections of others.
        pages: Connections to the API.
    """

    calls: int
    connections: int
    pages: int


def capacity(settings: Settings) -> Capacity:
    """
    Raise the limit on open files as far as it goes, and share it out. The RTP range limits the calls as well.

    Where there are too few for all, calls and SIP connections get half each, or what the other leaves.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pairs = (settings.server.rtp_port_range_end - settings.server.rtp_port_range_start + 1) // 2
    pages = min(MOST_PAGES, hard // 8)
    left = hard - FILES_KEPT - pages
    connections = min(MOST_CONNECTIONS, max(left // 2, left - pairs // 2 * FILES_PER_CALL))
    calls = min(pairs // 2, (left - connections) // FILES_PER_CALL)
    return Capacity(max(1, calls), max(1, connections), max(1, pages))


def certificate_addresses(settings: Settings, local: Sequence[str]) -> list[str]:
    """
    By which addresses the exchange is reached, for its certificate.

    Args:
        settings: The configuration.
        local: The addresses of this machine.
    """
    found: dict[str, None] = {}
    for host in (*settings.sip_hosts, settings.api.host):
        listened = ip_address(host)
        if listened.is_unspecified:
            found.update(dict.fromkeys(each for each in local if ip_address(each).version == listened.version))
        else:
            found[host] = None
    fixed = external_settings(settings).fixed
    if fixed is not None:
        found[fixed] = None
    return list(found)


def external_settings(settings: Settings) -> ExternalSettings:
    """
    Where our address outside is known from.
    """
    server = settings.server
    named = (server.external_ip,) if isinstance(server.external_ip, str) else server.external_ip or ()
    is_asked = any(each.startswith("stun:") for each in named)
    # From the address that phones reach, where there is but one: another may go out by another way.
    hosts = [host for host in settings.sip_hosts if ip_address(host).version == 4]
    return ExternalSettings(
        fixed=None if is_asked or not named else named[0],
        servers=tuple(stun_server(each) for each in named) if is_asked else (),
        interval=server.stun_interval,
        local_networks=tuple(server.local_networks),
        source=hosts[0] if len(hosts) == 1 and not ip_address(hosts[0]).is_unspecified else "",
    )


def transport_settings(settings: Settings, connections: int) -> TransportSettings:
    """
    What the transport layer needs of the configuration.

    Args:
        settings: The configuration.
        connections: SIP connections of others at once.
    """
    server = settings.server
    return TransportSettings(
        sip_hosts=settings.sip_hosts,
        sip_port=server.sip_port,
        tls_port=server.sip_tls_port,
        external_ip=external_settings(settings).fixed,
        local_networks=tuple(server.local_networks),
        max_connections=connections,
        max_connections_per_address=max(1, min(MOST_FROM_ONE, connections // 2)),
    )


def name_servers(settings: Settings) -> tuple[tuple[str, int], ...]:
    """
    Address and port of each name server of the configuration; none where those of the machine are asked.
    """
    return tuple(name_server(value) for value in settings.server.dns or ())


def media_settings(settings: Settings) -> MediaSettings:
    """
    What the media need of the configuration.
    """
    return MediaSettings(
        port_range_start=settings.server.rtp_port_range_start,
        port_range_end=settings.server.rtp_port_range_end,
        latch=settings.media.latch,
        tones=settings.media.tones,
    )


def guard_settings(settings: Settings) -> GuardSettings:
    """
    What the guard needs of the configuration.
    """
    security = settings.security
    return GuardSettings(
        allow=tuple(security.allow),
        failures=security.failures_before_block,
        window=security.failure_window,
        block_time=security.block_time,
    )


def authenticator_settings(settings: Settings) -> AuthenticatorSettings:
    """
    How phones prove who they are.
    """
    security = settings.security
    return AuthenticatorSettings(tuple(security.digest_algorithms), security.allow_digest_without_qop)


def registrar_settings(settings: Settings) -> RegistrarSettings:
    """
    For how long phones register.
    """
    registration = settings.registration
    return RegistrarSettings(
        default=registration.max_expires, shortest=registration.min_expires, longest=registration.max_expires,
        behind_nat=registration.nat_expires,
    )


def call_settings(settings: Settings, max_calls: int) -> CallSettings:
    """
    What calls need of the configuration.

    Args:
        settings: The configuration.
        max_calls: Calls at once.
    """
    return CallSettings(
        no_answer_timeout=settings.voicemail.no_answer_timeout,
        silence_timeout=settings.media.silence_timeout,
        srtp_in_clear=settings.security.allow_srtp_without_tls,
        max_calls=max_calls,
        language=settings.media.language,
    )
