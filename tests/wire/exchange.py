"""
The exchange as a user starts it: ``twistd -n pbx`` with a configuration and a data directory of its own.

Everything here waits where it stands and knows nothing of the reactor, so that a benchmark can use it as well, and so
that an exchange can live longer than one test.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

from tests.wire.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
TICK = os.sysconf("SC_CLK_TCK")

PASSWORD = "SecurePassword123!"
"""The password of the operations manual, given to every extension here."""


@frozen
class Cpu:
    """
    Processor time since their start, user and system, in seconds.

    Attributes:
        exchange: of the process and every child that is no database.
        database: of the embedded PostgreSQL.
    """

    exchange: float
    database: float


class Exchange:
    """
    One exchange from start to stop.

    Attributes:
        host: the address phones reach it at.
        sip_port: UDP and TCP.
        tls_port: TLS.
        api_port: https.
        data: its data directory.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        host: str = "127.0.0.1",
        calls: int = 50,
        sip_port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            settings: sections of the configuration laid over the ones a test needs anyway; a list stands as it is.
            host: the address it listens on.
            calls: how many it shall have ports for at once.
            sip_port: its port for UDP and TCP, the next is for TLS; free ones by default.
            environment: what its environment has besides ours.
        """
        self.host = host
        self.folder = Path(tempfile.mkdtemp(prefix="pbx-wire-"))
        self.data = self.folder / "var"
        self.sip_port = sip_port or free_ports(2, host)
        self.tls_port = self.sip_port + 1
        self.api_port = free_ports(1)
        self.rtp_port = free_ports(4 * calls, host, even=True)
        configuration: dict[str, Any] = {
            "server": {
                "sip_host": host,
                "sip_port": self.sip_port,
                "sip_tls_port": self.tls_port,
                "rtp_port_range_start": self.rtp_port,
                "rtp_port_range_end": self.rtp_port + 4 * calls - 1,
                "server_name": "localhost",
            },
            "api": {"host": "127.0.0.1", "port": self.api_port},
            "logging": {"level": "INFO"},
        }
        for section, values in (settings or {}).items():
            if isinstance(values, Mapping):
                configuration.setdefault(section, {}).update(values)
            else:
                configuration[section] = values
        self.config = self.folder / "config.yml"
        self.config.write_text(yaml.safe_dump(configuration))
        self.output = self.folder / "output"
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> str:
        """
        ``host:port`` for phones on UDP and TCP.
        """
        return f"{self.host}:{self.sip_port}"

    @property
    def certificate(self) -> Path:
        """
        The certificate it made on its first start.
        """
        return self.data / "ssl" / "pbx.crt"

    @property
    def pid(self) -> int:
        """
        The process id.
        """
        if self._process is None:
            raise ValueError("it was not started")
        return self._process.pid

    def command(self) -> list[str]:
        """
        What runs it, but for the options.
        """
        twistd = str(Path(sys.executable).with_name("twistd"))
        return [twistd, "-n", "--pidfile=", "--logger=pbx.ops.terminal.observer", "pbx"]

    def start(self, within: float = 30) -> float:
        """
        Run it until it says it is ready; gives the seconds that took.

        Raises:
            RuntimeError: when it ended instead, or was not ready in time, with what it wrote.
        """
        began = time.monotonic()
        command = ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--", *self.command()]
        command += ["--config", str(self.config), "--data", str(self.data)]
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self._environment, "PYTHONPATH": str(ROOT)},
            )
        atexit.register(self.kill)
        while time.monotonic() - began < within:
            if self._process.poll() is not None:
                raise RuntimeError(f"the exchange ended with {self._process.returncode}:\n{self.said()}")
            if self._ready():
                return time.monotonic() - began
            time.sleep(0.1)
        said = self.said()
        self.kill()
        raise RuntimeError(f"the exchange was not ready within {within} s:\n{said}")

    def restart(self, within: float = 10) -> None:
        """
        End it with SIGTERM, and start it again on what it has kept.

        Raises:
            subprocess.TimeoutExpired: It did not end in time.
        """
        if self._process is None:
            raise ValueError("it was not started")
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(within)
        atexit.unregister(self.kill)
        self.start()

    def _ready(self) -> bool:
        try:
            return self.api("GET", "/ready")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """
        Status and JSON of an answer of the REST API, asked over the loopback interface as the local operator.
        """
        context = ssl.create_default_context(cafile=str(self.certificate)) if self.certificate.exists() else None
        connection = http.client.HTTPSConnection("localhost", self.api_port, timeout=10, context=context)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        return response.status, json.loads(content) if content else None

    def add_extension(self, number: str, name: str = "", password: str = PASSWORD, **more: Any) -> None:
        """
        Add an extension as the operations manual does.
        """
        body = {"number": number, "name": name or f"User {number}", "email": f"{number}@company.com"}
        body |= {"password": password, "allow_external": True, "is_admin": False, **more}
        status, answer = self.api("POST", "/api/extensions", body)
        if status not in {200, 201}:
            raise RuntimeError(f"extension {number}: {status} {answer}")

    def without_voicemail(self, *numbers: str) -> None:
        """
        Let callers of these extensions hear why nobody answers.
        """
        for number in numbers:
            status, answer = self.api("PATCH", f"/api/extensions/{number}/handling", {"voicemail": False})
            if status != 200:
                raise RuntimeError(f"extension {number}: {status} {answer}")

    def said(self, count: int = 40) -> str:
        """
        The last lines of its output and of its log.
        """
        lines = []
        for path in (self.output, self.data / "log" / "pbx.log"):
            if path.exists():
                lines += path.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(lines)

    def log(self) -> list[str]:
        """
        The lines of its log.
        """
        path = self.data / "log" / "pbx.log"
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def stop(self, within: float = 10, expected: Sequence[str] = ()) -> list[str]:
        """
        End it with SIGTERM; gives what was not as it should be (nothing, if all is well).

        Args:
            within: seconds it may take.
            expected: what stands in lines of its log that tell of a fault the test has made.
        """
        if self._process is None:
            return []
        complaints = []
        if self._process.poll() is not None:
            complaints.append(f"it had ended before, with {self._process.returncode}:\n{self.said()}")
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(within)
        except subprocess.TimeoutExpired:
            complaints.append(f"it still ran {within} s after SIGTERM:\n{self.said()}")
            status = 0
        # twistd ends with the signal that ended it, once everything is stopped.
        if status not in {0, -signal.SIGTERM}:
            complaints.append(f"it ended with {status}:\n{self.said()}")
        left = self._left()
        if left:
            complaints.append(f"processes are left: {left}")
        sought = re.compile(r" (ERROR|CRITICAL) |Traceback|Unhandled")
        written = [*self.log(), *self.output.read_text(errors="replace").splitlines()]
        written = [line for line in written if not any(phrase in line for phrase in expected)]
        wrong = next((number for number, line in enumerate(written) if sought.search(line)), None)
        if wrong is not None:
            complaints.append("it logged:\n" + "\n".join(written[wrong : wrong + 40]))
        self.kill()
        return complaints

    def _left(self) -> list[str]:
        """
        Command lines of processes that have its folder in them, half a second from now at the latest.
        """
        end = time.monotonic() + 0.5
        while True:
            left = []
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if str(self.folder) in words and int(path.parent.name) != os.getpid():
                    left.append(words)
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.05)

    def kill(self) -> None:
        """
        Be rid of it at once, with its folder.
        """
        atexit.unregister(self.kill)
        if self._process is not None and self._process.poll() is None:
            # The embedded database ends with it.
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self) -> Cpu:
        """
        The processor time it has used so far.
        """
        return process_cpu(self.pid)


def process_cpu(pid: int) -> Cpu:
    """
    The processor time of a process with its children, alive or reaped; those named ``postgres`` apart.
    """
    parents: dict[int, list[int]] = {}
    stats: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        # The name stands in parentheses and may hold anything.
        name, rest = text[text.index("(") + 1 :].rsplit(")", 1)
        fields = [name, *rest.split()]
        stats[int(path.parent.name)] = fields
        parents.setdefault(int(fields[2]), []).append(int(path.parent.name))
    exchange = database = 0.0
    todo = [(pid, False)]
    while todo:
        one, inside = todo.pop()
        if one not in stats:
            continue
        fields = stats[one]
        inside = inside or fields[0] == "postgres"
        own = (int(fields[12]) + int(fields[13])) / TICK
        reaped = (int(fields[14]) + int(fields[15])) / TICK
        if inside:
            database += own + reaped
        else:
            # What the exchange has reaped is what it ran to set up its database.
            exchange += own
            database += reaped
        todo += [(child, inside) for child in parents.get(one, [])]
    return Cpu(exchange, database)
