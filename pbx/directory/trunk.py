"""
The trunk: a line to a provider or to another exchange, as a value.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

TransportName: TypeAlias = Literal["udp", "tcp", "tls"]
NumberFormat: TypeAlias = Literal["e164", "national", "as-is"]
DidSource: TypeAlias = Literal["auto", "request-uri", "p-called-party-id", "to"]
SrtpUse: TypeAlias = Literal["off", "offered", "required"]


@frozen
class Trunk:
    """
    A line to a provider.

    Attributes:
        name: How it is called in logs, routes and reports; unique.
        host: The provider's domain, host name or address.
        port: Its port; ``None`` has the domain's SRV records looked up (RFC 3263 4.2), and means the usual port where
            there are none.
        transport: What SIP goes over; ``None`` leaves it to the domain, and lets a large request over UDP go by TCP.
        username: The account; empty for a trunk that is recognised by its address alone.
        auth_username: The digest user name, ``None`` for :attr:`username`.
        password: The digest password; never part of ``repr``.
        from_domain: The host of From and To, ``None`` for :attr:`host`.
        priority: 1 is tried first, 100 last.
        enabled: Whether it is used at all.
        register: Whether it registers; without a :attr:`username` it never does.
        register_expires: Seconds for which it registers.
        codecs: The codecs offered and taken, by name (``PCMU``, ``PCMA``, ``G722``, ``opus``), the preferred first;
            empty for the exchange's own.
        max_channels: Calls at once, both ways; ``None`` for any number.
        dids: Patterns (:mod:`pbx.directory.pattern`) of the numbers that reach us over it; empty for any.
        caller_id: The number that calls over it show when neither route nor extension says another.
        options_interval: Seconds between two OPTIONS that ask whether it is alive; 0 asks never.
        srtp: Whether audio is encrypted: never, if the provider can, or else no call.
        inbound_ips: Networks (CIDR) from which its calls may come, besides the addresses that :attr:`host` has.
        number_format: How numbers are sent: ``+4930...``, as dialled within the country, or as the route made them.
        outbound_proxy: A host, or host and port, that requests are sent to instead.
        contact_user: The user part of our Contact, ``None`` for :attr:`username`.
        did_from: Where the number stands that was called; ``auto`` takes the first that matches.
        send_pai: Whether it is told the caller in P-Asserted-Identity (RFC 3325): it is trusted with it.
        session_timers: Whether sessions are refreshed (RFC 4028).
        failover_on: Further answers upon which the next trunk is tried: of 403 and 488.
        pass_hold: Whether it is told of hold.
        diversion: Whether it is told by Diversion and History-Info who forwarded a call, and may be shown the
            caller's own number for it.
        emergency: Whether emergency calls go over it first.
    """

    name: str
    host: str
    port: int | None = None
    transport: TransportName | None = None
    username: str = ""
    auth_username: str | None = None
    password: str = field(default="", repr=False)
    from_domain: str | None = None
    priority: int = 1
    enabled: bool = True
    register: bool = True
    register_expires: int = 600
    codecs: tuple[str, ...] = ()
    max_channels: int | None = None
    dids: tuple[str, ...] = ()
    caller_id: str | None = None
    options_interval: int = 30
    srtp: SrtpUse = "off"
    inbound_ips: tuple[str, ...] = ()
    number_format: NumberFormat = "e164"
    outbound_proxy: str | None = None
    contact_user: str | None = None
    did_from: DidSource = "auto"
    send_pai: bool = True
    session_timers: bool = True
    failover_on: tuple[int, ...] = ()
    pass_hold: bool = False
    diversion: bool = True
    emergency: bool = False

    @property
    def registers(self) -> bool:
        """
        Whether it sends REGISTER.
        """
        return self.enabled and self.register and bool(self.username)

    @property
    def domain(self) -> str:
        """
        The host of From and To.
        """
        return self.from_domain or self.host


@frozen
class TrunkState:
    """
    How a trunk is at a moment, as far as routing asks.

    Attributes:
        health: ``up``; ``degraded``: calls are tried, but something is wrong; ``down``: calls are not tried.
        reason: Why, in words; empty while it is up.
        channels: Its calls now, both ways.
    """

    health: Literal["up", "degraded", "down"] = "up"
    reason: str = ""
    channels: int = 0


IDLE = TrunkState()
"""A trunk that is up, without a call."""
