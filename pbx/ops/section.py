"""
What the sections of the configuration file have in common: how they look in a log, and the values they take.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pbx.ops.strict import is_secret


def _network(values: tuple[str, ...]) -> None:
    for value in values:
        ipaddress.ip_network(value)


def _hosts(value: str | tuple[str, ...]) -> None:
    values = (value,) if isinstance(value, str) else value
    if not values:
        raise ValueError("the list is empty")
    for each in values:
        ipaddress.ip_address(each)


def name_server(value: str) -> tuple[str, int]:
    """
    Address and port of a name server as it is written: ``192.168.1.1``, ``192.168.1.1:5353`` or ``[fe80::1]:5353``.

    Raises:
        ValueError: It is neither.
    """
    found = re.fullmatch(r"(?:\[([^]]+)\]|([^:]+))(?::([0-9]{1,5}))?", value)
    host, port = (value, 53) if found is None else (found[1] or found[2], int(found[3] or 53))
    ipaddress.ip_address(host)
    if not 1 <= port <= 65535:
        raise ValueError("there is no such port")
    return host, port


def stun_server(value: str) -> tuple[str, int]:
    """
    Host and port of a STUN server as it is written: ``stun:stun.example.com`` or ``stun:192.0.2.1:3479``.

    Raises:
        ValueError: It is none.
    """
    found = re.fullmatch(r"stun:([A-Za-z0-9][A-Za-z0-9.-]{0,252})(?::([0-9]{1,5}))?", value)
    if found is None:
        raise ValueError("it is no STUN server")
    port = int(found[2] or 3478)
    if not 1 <= port <= 65535:
        raise ValueError("there is no such port")
    return found[1], port


def _external(value: str | tuple[str, ...] | None) -> None:
    if value is None:
        return
    if isinstance(value, str) and not value.startswith("stun:"):
        ipaddress.ip_address(value)
        return
    servers = (value,) if isinstance(value, str) else value
    if not 1 <= len(servers) <= 8:
        raise ValueError("the list is empty or too long")
    for each in servers:
        stun_server(each)


def _name_servers(values: tuple[str, ...] | None) -> None:
    if values is not None and not values:
        raise ValueError("the list is empty")
    for value in values or ():
        name_server(value)


def _address(value: str | None) -> None:
    if value is not None:
        ipaddress.ip_address(value)


def printable(value: str | None) -> None:
    """
    Check that a text has no characters that a database, a log or a phone's display could stumble over.

    Raises:
        ValueError: It has.
    """
    if value is not None and not value.isprintable():
        raise ValueError("it has characters that cannot be shown")


def _host(value: str | None) -> None:
    if value is None or re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})", value):
        return
    try:
        ipaddress.ip_address(value.removeprefix("[").removesuffix("]"))
    except ValueError:
        # What is wrong with the address does not help whoever has written sip.example.com:5060.
        raise ValueError(
            "the port has a key of its own, and sip: is left out" if ":" in value else "no host is called so"
        ) from None


def _host_and_port(value: str | None) -> None:
    if value is not None:
        match = re.fullmatch(r"(\[.*\]|[^:]*|.*:.*:.*?)(?::([0-9]{1,5}))?", value)
        if match is None or not 1 <= int(match[2] or 1) <= 65535:
            raise ValueError("it is neither a host nor a host and a port")
        _host(match[1])


Port = Annotated[int, Meta(ge=1, le=65535, description="a port, 1 to 65535")]
Seconds = Annotated[int, Meta(ge=1, le=86400, description="whole seconds, 1 to 86400")]
Address = Annotated[str, Meta(description="an IPv4 or IPv6 address", extra={"check": _address})]
External = Annotated[
    str | tuple[str, ...] | None,
    Meta(
        description="an IPv4 or IPv6 address, stun:HOST or stun:HOST:PORT, a list of up to 8 of the latter, or null",
        extra={"check": _external},
    ),
]
Hosts = Annotated[
    str | tuple[str, ...],
    Meta(description="an IPv4 or IPv6 address, or a list of such", extra={"check": _hosts}),
]
Networks = Annotated[
    tuple[str, ...],
    Meta(description="a list of networks, such as 192.168.0.0/16", extra={"check": _network}),
]
NameServers = Annotated[
    tuple[str, ...] | None,
    Meta(
        description="a list of addresses, such as 192.168.1.1 or 192.168.1.1:5353, or null",
        extra={"check": _name_servers},
    ),
]
Code = Annotated[str, Meta(pattern=r"^[*#][0-9*#]{0,7}\Z", description='* or # and up to 7 keys, such as "*72"')] | None
Text = Annotated[str, Meta(min_length=1, description="text that is not empty")]
Line = Annotated[str, Meta(max_length=100, description="text of up to 100 characters", extra={"check": printable})]
Host = Annotated[str, Meta(description="a host name or an address", extra={"check": _host})]
Proxy = Annotated[
    str,
    Meta(
        description="a host name or an address, with :port where it is not the usual",
        extra={"check": _host_and_port},
    ),
]
HostName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,252})\Z", description="a host name")]
Path = Annotated[str | None, Meta(description="a path, or null for the usual place")]
Secret = Annotated[str, Meta(description="text, ${VARIABLE}, or file:/path", extra={"secret": True})]
MailAddress = Annotated[
    str, Meta(pattern=r"^[!-?A-~]+@[0-9A-Za-z.-]+\Z", description="an address such as pbx@example.com")
]
Dialled = Annotated[str, Meta(pattern=r"^[0-9]{1,20}\Z", description="a number that can be dialled")]
Days = Annotated[int, Meta(ge=1, le=36500, description="whole days, 1 to 36500")]


class Section(msgspec.Struct, frozen=True):
    """
    One section of the configuration; its representation leaves out secrets.
    """

    def __repr__(self) -> str:
        shown: list[str] = []
        for field in msgspec.structs.fields(self):
            value: Any = "<secret>" if is_secret(field.type) else getattr(self, field.name)
            shown.append(f"{field.name}={value if is_secret(field.type) else repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"
