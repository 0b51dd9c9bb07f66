"""
The exchange as its operator meets it: starts that fail and say why, the terminal, the log, the debug shell, the end.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen
from twisted.internet.threads import deferToThread

from pbx.store.leftovers import processes
from tests.store.case import untouched_database
from tests.wire.agent import Agent, sdp
from tests.wire.exchange import PASSWORD, ROOT
from tests.wire.lasting import LastingTestCase, Server, asked
from tests.wire.ports import free_ports
from tests.wire.process import eventually, sleep

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - PBX - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - .|    ")
"""How a line of the log begins; a traceback goes on indented."""


@frozen
class Ended:
    """
    A start that came to nothing.

    Attributes:
        status: The exit status.
        said: What it wrote to the terminal.
        seconds: How long that took.
    """

    status: int
    said: str
    seconds: float


def launched(config: Path, data: Path) -> subprocess.Popen[str]:
    """
    The exchange, just started as ``tools/run`` does it.
    """
    twistd = str(Path(sys.executable).with_name("twistd"))
    words = ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--", twistd, "-n", "--pidfile="]
    words += ["--logger=pbx.ops.terminal.observer", "pbx", "--config", str(config), "--data", str(data)]
    return subprocess.Popen(  # noqa: S603 - our own words
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def failed_start(config: Path, data: Path) -> Ended:
    """
    Start the exchange, which is to end by itself.
    """
    began = time.monotonic()
    process = launched(config, data)
    try:
        said, _ = process.communicate(timeout=15)
    finally:
        process.kill()
    return Ended(process.returncode, said, time.monotonic() - began)


def listening(pid: int) -> set[int]:
    """
    The TCP ports that a process listens on.
    """
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        found = re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink()))
        inodes |= {found[1]} if found else set()
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


class FailedStartTests(LastingTestCase):
    """
    A start that can't be ends at once, says why in words, and leaves nothing.
    """

    def changed(self, **settings: Any) -> tuple[Path, Path]:
        """
        Another configuration like the exchange's but for some settings, and a data directory that is not there yet.
        """
        configuration = yaml.safe_load(self.exchange.config.read_text())
        for section, values in settings.items():
            configuration.setdefault(section, {}).update(values)
        config = self.exchange.folder / "other.yml"
        config.write_text(yaml.safe_dump(configuration))
        return config, self.exchange.folder / "other"

    async def refused(self, config: Path, data: Path, *words: str, within: float = 5) -> Ended:
        """
        A start fails with these words, and neither a traceback nor a database.
        """
        ended = await deferToThread(failed_start, config, data)
        self.assertEqual(ended.status, 1, ended.said)
        for word in words:
            self.assertIn(word, ended.said)
        self.assertNotIn("Traceback", ended.said)
        self.assertNotIn("Unhandled", ended.said)
        self.assertLess(ended.seconds, within)
        if data != self.exchange.data:
            self.assertEqual(processes(data / "postgres-18"), [])
        return ended

    async def test_second_start(self) -> None:
        """
        Never two on one data directory, nor on one port, whichever it is; the first goes on.
        """
        await self.begin()
        exchange = self.exchange
        await self.refused(exchange.config, exchange.data, "already running", str(exchange.data), str(exchange.pid))
        config, data = self.changed()
        await self.refused(config, data, f"UDP 127.0.0.1:{exchange.sip_port}: the port is taken")
        config, data = self.changed(server={"sip_port": free_ports(), "sip_tls_port": exchange.tls_port})
        await self.refused(config, data, f"TLS 127.0.0.1:{exchange.tls_port}: the port is taken")
        config, data = self.changed(server={"sip_port": free_ports(), "sip_tls_port": None})
        await self.refused(config, data, f"The API cannot listen on 127.0.0.1 port {exchange.api_port}", "api.port")
        self.assertFalse((data / "postgres-18").exists())
        self.assertEqual((await self.api("GET", "/ready"))[0], 200)

    async def test_wrong_configuration(self) -> None:
        """
        Every mistake is told in one go, with its place, what was found and what may stand there; no file is made.
        """
        config, data = self.changed(
            server={"sip_port": "many", "sip_hots": "0.0.0.0", "rtp_port_range_start": 80},  # noqa: S104
            logging={"level": "LOUD"},
            database={"url": "mysql://me:SecretOfMine@host/pbx"},
            kitchen={"sink": True},
        )
        ended = await self.refused(config, data, str(config))
        for place in ("server.sip_port", "sip_hots", "rtp_port_range_start", "logging.level", "database.url", "kitch"):
            self.assertIn(place, ended.said)
        for found in ("many", "80", "LOUD", "INFO"):
            self.assertIn(found, ended.said)
        self.assertNotIn("SecretOfMine", ended.said)
        self.assertFalse(data.exists())
        config.write_text("server: [1, 2\n")
        await self.refused(config, data, str(config))
        await self.refused(config.with_name("nowhere.yml"), data, "nowhere.yml")
        (bad := config.with_name("bad.pem")).write_text("nothing")
        config, data = self.changed(api={"ssl": {"cert_file": str(bad), "key_file": str(bad)}}, server={}, kitchen={})
        configuration = yaml.safe_load(config.read_text())
        del configuration["kitchen"]
        config.write_text(yaml.safe_dump(configuration))
        await self.refused(config, data, str(config), ", api.ssl: ", "bad.pem: holds no PEM certificate")

    async def test_too_new(self) -> None:
        """
        A database that a newer version has used is not touched, whether it is ours or turns up later.
        """
        self.exchange.seed(await untouched_database())
        server = Server(self.exchange.postgres)
        await server.start()
        await server.ask("CREATE TABLE _yoyo_migration (migration_id text)")
        await server.ask("INSERT INTO _yoyo_migration VALUES ('9999-wonders')")
        await server.stop()
        words = ("CRITICAL", "used by a newer version", "9999-wonders")
        ended = await self.refused(self.exchange.config, self.exchange.data, *words)
        self.assertEqual(ended.said.count("CRITICAL"), 1, ended.said)
        self.assertEqual(processes(self.exchange.postgres), [])
        config, data = self.changed(database={"url": server.dsn})
        process = launched(config, data)
        self.addCleanup(process.kill)
        log = data / "log" / "pbx.log"
        await eventually(lambda: _holds(log, "Waiting for the database"), 10, "a word of waiting")
        await server.start()
        said, _ = await deferToThread(process.communicate, timeout=10)
        await server.stop()
        self.assertEqual(process.returncode, 1)
        self.assertIn("CRITICAL The exchange could not start: The database was used by a newer version", said)

    async def test_stopped_while_starting(self) -> None:
        """
        SIGTERM in the middle of the first start ends it like any other, at whatever point; the next start works.
        """
        exchange = self.exchange
        log = exchange.data / "log" / "pbx.log"
        moments = (
            (exchange.data / "pbx.lock").exists,
            (exchange.data / "postgres-18.new" / "PG_VERSION").exists,
            # Killed in the making, nothing is taken for whole.
            lambda: exchange.postgres.exists() and "Applying migration" in log.read_text(),
        )
        for moment in moments:
            process = launched(exchange.config, exchange.data)
            self.addCleanup(process.kill)
            await eventually(lambda moment=moment: _is(moment()), 15, "the moment", 0.01)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            said, _ = await deferToThread(process.communicate, timeout=10)
            # Before the program has taken hold of the signal, it ends it as any.
            self.assertIn(process.returncode, {0} if "Making" in said else {0, -signal.SIGTERM}, said)
            self.assertLess(time.monotonic() - began, 5)
            self.assertNotRegex(said, "Traceback|Unhandled|CRITICAL|ERROR")
            self.assertEqual(processes(exchange.postgres), [])
        await self.start()


async def _is(value: bool) -> bool:
    return value


def _holds(path: Path, text: str) -> Any:
    return _is(path.exists() and text in path.read_text())


class TerminalAndLogTests(LastingTestCase):
    """
    What the operator sees, and what is kept.
    """

    settings = {"logging": {"level": "DEBUG"}}

    async def test_secrets(self) -> None:
        """
        The terminal shows the one-time link and the passwords made for the first two extensions; the log, even at
        DEBUG, holds neither these nor any password or digest. Key and secrets are their owner's alone.
        """
        await self.begin("1005", "1006")
        output = self.exchange.output.read_text()
        token = re.search(r"https://127\.0\.0\.1:\d+/first/(\S+)", output)
        suggested = re.findall(r'"password": "([^"]+)"', output)
        assert token is not None
        self.assertEqual(len(set(suggested)), 2)
        self.assertIn("The exchange is running", output)
        self.assertEqual(len([line for line in self.exchange.log() if "certificate for localhost was made" in line]), 1)
        # Lines to be copied stand as they are, nothing in front.
        self.assertRegex(output, r"(?m)^  curl -k -X POST https://localhost:\d+/api/extensions ")
        caller = await self.agent("1005")
        await self.agent("1006", lambda _: (200, "OK", sdp("127.0.0.1", 9000)))
        _, dialog = await caller.call("1006", sdp("127.0.0.1", 9002))
        assert dialog is not None
        await caller.hang_up(dialog)
        await self.wrong_password("WrongButSecret77!")
        await self.api("PUT", "/api/extensions/1006", {"password": "AnotherSecret456?"})
        # A page for people, and no JSON.
        await deferToThread(self.exchange.page, f"/first/{token[1]}")
        await self.new_records()
        place = str(self.exchange.postgres)
        dsn = f"postgresql://pbx@/pbx_system?host={place}"
        rows = await deferToThread(asked, dsn, "SELECT digests::text, password FROM extension")
        hashes = [word for row in rows for text in row for word in re.findall(r"[0-9a-f]{32,}|\$argon2\S+", text)]
        self.assertGreaterEqual(len(hashes), 6)
        await self.logged("GET /first/...")
        log = "\n".join(self.exchange.log())
        for secret in (token[1], *suggested, PASSWORD, "WrongButSecret77!", "AnotherSecret456?", *hashes):
            self.assertNotIn(secret, log)
            if secret not in (token[1], *suggested):
                self.assertNotIn(secret, output)
        self.assertNotRegex(log, r'response="?[0-9a-f]{16,}')
        self.assertEqual([line for line in self.exchange.log() if not LINE.match(line)], [])
        for path in (self.exchange.data / "ssl" / "pbx.key", self.exchange.data / "pbx.lock"):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)
        self.assertEqual(stat.S_IMODE(self.exchange.postgres.stat().st_mode), 0o700)
        # The debug shell is off unless configured: nothing else listens.
        ports = {self.exchange.sip_port, self.exchange.tls_port, self.exchange.api_port}
        self.assertEqual(listening(self.exchange.pid), ports)

    async def wrong_password(self, password: str = "WrongPassword123!") -> None:  # noqa: S107 - it is wrong
        """
        Make one line of the log.
        """
        agent = Agent("1005", password, (self.exchange.host, self.exchange.sip_port))
        agent.start()
        self.addCleanup(agent.stop)
        self.assertEqual((await agent.register()).status, 401)

    async def test_log_goes_on(self) -> None:
        """
        The log grows long after the start, after logrotate has moved it away, and after SIGHUP, which also reads the
        configuration and the certificate again and ends nothing; where one of them has a mistake, nothing changes.
        """
        await self.begin("1005")
        path = self.exchange.data / "log" / "pbx.log"
        await self.wrong_password()
        self.assertEqual(len(await self.logged("authentication failed")), 1)
        size = path.stat().st_size
        await sleep(1.5)
        await self.wrong_password()
        await eventually(lambda: _is(path.stat().st_size > size), 3, "a longer log")
        path.rename(path.with_suffix(".log.1"))
        await self.wrong_password()
        await eventually(lambda: _holds(path, "authentication failed"), 3, "a new log")
        key = self.exchange.data / "ssl" / "pbx.key"
        good = key.read_text()
        for text, said in ((good, "read again for SIGHUP"), ("x", "pbx.key: not a PEM private key")):
            key.write_text(text)
            os.kill(self.exchange.pid, signal.SIGHUP)
            await self.logged(said)
        self.assertEqual(key.read_text(), "x")
        key.write_text(good)
        with self.exchange.config.open("a") as file:
            file.write("colour: red\n")
        os.kill(self.exchange.pid, signal.SIGHUP)
        await self.logged("colour: unknown key")
        self.assertEqual(len(await self.logged("SIGHUP asked to reload; nothing was changed")), 2)
        self.exchange.expected = re.compile("SIGHUP asked to reload; nothing was changed| ERROR .*reload: ")
        size = path.stat().st_size
        await self.wrong_password()
        await eventually(lambda: _is(path.stat().st_size > size), 3, "a longer log")
        self.assertTrue(self.exchange.runs)
        self.assertEqual((await self.api("GET", "/ready"))[0], 200)


class DebugShellTests(LastingTestCase):
    """
    The shell into the running exchange.
    """

    async def setUp(self) -> None:
        """
        An exchange with the shell, and a key that opens it.
        """
        self.port = free_ports()
        self.settings = {"manhole": {"port": self.port, "authorized_keys": "keys"}}
        await super().setUp()
        self.key = self.exchange.folder / "id"
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
        await deferToThread(subprocess.run, make, check=True)
        (self.exchange.folder / "keys").write_text(self.key.with_suffix(".pub").read_text())

    async def typed(self, *lines: str) -> str:
        """
        What the shell shows when these are typed.
        """
        words = ["ssh", "-tt", "-p", str(self.port), "-i", str(self.key), "-F", "none", "-o", "BatchMode=yes"]
        words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes"]
        result = await deferToThread(
            subprocess.run,
            [*words, "-o", "LogLevel=ERROR", "debug@127.0.0.1"],
            input="".join(f"{line}\r" for line in lines) + "\x04",
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "TERM": "xterm", "SSH_AUTH_SOCK": ""},
        )
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", result.stdout)

    async def test_shell(self) -> None:
        """
        With a key: the switchboard, the live calls, and the messages of an extension; on loopback alone.
        """
        await self.begin("1001", "1002")
        caller = await self.agent("1001")
        await self.agent("1002", lambda _: (200, "OK", sdp("127.0.0.1", 9000)))
        _, dialog = await caller.call("1002", sdp("127.0.0.1", 9002))
        assert dialog is not None
        shown = await self.typed(
            "type(switchboard).__name__ * 2",
            "'live: %d' % len(calls())",
            'trace("1001")',
            "print('registered:', *sorted(b.aor for b in registrations()))",
        )
        for text in ("SwitchboardSwitchboard", "live: 1", "REGISTER sip:", "INVITE sip:1002@", "registered: 1001 1002"):
            self.assertIn(text, shown)
        self.assertNotRegex(shown, r'response="[0-9a-f]{16,}')
        await caller.hang_up(dialog)
        self.assertIn(f"ssh -p {self.port} debug@127.0.0.1", self.exchange.output.read_text())
        for host in ("127.0.0.2", "::1"):
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection((host, self.port), 1)
