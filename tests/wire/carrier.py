"""
A provider by SIPp: one scenario for any number of calls, which says what it has seen, and can be frozen.

The scenarios are ``sipp/carrier_*.xml``; each answers OPTIONS as well.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

from tests.wire.agent import Message
from tests.wire.process import eventually
from tests.wire.scenario import Scenario

LOG = "log"


class Carrier(Scenario):
    """
    One provider at work.
    """

    def __init__(
        self, name: str, directory: str | Path, *, port: int | None = None, host: str = "127.0.0.1",
        transport: str = "u1",
    ) -> None:
        """
        Args:
            name: the scenario, without ``carrier_``.
            directory: for its files; created.
            port: its port; a free one by default.
            host: its address.
            transport: ``u1`` (UDP) or ``t1`` (TCP).
        """
        options = ("-trace_logs", "-log_file", LOG, "-trace_msg", "-message_file", "messages")
        super().__init__(
            f"carrier_{name}", directory, calls=1_000_000, port=port, host=host, transport=transport, options=options
        )

    @property
    def server(self) -> str:
        """
        ``host:port``.
        """
        return f"{self.host}:{self.port}"

    def freeze(self) -> None:
        """
        Stop its process where it stands: its port stays open, and nobody answers there.
        """
        assert self.child is not None
        self.child.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """
        Let it go on.
        """
        assert self.child is not None
        self.child.send(signal.SIGCONT)

    def said(self) -> list[str]:
        """
        What its scenario has noted so far.
        """
        path = self.directory / LOG
        return path.read_text().splitlines() if path.exists() else []

    def messages(self) -> str:
        """
        All that it has received and sent.
        """
        path = self.directory / "messages"
        return path.read_text(errors="replace") if path.exists() else ""

    def requests(self, method: str) -> list[Message]:
        """
        The requests of one method that it has received, each once.
        """
        found = []
        for part in re.split(r"^-{20,} .*\n", self.messages(), flags=re.MULTILINE):
            head, _, text = part.partition("\n\n")
            if "message received" in head and text.startswith(f"{method} "):
                found.append(Message.parse(text.replace("\r\n", "\n").replace("\n", "\r\n").encode(), ("", 0)))
        return list({message["via"]: message for message in found}.values())

    async def answered_options(self, within: float = 10) -> None:
        """
        Wait until it has been asked whether it is alive, and has said so.
        """

        async def ask() -> bool:
            return bool(self.requests("OPTIONS")) and "SIP/2.0 200" in self.messages()

        await eventually(ask, within, "OPTIONS", 0.05)

    async def saw(self, phrase: str, within: float = 10, count: int = 1) -> list[str]:
        """
        The lines that hold a phrase, once there are so many.
        """

        async def ask() -> list[str] | None:
            lines = [line for line in self.said() if phrase in line]
            return lines if len(lines) >= count else None

        try:
            return await eventually(ask, within, phrase, 0.02) or []
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it has seen {self.said()}, of\n{self.messages()[-3000:]}") from error
