"""
A configuration that changes under a running exchange, and what tells whether it counts.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pbx.ops.certificate import OwnCertificate
from tests.wire.exchange import Exchange

OPTIONS = (
    b"OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK%d;rport\r\nCall-ID: %d\r\n"
    b"From: <sip:1@localhost>;tag=1\r\nTo: <sip:localhost>\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)

FIRST = {
    "sip_trunks": [{"name": "One", "host": "127.0.0.1", "port": 9, "register": False, "options_interval": 0}],
    "outbound_routes": [{"name": "Out", "patterns": ["0."], "strip": 1, "trunks": ["One"], "call_class": "local"}],
    "inbound_routes": [{"name": "Desk", "did": "555", "destination": {"kind": "extension", "target": "3000"}}],
    "star_codes": {"voicemail": "*97"},
    "voicemail": {"no_answer_timeout": 30},
}
"""What an exchange starts with."""


def change(exchange: Exchange, edit: Callable[[dict[str, Any]], object]) -> None:
    """
    Change the file, as an editor does: another file in its place.
    """
    settings = yaml.safe_load(exchange.config.read_text())
    edit(settings)
    new = exchange.config.with_suffix(".new")
    new.write_text(yaml.safe_dump(settings))
    new.rename(exchange.config)


def second(settings: dict[str, Any]) -> None:
    """
    A trunk more, a route out and one in that are others, another star code, another time of ringing.
    """
    settings["sip_trunks"].append({**FIRST["sip_trunks"][0], "name": "Two"})  # type: ignore[index]
    settings["outbound_routes"][0] |= {"patterns": ["9."], "trunks": ["Two", "One"]}
    settings["inbound_routes"][0]["destination"]["target"] = "3001"
    settings["star_codes"]["voicemail"] = "*55"
    settings["voicemail"]["no_answer_timeout"] = 7


CHANGED = {
    "sip_trunks[Two]", "outbound_routes[Out].patterns", "outbound_routes[Out].trunks",
    "inbound_routes[Desk].destination.target", "star_codes.voicemail", "voicemail.no_answer_timeout",
}
"""The keys of that."""


def third(settings: dict[str, Any]) -> None:
    """
    The first again, with a log that says more.
    """
    settings.update(FIRST)
    settings["logging"]["level"] = "DEBUG"


def bad(settings: dict[str, Any]) -> None:
    """
    Two mistakes beside a change that would count.
    """
    settings["voicemail"]["no_answer_timeout"] = "long"
    settings["sip_trunks"][0]["hots"] = "127.0.0.1"
    settings["star_codes"]["voicemail"] = "*66"


def counts(exchange: Exchange) -> tuple[str, str, str, str]:
    """
    What the exchange goes by: where 0123456, 9123456, and *55 lead that 3000 dials, and where 555 from the trunk leads.
    """
    found = []
    for query in ("from=3000&number=0123456", "from=3000&number=9123456", "from=3000&number=*55",
                  "from=030999&number=555&trunk=One"):
        status, answer = exchange.api("GET", f"/api/route?{query}")
        if status != 200:
            raise RuntimeError(f"{query}: {status} {answer}")
        tree = answer["tree"]
        found.append(f"{tree['kind']} {tree.get('target') or ''}".strip())
    return found[0], found[1], found[2], found[3]


def renew_certificate(exchange: Exchange) -> None:
    """
    Put another certificate and key for the same names where the exchange has its own.
    """
    folder = exchange.folder / "renewed"
    shutil.rmtree(folder, ignore_errors=True)
    made = OwnCertificate(folder / "pbx.crt", folder / "pbx.key", "localhost", [exchange.host])
    made.ensure(datetime.now(UTC))
    for name in ("pbx.crt", "pbx.key"):
        shutil.copyfile(folder / name, exchange.certificate.with_name(name))


class TlsLine:
    """
    A TLS connection to a port of the exchange, which shows whether it still lives.

    Attributes:
        fingerprint: of the certificate that was shown.
    """

    def __init__(self, host: str, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._socket = context.wrap_socket(socket.create_connection((host, port), 10))
        self.fingerprint = hashlib.sha256(self._socket.getpeercert(True) or b"").hexdigest()
        self._asked = 0

    def sip(self) -> bytes:
        """
        The first line of the answer to an OPTIONS over it.
        """
        self._asked += 1
        self._socket.sendall(OPTIONS % (self._asked, self._asked))
        return self._socket.recv(4000).partition(b"\r\n")[0]

    def web(self) -> bytes:
        """
        The first line of the answer to a GET over it.
        """
        self._socket.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return self._socket.recv(4000).partition(b"\r\n")[0]

    def close(self) -> None:
        """
        End it.
        """
        self._socket.close()


def pbxctl(exchange: Exchange, *words: str) -> tuple[int, str, str]:
    """
    Status, output and errors of the command.
    """
    command = [str(Path(sys.executable).with_name("pbxctl")), "--url", f"https://localhost:{exchange.api_port}"]
    command += ["--cert", str(exchange.certificate), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    return done.returncode, done.stdout, done.stderr
