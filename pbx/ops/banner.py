"""
What the terminal shows when the exchange is up: what runs where, and what to do first.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@attrs.frozen
class Facts:
    """
    What is known once everything has started.

    Attributes:
        version: Of the exchange.
        sockets: Each SIP socket as (transport, host, port).
        server_name: The host name for phones and people.
        api_port: The port of the API and the panel.
        database: ``embedded``, or the server's host.
        data: The data directory.
        log_file: The log.
        rtp_ports: The first and the last port for audio.
        max_calls: Calls that fit at once.
        extensions: How many extensions there are.
        first_link: The path of the one-time page for the first administrator, or ``None``.
        own_certificate: Whether the certificate is self-signed, so that ``curl`` needs ``-k``.
        passwords: Two random ones, for the extensions that are suggested: a printed constant would be everyone's.
        manhole_port: The port of the debug shell, or ``None``.
    """

    version: str
    sockets: Sequence[tuple[str, str, int]]
    server_name: str
    api_port: int
    database: str
    data: Path
    log_file: Path
    rtp_ports: tuple[int, int]
    max_calls: int
    extensions: int
    first_link: str | None
    own_certificate: bool
    passwords: tuple[str, str]
    manhole_port: int | None = None


def banner(facts: Facts) -> list[str]:
    """
    The lines for the terminal.
    """
    url = f"https://localhost:{facts.api_port}"
    lines = ["", f"The exchange is running (version {facts.version}). Ctrl-C stops it.", ""]
    lines += _row("SIP", _sockets(facts.sockets))
    lines += _row("audio", f"UDP {facts.rtp_ports[0]}-{facts.rtp_ports[1]}, up to {facts.max_calls} calls at once")
    lines += _row("API", f"{url}/api/")
    lines += _row("database", facts.database if facts.database != "embedded" else f"embedded, in {facts.data}")
    lines += _row("log", str(facts.log_file))
    if facts.manhole_port is not None:
        lines += _row("debug shell", f"ssh -p {facts.manhole_port} debug@127.0.0.1")
    if facts.first_link is not None:
        lines += ["", "The first administrator gets a name and a password here (once, within 24 hours):"]
        lines += [f"  https://{_reached(facts)}:{facts.api_port}{facts.first_link}"]
    if facts.extensions == 0:
        lines += _first_call(facts, url)
    return [*lines, ""]


def _row(name: str, text: str) -> list[str]:
    return [f"  {name:<12}{text}"]


def _reached(facts: Facts) -> str:
    """
    By what others reach this machine: its full name, or an address when it has only a short one, which others rarely
    can look up.
    """
    if "." in facts.server_name:
        return facts.server_name
    hosts = [host for _, host, _ in facts.sockets]
    host = next((host for host in hosts if not ip_address(host).is_loopback), hosts[0] if hosts else "localhost")
    return f"[{host}]" if ":" in host else host


def _sockets(sockets: Sequence[tuple[str, str, int]]) -> str:
    """
    ``UDP and TCP 192.0.2.1:5060, TLS 192.0.2.1:5061``: the transports of an address together.
    """
    by_place: dict[tuple[str, int], list[str]] = {}
    for transport, host, port in sockets:
        by_place.setdefault((host, port), []).append(transport)
    shown = []
    for (host, port), transports in by_place.items():
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        shown.append(f"{' and '.join(transports)} {place}")
    return ", ".join(shown)


def _first_call(facts: Facts, url: str) -> list[str]:
    """
    How to add the first two extensions and let one call the other.
    """
    lines = ["", "There are no extensions yet. Add two, from another terminal of this machine:"]
    insecure = " -k" if facts.own_certificate else ""
    for (number, name), password in zip((("1005", "John Doe"), ("1006", "Jane Doe")), facts.passwords, strict=True):
        lines += [
            f"  curl{insecure} -X POST {url}/api/extensions -H 'Content-Type: application/json' \\",
            f'    -d \'{{"number": "{number}", "name": "{name}", "password": "{password}"}}\'',
        ]
    port = next((port for transport, _, port in facts.sockets if transport == "UDP"), 5060)
    return [
        *lines,
        f"Then give two softphones the server {_reached(facts)}:{port}, the user 1005 or 1006 and that password,",
        "and dial 1006 from the first.",
    ]
