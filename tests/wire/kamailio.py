"""
A provider: one Kamailio 5.6, with a registrar, digest challenges and the world behind it.

Its configuration lies beside this file in ``kamailio/``. Whoever sends from the world's port is the world: its calls go
to where the account has registered. Everybody else must be the account.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from string import Template

from twisted.internet.threads import deferToThread

from tests.wire.ports import free_ports
from tests.wire.process import Child, eventually

PROGRAM = "/usr/sbin/kamailio"
CONTROL = "/usr/sbin/kamcmd"
CONFIGURATION = Path(__file__).parent / "kamailio" / "provider.cfg"

ACCOUNT = "company"
"""The account's user."""

PASSWORD = "Nebelhorn-4711"
"""Its password."""


class Kamailio:
    """
    One provider, from start to stop; it can be started again.

    Attributes:
        host: its address.
        port: its port, UDP and TCP.
    """

    def __init__(self, *, world: int, algorithm: str = "MD5", longest: int = 3600, host: str = "127.0.0.1") -> None:
        """
        Args:
            world: the port of 127.0.0.1 where the world is.
            algorithm: of the digest, ``MD5`` or ``SHA-256``.
            longest: seconds for which it registers at most.
            host: its address.
        """
        self.host = host
        self.port = free_ports(1, host)
        # The path of a socket has room for 107 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="pbx-provider-"))
        text = Template(CONFIGURATION.read_text()).substitute(
            host=host, port=self.port, directory=self.directory, algorithm=algorithm, longest=longest,
            account=ACCOUNT, password=PASSWORD, world=world, world_host="127.0.0.1",
        )
        self._file = self.directory / "provider.cfg"
        self._file.write_text(text)
        self._child: Child | None = None

    @property
    def server(self) -> str:
        """
        ``host:port``.
        """
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """
        Run it, until it can be asked.
        """
        argv = [PROGRAM, "-DD", "-E", "-m", "16", "-M", "4", "-f", str(self._file), "-w", str(self.directory)]
        argv += ["-Y", str(self.directory)]
        # Its processes end with the first of them, when that is asked to.
        child = self._child = Child(argv, when_orphaned="TERM")

        async def ask() -> bool:
            if child.status is not None:
                raise RuntimeError(f"Kamailio ended with {child.status}:\n{child.tail()}")
            return bool(await self._control("core.uptime"))

        await eventually(ask, 10, "Kamailio")

    async def stop(self) -> None:
        """
        End it at once, as by a power cut: it says nothing to anybody.
        """
        child, self._child = self._child, None
        if child is None:
            return
        killed = _kill_all(child.pid)

        async def ask() -> bool:
            return not any(map(_lives, killed))

        await child.ended(5)
        # Its port is free when the last of them has ended.
        await eventually(ask, 5, "the end of Kamailio", 0.01)

    async def remove(self) -> None:
        """
        End it for good.
        """
        await self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def contacts(self) -> list[str]:
        """
        Where the account is registered: the contacts in the location table that have not run out.
        """
        said = await self._control("ul.dump")
        return re.findall(r"^\s*Address: (\S+)\n\s*Expires: \d+$", said, re.MULTILINE)

    async def sequence(self) -> int:
        """
        The CSeq of the REGISTER it has taken last, 0 where there is none.
        """
        return max(map(int, re.findall(r"^\s*CSeq: (\d+)", await self._control("ul.dump"), re.MULTILINE)), default=0)

    async def registered(self, within: float = 10) -> list[str]:
        """
        The same, once there are any.
        """
        return await eventually(self.contacts, within, "a registration with Kamailio")

    async def forgotten(self, within: float = 10) -> None:
        """
        Wait until the account is not registered any more.
        """

        async def ask() -> bool:
            return not await self.contacts()

        await eventually(ask, within, "nothing registered with Kamailio")

    async def _control(self, *words: str) -> str:
        command = [CONTROL, "-s", f"unix:{self.directory}/control", *words]

        def run() -> str:
            done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - ours
            return done.stdout if done.returncode == 0 else ""

        return await deferToThread(run)


def _kill_all(pid: int) -> list[int]:
    """
    Kill a process and its children by their ids, which are given back: asked to end, those of Kamailio wait for each
    other for ever at times.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    found = [pid, *map(int, children.split())]
    for each in found:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    return found


def _lives(pid: int) -> bool:
    """
    Whether a process has not ended yet; one that nobody has asked for its end yet has.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
