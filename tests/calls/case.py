"""
What tests of calls stand on: an exchange with phones, what it logs, and the proof that nothing is left.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import Request, Response
from tests.calls.exchange import MemoryExchange
from tests.calls.phone import Phone
from tests.network import Network

LEVELS = (LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical)
LOUD = LEVELS[1:]


class ExchangeCase(SynchronousTestCase):
    """
    An exchange on a network in memory, and phones to be put on it.

    Attributes:
        options: How the exchange differs from a usual one.
        within: Seconds after the end of the test by which nothing may be left.
    """

    options: dict[str, Any] = {}
    within: float = 33.5

    def setUp(self) -> None:
        """
        Start the exchange.
        """
        self.lines: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self._logged)
        self.network = Network(delay=0.001)
        self.start(**self.options)
        self.phones: list[Phone] = []

    def start(self, **options: Any) -> None:
        """
        Start an exchange, and note how many timers it has when nothing happens.
        """
        self.exchange = MemoryExchange(self.network, **options)
        self.idle = len(self.network.clock.getDelayedCalls())

    def tearDown(self) -> None:
        """
        Nothing may be left, neither now nor after the exchange has stopped.
        """
        self.network.advance(self.within)
        self.assert_nothing_left()
        self.exchange.stop()
        self.network.advance(0.1)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        globalLogPublisher.removeObserver(self._logged)

    def codes(self, codes: dict[str, str]) -> None:
        """
        Let star codes be dialled.
        """
        self.features(star_codes=codes)

    def features(self, **given: Any) -> None:
        """
        Start anew, with what callers can be sent to.
        """
        self.exchange.stop()
        self.network.advance(0.1)
        self.start(**{**self.options, "features": given})

    def assert_nothing_left(self) -> None:
        """
        No port, dialog, transaction, call or timer is left.
        """
        left = self.exchange.left()
        self.assertEqual({name: count for name, count in left.items() if count}, {})
        pool = self.exchange.engine.pool
        self.assertEqual(pool.in_use, 0)
        timers = self.network.clock.getDelayedCalls()
        self.assertLessEqual(len(timers), self.idle, timers)

    # Phones.

    def phone(self, number: str, *, register: bool = True, kind: type[Phone] = Phone, at: str = "", **options: Any
              ) -> Any:
        """
        Put a phone on the network; those of one extension get addresses of their own.
        """
        address = at or f"10.0.{len(self.phones) + 1}.{int(number) % 100}"
        phone = kind(self.network, number, address, **options)
        phone.polite = True
        self.phones.append(phone)
        if register:
            self.assertEqual(phone.register(expires=7200).status, 200)
            phone.received.clear()
            phone.times.clear()
        return phone

    def pair(self) -> tuple[Phone, Phone]:
        """
        Two registered phones that hear each other: 1001 and 1002.
        """
        pair = self.phone("1001"), self.phone("1002")
        for phone in pair:
            phone.listen_for_media()
        return pair

    # Logs and records.

    def _logged(self, event: Any) -> None:
        level = event.get("log_level")
        if level in LEVELS and str(event.get("log_namespace", "")).startswith("pbx."):
            self.lines.append((level, formatEvent(event)))

    def logged(self, text: str) -> list[str]:
        """
        The lines that contain a text.
        """
        return [line for _, line in self.lines if text in line]

    @property
    def loud(self) -> list[str]:
        """
        The lines at warning and above.
        """
        return [line for level, line in self.lines if level in LOUD]

    @property
    def record(self) -> dict[str, Any]:
        """
        The one CDR.
        """
        (record,) = self.exchange.records
        return record

    def assert_ended(self, disposition: str, reason: str, by: str) -> None:
        """
        The one CDR says this.
        """
        record = self.record
        self.assertEqual((record["disposition"], record["reason"], record["hangup_by"]), (disposition, reason, by))


class Conversation:
    """
    A call between two phones that was answered, with what each needs for requests within it.

    Args:
        caller: Dials.
        callee: Picks up.
        body: The caller's offer, when not its usual one; ``b""`` for none.
        answer: The callee's answer, when not its usual one.
        headers: Of the INVITE.
        ring: The status of the provisional response, 0 for none.
    """

    def __init__(self, caller: Phone, callee: Phone, *, body: bytes | None = None, answer: bytes | None = None,
                 headers: tuple[tuple[str, str], ...] = (), answer_headers: tuple[tuple[str, str], ...] = (),
                 ring: int = 180, acknowledge: bytes | None = b"") -> None:
        self.caller, self.callee = caller, callee
        self.invite = caller.call(callee.number, body=body, headers=headers)
        self.rung = callee.requests("INVITE")[-1]
        if ring:
            callee.reply(self.rung, ring)
        self.answered = callee.reply(
            self.rung, 200, body=callee.sdp() if answer is None else answer, headers=answer_headers
        )
        self.answer = caller.last("INVITE")
        assert self.answer.status == 200, self.answer.status
        self._cseq = {caller: self.invite.cseq.number, callee: 0}
        if acknowledge is not None:
            caller.acknowledge(self.invite, self.answer, acknowledge)

    def request(self, phone: Phone, method: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = (),
                cseq: int | None = None) -> Request:
        """
        Make the next request of one side within the dialog.
        """
        if cseq is None:
            self._cseq[phone] += 1
            cseq = self._cseq[phone]
        if phone is self.caller:
            return phone.within(method, self.invite, self.answer, cseq=cseq, body=body, headers=headers)
        return phone.within_received(method, self.rung, self.answered, cseq=cseq, body=body, headers=headers)

    def ask(self, phone: Phone, method: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Response:
        """
        Send a request of one side, acknowledge a 2xx or refusal of an INVITE, and return the response.
        """
        request = self.request(phone, method, body, headers)
        phone.send(request)
        phone.network.advance(0.01)
        response = phone.last(method)
        if method == "INVITE":
            if response.status < 300:
                phone.send(self.request(phone, "ACK", cseq=request.cseq.number))
                phone.network.advance(0.01)
            else:
                phone.acknowledge_refusal(request, response)
        return response

    def hang_up(self, phone: Phone) -> Response:
        """
        Hang up one side.
        """
        return self.ask(phone, "BYE")

    def speak(self, packets: int = 10, first: int = 0) -> tuple[int, int]:
        """
        Let both speak at once; how many packets the caller and the callee heard.
        """
        before = len(self.caller.media), len(self.callee.media)
        for n in range(first, first + packets):
            self.caller.speak(self.answer.body, 1, first=n, ssrc=11)
            self.callee.speak(self.rung.body, 1, first=n, ssrc=12)
        return len(self.caller.media) - before[0], len(self.callee.media) - before[1]
