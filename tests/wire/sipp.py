"""
SIPp 3.6: scenarios that no phone can be talked into, and many calls at once.

The scenarios lie beside this file in ``sipp/``; each says at its head which fields it wants from the file of callers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import frozen

from tests.wire.ports import free_ports

SCENARIOS = Path(__file__).parent / "sipp"

ENVIRONMENT = {"TERM": "dumb", "PATH": "/usr/bin:/bin"}
"""What it needs of the environment."""


@frozen
class Outcome:
    """
    What SIPp counted in one run.

    Attributes:
        status: its exit status: 0 when every call went as the scenario has it.
        successful: calls that went so.
        failed: calls that did not.
        resent: requests and responses it sent again because no answer came in time.
        resent_to_it: messages it got more than once.
        errors: what it wrote about messages it did not expect.
    """

    status: int
    successful: int
    failed: int
    resent: int
    resent_to_it: int
    errors: str


def credentials(user: str, password: str) -> str:
    """
    The field of a scenario that becomes the answer to a challenge.
    """
    return f"[authentication username={user} password={password}]"


class Command:
    """
    One run of SIPp: what to type, and what came of it. Running it is left to whoever has a clock for it.

    Attributes:
        host: its address.
        port: its port.
        directory: where its files are; it must be run there.
        argv: the command.
    """

    def __init__(
        self,
        name: str,
        directory: str | Path,
        *,
        server: str = "",
        rows: Iterable[Sequence[str]] = (),
        calls: int = 1,
        rate: float = 10,
        pause_ms: int = 1000,
        host: str = "127.0.0.1",
        port: int | None = None,
        transport: str = "u1",
        options: Sequence[str] = (),
    ) -> None:
        """
        Args:
            name: the scenario's file without ``.xml``.
            directory: for its files; created.
            server: ``host:port`` of the exchange; empty for a scenario that waits for calls.
            rows: the file of callers, one sequence of fields each; they take turns.
            calls: how many to make or take.
            rate: calls begun per second.
            pause_ms: the length of the scenario's pauses that say none of their own.
            host: the address it listens on.
            port: the port; a free one by default.
            transport: ``u1`` (UDP) or ``t1`` (TCP, one connection).
            options: more of SIPp's own options.
        """
        self.directory = Path(directory).absolute()
        self.directory.mkdir(parents=True)
        self.host = host
        self.port = port or free_ports(1, host)
        argv = ["/usr/bin/sipp", "-sf", str(SCENARIOS / f"{name}.xml"), "-i", host, "-p", str(self.port)]
        argv += ["-m", str(calls), "-r", str(rate), "-l", str(max(1000, int(rate) * 40)), "-d", str(pause_ms)]
        # It takes the media port for audio, and the second after it for video.
        argv += ["-t", transport, "-mi", host, "-mp", str(free_ports(4, host)), "-nostdin"]
        argv += ["-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_counts", "-trace_err", "-error_file", "errors"]
        argv += ["-recv_timeout", "40000", *options]
        rows = [";".join(row) for row in rows]
        if rows:
            (self.directory / "callers.csv").write_text("\n".join(["SEQUENTIAL", *rows, ""]))
            argv += ["-inf", "callers.csv"]
        if server:
            argv.append(server)
        self.argv = argv

    def counted(self, status: int) -> Outcome:
        """
        What its files say now.
        """
        successful = failed = 0
        for row in self._rows("stat.csv"):
            successful, failed = int(row["SuccessfulCall(C)"]), int(row["FailedCall(C)"])
        sent = received = 0
        for path in self.directory.glob("*_counts.csv"):
            for last in self._rows(path.name)[-1:]:
                for key, value in last.items():
                    if not (key or "").endswith("_Retrans"):
                        continue
                    if key.replace("_Retrans", "_Sent") in last:
                        sent += int(value)
                    else:
                        received += int(value)
        path = self.directory / "errors"
        errors = path.read_text(errors="replace") if path.exists() else ""
        return Outcome(status, successful, failed, sent, received, errors)

    def _rows(self, name: str) -> list[dict[str, str]]:
        path = self.directory / name
        if not path.exists():
            return []
        with path.open() as file:
            return list(csv.DictReader(file, delimiter=";"))
