"""
What a call and a registration cost, beside a call through sippy's B2BUA, which is driven by the same SIPp in turns.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import frozen

from tests.wire.exchange import PASSWORD, Exchange, process_cpu
from tests.wire.ports import free_ports
from tests.wire.sipp import ENVIRONMENT, Command, Outcome, credentials

HERE = Path(__file__).resolve().parent
SIPPY = HERE / ".sippy"
SIPPY_VERSION = "2.5.0"
HOST = "127.0.0.1"

PARTIES = 40
"""Callers, and as many callees: nobody calls the same number so often that it looks like a loop."""


REGISTRATIONS_PER_CALL = 4
"""A call brings the exchange eight messages, a registration two: at four times the rate it is as busy with the one as
with the other, and processor caches favour neither."""


@frozen
class Load:
    """
    How much of each is asked for in one turn.

    Attributes:
        calls: in a turn.
        rate: of calls, begun per second; registrations come :data:`REGISTRATIONS_PER_CALL` times as fast and many.
        pause_ms: how long each call lasts. Shorter than the half second after which sippy repeats some of its 200s,
            which SIPp takes for a failure.
    """

    calls: int = 1000
    rate: float = 100.0
    pause_ms: int = 300


@frozen
class Cost:
    """
    What one of many came to.

    Attributes:
        cpu_ms: processor time of the whole process for each, in milliseconds.
        database_ms: that of its database.
        outcome: what SIPp counted.
    """

    cpu_ms: float
    database_ms: float
    outcome: Outcome


def sippy() -> Path:
    """
    The Python of an environment with sippy in it, made when there is none.
    """
    python = SIPPY / "bin" / "python"
    stamp = SIPPY / f"sippy-{SIPPY_VERSION}"
    if not stamp.exists():
        shutil.rmtree(SIPPY, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", SIPPY], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"sippy=={SIPPY_VERSION}"], check=True)
        stamp.touch()
    return python


@contextmanager
def running(command: Command) -> Iterator[subprocess.Popen[bytes]]:
    """
    One SIPp for as long as the block lasts.
    """
    process = subprocess.Popen(
        command.argv,
        cwd=command.directory,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def finish(command: Command, within: float, spared: float = 0.0) -> Outcome:
    """
    Run a SIPp to its end.

    Args:
        command: what to run.
        within: seconds.
        spared: the share of calls that may fail.

    Raises:
        SystemExit: when more of them did not go as the scenario has it.
    """
    with running(command) as process:
        try:
            status = process.wait(within)
        except subprocess.TimeoutExpired:
            status = 255
    outcome = command.counted(status)
    if outcome.successful == 0 or outcome.failed > spared * outcome.successful:
        name = Path(command.argv[command.argv.index("-sf") + 1]).stem
        raise SystemExit(f"{name}: {outcome.successful} went well, {outcome.failed} failed:\n{outcome.errors[:1500]}")
    return outcome


def costing(pid: int, count: int, work: Callable[[], Outcome]) -> Cost:
    """
    What each of ``count`` came to, with a second for what is done afterwards.
    """
    before = process_cpu(pid)
    outcome = work()
    time.sleep(1.0)
    after = process_cpu(pid)
    each = 1000.0 / count
    return Cost((after.exchange - before.exchange) * each, (after.database - before.database) * each, outcome)


class Bench:
    """
    Both exchanges, and what they are driven with.

    Attributes:
        phones: what the callees counted in the last run of calls.
    """

    def __init__(self, load: Load) -> None:
        self.load = load
        self._folder = Path(tempfile.mkdtemp(prefix="pbx-bench-"))
        self._runs = 0
        self._phones = free_ports(1)
        self.phones: Outcome | None = None
        self._exchange: Exchange | None = None
        self._sippy: subprocess.Popen[bytes] | None = None
        self.rows = [
            (str(3000 + n), str(4000 + n), credentials(str(3000 + n), PASSWORD)) for n in range(PARTIES)
        ]
        self.callees = [(callee, "-", credentials(callee, PASSWORD)) for _, callee, _ in self.rows]

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        if self._sippy is not None:
            self._sippy.kill()
            self._sippy.wait()
        if self._exchange is not None:
            complaints = self._exchange.stop()
            sys.stderr.write("".join(f"The exchange: {complaint}\n" for complaint in complaints))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self, name: str, server: str = "", **more: object) -> Command:
        self._runs += 1
        return Command(name, self._folder / f"{self._runs}-{name}", server=server, **more)  # type: ignore[arg-type]

    def start_sippy(self) -> None:
        """
        Run sippy's simple B2BUA: signalling alone, no authentication, no log.
        """
        self._sippy_port = free_ports(1)
        # Through `python -m`, as the script beside it begins with this machine's path.
        argv = [str(sippy()), "-m", "sippy.b2bua_simple", "-f", "-l", HOST, "-p", str(self._sippy_port)]
        self._sippy = subprocess.Popen(
            [*argv, "-n", f"{HOST}:{self._phones}"],
            env={**os.environ, "SIPLOG_BEND": "none"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "sippy.err").open("wb"),
        )
        time.sleep(2)

    def start_exchange(self) -> Exchange:
        """
        Run the exchange as a user would, with all its parties added and every callee registered.
        """
        concurrent = int(self.load.rate * (self.load.pause_ms / 1000 + 1)) + 100
        self._exchange = Exchange(calls=concurrent)
        self._exchange.start()
        for caller, callee, _ in self.rows:
            self._exchange.add_extension(caller)
            self._exchange.add_extension(callee)
        self.register(PARTIES, port=self._phones)
        return self._exchange

    def register(self, count: int, port: int | None = None) -> Outcome:
        """
        So many authenticated registrations of the callees.
        """
        assert self._exchange is not None  # noqa: S101 - started before
        rate = self.load.rate * REGISTRATIONS_PER_CALL
        command = self._command(
            "register", self._exchange.server, rows=self.callees, calls=count, rate=rate, port=port or free_ports(1)
        )
        return finish(command, count / rate + 40)

    def _calls(self, scenario: str, server: str, count: int, spared: float = 0.0) -> Outcome:
        load = self.load
        phones = self._command("answer", calls=count, port=self._phones)
        caller = self._command(scenario, server, rows=self.rows, calls=count, rate=load.rate, pause_ms=load.pause_ms)
        with running(phones) as answering:
            time.sleep(0.3)
            outcome = finish(caller, count / load.rate + load.pause_ms / 1000 + 60, spared)
            with suppress(subprocess.TimeoutExpired):
                answering.wait(3)
        self.phones = phones.counted(answering.returncode)
        return outcome

    def sippy_calls(self, count: int, spared: float = 0.05) -> Outcome:
        """
        So many calls through sippy.
        """
        # On a busy machine it now and then repeats a 200 when SIPp expects it no more, most of all in its first calls.
        return self._calls("call_plain", f"{HOST}:{self._sippy_port}", count, spared)

    def exchange_calls(self, count: int) -> Outcome:
        """
        So many authenticated calls through the exchange.
        """
        assert self._exchange is not None  # noqa: S101 - started before
        return self._calls("call", self._exchange.server, count)

    def cost_of_sippy_call(self) -> Cost:
        """
        What one call costs sippy.
        """
        assert self._sippy is not None  # noqa: S101 - started before
        count = self.load.calls
        return costing(self._sippy.pid, count, lambda: self.sippy_calls(count))

    def cost_of_call(self) -> Cost:
        """
        What one authenticated call costs the exchange.
        """
        assert self._exchange is not None  # noqa: S101 - started before
        count = self.load.calls
        return costing(self._exchange.pid, count, lambda: self.exchange_calls(count))

    def cost_of_registration(self) -> Cost:
        """
        What one authenticated registration costs the exchange.
        """
        assert self._exchange is not None  # noqa: S101 - started before
        # The phones stay where their calls go to: on their own port.
        count = self.load.calls * REGISTRATIONS_PER_CALL
        return costing(self._exchange.pid, count, lambda: self.register(count, port=self._phones))

    @contextmanager
    def profiled(self, target: Path | None) -> Iterator[None]:
        """
        Draws a flame graph of the exchange while the block lasts, when py-spy is there and a file is named.
        """
        if target is None:
            yield
            return
        assert self._exchange is not None  # noqa: S101 - started before
        spy = Path(sys.executable).with_name("py-spy")
        form = "raw" if target.suffix == ".txt" else "flamegraph"
        command = [str(spy), "record", "--pid", str(self._exchange.pid), "--rate", "200", "--format", form]
        with subprocess.Popen([*command, "--output", str(target)], stdout=subprocess.DEVNULL) as process:
            yield
            process.send_signal(signal.SIGINT)

    def memory_mb(self) -> float:
        """
        Resident memory of the exchange, in megabytes.
        """
        assert self._exchange is not None  # noqa: S101 - started before
        status = Path(f"/proc/{self._exchange.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def wait_until_quiet(self, within: float = 45) -> list[str]:
        """
        What the exchange still holds when every call is over: nothing, if all is well. Transactions live for 32 s.
        """
        assert self._exchange is not None  # noqa: S101 - started before
        end = time.monotonic() + within
        while True:
            status = self._exchange.api("GET", "/api/status")[1]
            held = {"calls": status["calls"]["live"], "media sessions": status["media"]["sessions"], **status["left"]}
            left = [f"{count} {what} left" for what, count in held.items() if count]
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.5)
