"""
What the floors below need of the configuration, each in its own words.
"""

from __future__ import annotations

import resource
from ipaddress import ip_address
from typing import TYPE_CHECKING

from pbx.media.settings import MediaSettings
from pbx.transport.guard import GuardSettings
from pbx.transport.settings import TransportSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.ops.settings import Settings

FILES_KEPT = 500
"""Open files that are not for media: SIP and web connections, the database, logs."""

FILES_PER_CALL = 4
"""RTP and RTCP of two legs."""


def limit_of_calls(settings: Settings) -> int:
    """
    Raise the limit on open files as far as it goes, and tell how many calls fit into it and into the RTP range.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    pairs = (settings.server.rtp_port_range_end - settings.server.rtp_port_range_start + 1) // 2
    return max(1, min(pairs // 2, (hard - FILES_KEPT) // FILES_PER_CALL))


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
    if settings.server.external_ip is not None:
        found[settings.server.external_ip] = None
    return list(found)


def transport_settings(settings: Settings) -> TransportSettings:
    """
    What the transport layer needs of the configuration.
    """
    server = settings.server
    return TransportSettings(
        sip_hosts=settings.sip_hosts,
        sip_port=server.sip_port,
        tls_port=server.sip_tls_port,
        external_ip=server.external_ip,
        local_networks=tuple(server.local_networks),
    )


def media_settings(settings: Settings) -> MediaSettings:
    """
    What the media need of the configuration.
    """
    return MediaSettings(
        port_range_start=settings.server.rtp_port_range_start,
        port_range_end=settings.server.rtp_port_range_end,
        latch=settings.media.latch,
        silence_timeout=settings.media.silence_timeout,
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
