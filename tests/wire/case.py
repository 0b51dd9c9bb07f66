"""
What the tests with a running exchange have in common: one exchange for each class of tests, phones, and a clean end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.wire.agent import Agent
from tests.wire.baresip import Account, Phone
from tests.wire.exchange import PASSWORD, Exchange
from tests.wire.process import eventually

_running: dict[type[TestCase], Exchange] = {}


class ExchangeTestCase(TestCase):
    """
    Tests that share an exchange, which is started by the first of them and stopped by the first of another class (or at
    the end of the process).

    Attributes:
        settings: sections of its configuration, laid over the ones every test needs.
        extensions: the extensions it begins with, all with the password of the operations manual.
    """

    timeout = 60
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    extensions: ClassVar[tuple[str, ...]] = ("1005", "1006")

    @classmethod
    def make(cls) -> Exchange:
        """
        The exchange, not yet started.
        """
        return Exchange(cls.settings)

    def setUp(self) -> None:
        """
        Start the exchange if it is not running yet, after the one of the class before.
        """
        cls = type(self)
        self._voice = 0
        if cls not in _running:
            for other in list(_running):
                complaints = _running.pop(other).stop()
                if complaints:
                    self.fail(f"the exchange of {other.__name__}: " + "\n".join(complaints))
            exchange = cls.make()
            exchange.start()
            _running[cls] = exchange
            for number in cls.extensions:
                exchange.add_extension(number)
        self.exchange = _running[cls]
        self._calls_before = {record["id"] for record in self._cdr_now()}
        self._dialogs_before = int(self.exchange.api("GET", "/api/status")[1]["left"]["dialogs"])

    def stop_exchange(self) -> list[str]:
        """
        Stop it now; the next test gets a new one. Gives what was wrong.
        """
        exchange = _running.pop(type(self), None)
        return [] if exchange is None else exchange.stop()

    async def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """
        Status and JSON of an answer of the REST API.
        """
        return await deferToThread(self.exchange.api, method, path, body)

    def _cdr_now(self) -> list[dict[str, Any]]:
        return _items(self.exchange.api("GET", "/api/cdr")[1])

    async def new_records(self, count: int = 1, within: float = 10) -> list[dict[str, Any]]:
        """
        The call records that were written since the test began, oldest first, once there are so many.
        """

        async def ask() -> list[dict[str, Any]] | None:
            records = _items((await self.api("GET", "/api/cdr"))[1])
            new = [record for record in records if record["id"] not in self._calls_before]
            return sorted(new, key=lambda record: str(record["started"])) if len(new) >= count else None

        return await eventually(ask, within, f"{count} call records") or []

    async def logged(self, phrase: str, within: float = 5) -> list[str]:
        """
        The lines of the log that hold a phrase, once there are any; they are written by a thread of their own.
        """

        async def ask() -> list[str]:
            return [line for line in self.exchange.log() if phrase in line]

        return await eventually(ask, within, f"{phrase!r} in the log")

    async def nothing_left(self, within: float = 5, dialogs: bool = True) -> None:
        """
        Wait until there is no call and no port for audio, and no more dialogs than there were when the test began.

        Args:
            within: seconds.
            dialogs: whether to look at dialogs; one whose peer is gone lives until its BYE is given up, after 32 s.
        """

        async def ask() -> bool:
            _, status = await self.api("GET", "/api/status")
            self._left = {"calls": status["calls"]["live"], "media": status["media"]["sessions"]}
            if dialogs:
                self._left["dialogs"] = max(0, status["left"]["dialogs"] - self._dialogs_before)
            return not any(self._left.values())

        try:
            await eventually(ask, within, "nothing left")
        except TimeoutError:
            self.fail(f"left after {within} s: {self._left}")

    async def phone(
        self, number: str, transport: str = "udp", *, registered: bool = True, exchange: Exchange | None = None,
        **more: Any,
    ) -> Phone:
        """
        A phone, running and registered.

        Args:
            number: its extension.
            transport: ``udp``, ``tcp`` or ``tls``.
            registered: whether to wait for its registration.
            exchange: where it registers, when that is another than the test's.
            more: fields of :class:`~tests.wire.baresip.Account`, or arguments of :class:`~tests.wire.baresip.Phone`.
        """
        self._voice += 1
        exchange = exchange or self.exchange
        port = exchange.tls_port if transport == "tls" else exchange.sip_port
        fields = {name: more.pop(name) for name in list(more) if name in Account.__annotations__}
        fields.setdefault("password", PASSWORD)
        account = Account(number, f"{exchange.host}:{port}", transport=transport, **fields)
        cafile = exchange.certificate if transport == "tls" else None
        phone = Phone(account, voice=self._voice, cafile=cafile, **more)
        self.addCleanup(phone.stop)
        await phone.start()
        if registered:
            await phone.registered()
        return phone

    async def agent(self, number: str, answer: Callable[[Any], tuple[int, str, bytes]] | None = None) -> Agent:
        """
        A small user agent, registered.
        """
        agent = Agent(number, PASSWORD, (self.exchange.host, self.exchange.sip_port))
        agent.start()
        self.addCleanup(agent.stop)
        if answer is not None:
            agent.on_invite = answer
        response = await agent.register()
        self.assertEqual(response.status, 200)
        return agent


def _items(answer: Any) -> list[dict[str, Any]]:
    """
    The list in an answer, also of one that wraps it.
    """
    if isinstance(answer, dict):
        answer = next((value for value in answer.values() if isinstance(value, list)), [])
    return list(answer or [])
