"""
A name server: Twisted's own, on a port of loopback, with records of our making.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.wire.ports import free_ports
from tests.wire.process import Child

TTL = 1
"""Seconds for which an answer is good: what moves in a test is found again at once."""


class NameServer:
    """
    One name server, which knows one domain, from start to stop.

    Attributes:
        server: ``host:port``, as ``server.dns`` of the configuration has it.
    """

    def __init__(
        self,
        domain: str,
        services: Mapping[str, Iterable[tuple[int, str, int]]],
        hosts: Mapping[str, str],
    ) -> None:
        """
        Args:
            domain: the domain.
            services: by service (``_sip._udp``), the servers: priority, host and port.
            hosts: by host, its address; both names are within the domain.
        """
        self.port = free_ports()
        self.server = f"127.0.0.1:{self.port}"
        self.directory = Path(tempfile.mkdtemp(prefix="pbx-names-"))
        self._domain, self._services, self._hosts = domain, services, hosts

    def _zone(self) -> str:
        domain = self._domain
        records = [f"SOA({domain!r}, mname='ns.{domain}', rname='root.{domain}', serial=1, minimum={TTL})"]
        for service, servers in self._services.items():
            for priority, host, port in servers:
                name, target = f"{service}.{domain}", f"{host}.{domain}"
                records.append(f"SRV({name!r}, {priority}, 10, {port}, {target!r}, ttl={TTL})")
        records += [f"A({f'{host}.{domain}'!r}, {address!r}, ttl={TTL})" for host, address in self._hosts.items()]
        return "zone = [" + ",\n".join(records) + "]\n"

    async def start(self) -> None:
        """
        Run it, until it listens.
        """
        zone = self.directory / "zone.py"
        zone.write_text(self._zone())
        twistd = str(Path(sys.executable).with_name("twistd"))
        argv = [twistd, "-n", "--pidfile=", "dns", "--interface", "127.0.0.1", "--port", str(self.port)]
        self._child = Child([*argv, "--pyzone", str(zone)], cwd=str(self.directory))
        await self._child.line("DNSDatagramProtocol starting")

    async def stop(self) -> None:
        """
        End it.
        """
        await self._child.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
