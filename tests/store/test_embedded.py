"""
Tests of :mod:`pbx.store.embedded`: the bundled server, really run.
"""

# ruff: noqa: ASYNC221, ASYNC240, S603, S607 - these tests look at files and processes while nothing else waits

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from pbx.store import embedded
from pbx.store.embedded import EmbeddedError, EmbeddedPostgres, binaries
from pbx.store.leftovers import processes
from tests.store.case import FAST, data_directory, data_with_database, new_directory
from tests.wire.process import ROOT, eventually, reactor, sleep

ANOTHER_EXCHANGE = """
import os, sys
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from pbx.store import embedded
data, uid, programs, *options = sys.argv[1:]
embedded.binaries = lambda: Path(programs)
if int(uid) != os.geteuid():
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
server = embedded.EmbeddedPostgres(reactor, Path(data), options)
async def main():
    print(await server.start(), server.pid, flush=True)
def failed(failure):
    print("FAILED", failure.getErrorMessage(), flush=True)
    reactor.stop()
reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(server.stop()))
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()).addErrback(failed))
reactor.run()
"""


NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


def ask(dsn: str, sql: str = "SELECT 1") -> object:
    """
    The one value of a query over a connection of its own.
    """
    connection = psycopg2.connect(dsn)
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchone()[0]  # type: ignore[index]
    finally:
        connection.close()


async def answers(dsn: str) -> bool:
    """
    Whether the server answers.
    """
    try:
        return ask(dsn) == 1
    except psycopg2.OperationalError:
        return False


def another_exchange(data: Path, uid: int | None = None) -> subprocess.Popen[str]:
    """
    Another program that runs the server on a directory, as another user when that is asked for.
    """
    who = os.geteuid() if uid is None else uid
    programs = binaries() if uid is None else programs_for_all()
    return subprocess.Popen(
        [sys.executable, "-c", ANOTHER_EXCHANGE, str(data), str(who), str(programs), *FAST],
        stdout=subprocess.PIPE,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd="/",
    )


_programs: list[Path] = []


def programs_for_all() -> Path:
    """
    PostgreSQL's programs where any user may run them: a copy when the checkout lies in a private home.
    """
    if not _programs:
        found = binaries()
        reachable = [*AS_NOBODY, "sh", "-c", f"test -x '{found}/postgres'"]
        if subprocess.run(reachable, check=False).returncode != 0:
            place = new_directory()
            atexit.register(shutil.rmtree, place, ignore_errors=True)
            place.chmod(0o755)
            # bin of pginstall18 of the package, which has its libraries in a folder beside it.
            installed, package = found.parent, found.parent.parent
            for folder in (installed, package.with_name(f"{package.name}.libs")):
                shutil.copytree(folder, place / folder.relative_to(package.parent))
            found = place / found.relative_to(package.parent)
        _programs.append(found)
    return _programs[0]


def first_line(program: subprocess.Popen[str]) -> str:
    """
    The line it prints when it has started, or failed.
    """
    assert program.stdout is not None
    return program.stdout.readline().strip()


def end(program: subprocess.Popen[str], sent: int = signal.SIGTERM) -> None:
    """
    End a program and wait for it.
    """
    if program.poll() is None:
        program.send_signal(sent)
    program.wait(10)
    assert program.stdout is not None
    program.stdout.close()


def parent(pid: int) -> int:
    """
    The process that started another.
    """
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class EmbeddedTests(TestCase):
    """
    The server of one exchange.
    """

    timeout = 30

    def server(self, data: Path | None = None) -> EmbeddedPostgres:
        """
        A server that is stopped with the test.
        """
        server = EmbeddedPostgres(reactor, data or data_directory(), FAST)
        self.addCleanup(server.stop)
        return server

    def temporary(self) -> Path:
        """
        A directory of the test's own, with a short path; removed with the test.
        """
        directory = new_directory()
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        return directory

    async def copied(self, place: Path) -> Path:
        """
        A data directory with a database in it, copied from the one of this process: faster than making one.
        """
        place.mkdir(parents=True, exist_ok=True)
        shutil.copytree(await data_with_database() / "postgres-18", place / "postgres-18")
        return place

    async def test_makes_a_database_whatever_the_umask(self) -> None:
        """
        At first start a database is made, open to nobody else, also under a umask that would let everybody in, or
        not even its owner.
        """
        for umask in (0o000, 0o277):
            data = self.temporary()
            before = os.umask(umask)
            try:
                server = self.server(data)
                dsn = await server.start()
            finally:
                os.umask(before)
            self.assertEqual(ask(dsn, "SELECT current_database()"), "pbx_system")
            self.assertEqual(ask(dsn, "SHOW server_encoding"), "UTF8")
            self.assertEqual(stat.S_IMODE((data / "postgres-18").stat().st_mode), 0o700)
            self.assertEqual(stat.S_IMODE((data / "postgres-18" / ".s.PGSQL.5432").stat().st_mode), 0o700)
            self.assertEqual(sorted(path.name for path in data.iterdir()), ["postgres-18", "postgres-18.lock"])
            await server.stop()

    async def test_starts_and_stops_quickly_and_keeps_its_data(self) -> None:
        """
        What was stored is there after a stop and a start; stopping takes less than a second, with a client connected.
        """
        server = self.server()
        dsn = await server.start()
        client = psycopg2.connect(dsn)
        client.autocommit = True
        client.cursor().execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
        began = time.monotonic()
        await server.stop()
        self.assertLess(time.monotonic() - began, 1)
        client.close()
        self.assertEqual(processes(server.directory), [])
        self.assertIsNone(server.pid)
        self.assertEqual(ask(await server.start(), "SELECT answer FROM kept"), 42)

    async def test_starts_again_when_the_server_is_killed(self) -> None:
        """
        A server that dies, by whatever signal, is started again and recovers what was committed.
        """
        server = self.server()
        dsn = await server.start()
        for sent in (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT):
            killed = server.pid
            assert killed is not None
            os.kill(killed, sent)
            await eventually(lambda: answers(dsn), within=10, what="an answer", interval=0.02)
            self.assertNotEqual(server.pid, killed)

    async def test_stops_while_it_is_starting_again(self) -> None:
        """
        Stopping between a death and the next start leaves nothing running, and nothing starts later.
        """
        server = self.server()
        await server.start()
        killed = server.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: _is(server.pid is None), within=5, what="its death noticed", interval=0.01)
        await server.stop()
        await sleep(0.3)
        self.assertEqual(processes(server.directory), [])
        # The next start frees the shared memory of the one that was killed.
        await server.start()

    async def test_long_and_awkward_paths(self) -> None:
        """
        A data directory with a path too long for a socket, or with commas and quotes in it, works: the socket lies in
        a private directory, which is gone after the stop.
        """
        for name in ("x" * 120, "a, 'b' %41 ü"):
            data = await self.copied(self.temporary() / name)
            server = self.server(data)
            dsn = await server.start()
            self.assertEqual(ask(dsn), 1)
            place = Path(psycopg2.extensions.parse_dsn(dsn)["host"])
            self.assertNotEqual(place, server.directory)
            self.assertEqual(stat.S_IMODE(place.stat().st_mode), 0o700)
            await server.stop()
            self.assertFalse(place.exists())

    async def test_second_exchange_is_refused(self) -> None:
        """
        A second exchange on the same directory is told so, and the first one goes on.
        """
        server = self.server()
        dsn = await server.start()
        other = another_exchange(data_directory())
        try:
            self.assertIn("in use by another running exchange", first_line(other))
        finally:
            end(other)
        self.assertEqual(ask(dsn), 1)

    async def test_killed_exchange_leaves_no_server(self) -> None:
        """
        When the exchange is killed its server ends by itself, and the next start needs no help.
        """
        other = another_exchange(data_directory())
        try:
            self.assertIn("postgresql://", first_line(other))
        finally:
            end(other, signal.SIGKILL)
        server = self.server()
        await eventually(lambda: _is(not processes(server.directory)), within=5, what="its end", interval=0.01)
        self.assertEqual(ask(await server.start()), 1)
        mine, *children = processes(server.directory)
        self.assertEqual(mine, server.pid)
        self.assertEqual({parent(child) for child in children}, {mine})

    async def test_both_killed(self) -> None:
        """
        When exchange and server are killed together, the next start recovers.
        """
        other = another_exchange(data_directory())
        pid = int(first_line(other).split()[-1])
        other.kill()
        os.kill(pid, signal.SIGKILL)
        end(other)
        self.assertEqual(ask(await self.server().start()), 1)

    async def test_server_left_alone_is_ended(self) -> None:
        """
        A server that somebody left running on the directory is asked to end, and ours takes its place.
        """
        place = await self.copied(self.temporary())
        server = self.server(place)
        await server.start()
        left = server.pid
        # As if the exchange had been killed and its signal to the server were lost: the lock is free, the server runs.
        assert server._lock is not None
        fcntl.flock(server._lock, fcntl.LOCK_UN)
        again = self.server(place)
        server._stopping = True
        self.assertEqual(ask(await again.start()), 1)
        self.assertNotEqual(again.pid, left)

    async def test_stale_lock_file_of_a_recycled_process_number(self) -> None:
        """
        A lock file that names a process which is no server (the number was given out again after a reboot) is no
        obstacle.
        """
        data = await self.copied(self.temporary())
        (data / "postgres-18" / "postmaster.pid").write_text(f"{os.getpid()}\n{data}/postgres-18\n1\n5432\n\n\n\n")
        self.assertEqual(ask(await self.server(data).start()), 1)

    async def test_interrupted_making_is_begun_again(self) -> None:
        """
        What an interrupted first start left is thrown away.
        """
        data = self.temporary()
        (data / "postgres-18.new" / "base").mkdir(parents=True)
        self.assertEqual(ask(await self.server(data).start()), 1)
        self.assertFalse((data / "postgres-18.new").exists())

    async def test_directories_that_are_not_ours(self) -> None:
        """
        A directory of another version, or with something else in it, is left as it is, with words that say why.
        """
        data = self.temporary()
        directory = data / "postgres-18"
        directory.mkdir()
        (directory / "letter.txt").write_text("dear")
        error = await self.assertFailure(_start(self.server(data)), EmbeddedError)
        self.assertIn("is not empty and is no PostgreSQL directory", str(error))
        (directory / "PG_VERSION").write_text("16\n")
        error = await self.assertFailure(_start(self.server(data)), EmbeddedError)
        self.assertIn("is of PostgreSQL 16, not of 18", str(error))
        self.assertEqual((directory / "letter.txt").read_text(), "dear")

    async def test_says_why_it_does_not_start(self) -> None:
        """
        A server that can't start tells its own reason; nothing is left running and the directory can be used again.
        """
        server = EmbeddedPostgres(reactor, data_directory(), ("shared_buffers=nonsense",))
        error = await self.assertFailure(_start(server), EmbeddedError)
        self.assertIn('invalid value for parameter "shared_buffers"', str(error))
        self.assertEqual(ask(await self.server().start()), 1)

    async def test_as_a_plain_user(self) -> None:
        """
        Root or not, the server runs; as a plain user its files are that user's, nobody else can open its socket, and
        root can take over later without changing whose they are.
        """
        if os.geteuid() != 0:
            # All other tests of this class run as a plain user then.
            return
        home = self.temporary()
        os.chown(home, NOBODY, NOBODY)
        home.chmod(0o700)
        data = home / "data"
        other = another_exchange(data, uid=NOBODY)
        try:
            dsn, pid = first_line(other).split()
            self.assertEqual(ask(dsn), 1)
            self.assertEqual(Path(f"/proc/{pid}").stat().st_uid, NOBODY)
            self.assertEqual((data / "postgres-18").stat().st_uid, NOBODY)
            asked = subprocess.run(
                ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", "--", "test", "-e", str(data)],
                check=False,
            )
            self.assertEqual(asked.returncode, 1)
        finally:
            end(other)
        programs = programs_for_all()
        self.patch(embedded, "binaries", lambda: programs)
        server = self.server(data)
        self.assertEqual(ask(await server.start()), 1)
        self.assertEqual(Path(f"/proc/{server.pid}").stat().st_uid, NOBODY)
        self.assertEqual((data / "postgres-18" / "PG_VERSION").stat().st_uid, NOBODY)

    async def test_plain_user_on_roots_directory(self) -> None:
        """
        A plain user is told whose directory it is.
        """
        if os.geteuid() != 0:
            return
        home = self.temporary()
        home.chmod(0o777)
        (home / "postgres-18").mkdir(mode=0o700)
        other = another_exchange(home, uid=NOBODY)
        try:
            self.assertIn("belongs to user root, and this program runs as nobody", first_line(other))
        finally:
            end(other)

    async def test_root_without_user_namespaces(self) -> None:
        """
        Where user namespaces are forbidden, as in many containers, root runs the server as a service user, who may pass
        through the data directory and no more.
        """
        if os.geteuid() != 0:
            return
        account = embedded.Account(AS_NOBODY, NOBODY, NOBODY)
        self.patch(embedded, "account_for", lambda directory: account)
        programs = programs_for_all()
        self.patch(embedded, "binaries", lambda: programs)
        data = self.temporary()
        (data / "secret.key").touch(0o600)
        server = self.server(data)
        self.assertEqual(ask(await server.start()), 1)
        self.assertEqual(Path(f"/proc/{server.pid}").stat().st_uid, NOBODY)
        self.assertEqual(stat.S_IMODE(data.stat().st_mode), 0o701)


class BinariesTests(SynchronousTestCase):
    """
    Where the programs are.
    """

    def test_has_what_a_backup_needs(self) -> None:
        """
        The bundled programs include those for backups.
        """
        for name in ("postgres", "initdb", "psql", "pg_dump", "pg_restore"):
            self.assertTrue(os.access(binaries() / name, os.X_OK), name)

    def test_missing_wheel(self) -> None:
        """
        Without the wheel the message says what to install, or to set.
        """
        self.patch(embedded.importlib.util, "find_spec", lambda name: None)
        self.assertIn("database.url", str(self.assertRaises(EmbeddedError, binaries)))


async def _is(value: bool) -> bool:
    return value


def _start(server: EmbeddedPostgres) -> Deferred[str]:
    return Deferred.fromCoroutine(server.start())
