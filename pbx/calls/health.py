"""
Whether a trunk is alive: an OPTIONS now and then to each of its places (RFC 3261 11.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from pbx.calls.register import registrar
from pbx.dialog.inquiry import NoAnswer, ask
from pbx.dialog.useragent import contact_of, new_call_id, new_tag
from pbx.sip.message import Headers, Request
from pbx.sip.uri import host_part, user_part
from pbx.transport.flow import FlowClosed, address_text
from pbx.transport.resolver import ResolveError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from pbx.calls.trunk_targets import TrunkTargets
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.trunk import Trunk
    from pbx.transport.resolver import Target

PATIENCE = 4.0
"""Seconds for an answer; over UDP the question is sent four times meanwhile."""

LOOK_SOONER = 10.0
"""Seconds to the next question at the most while a place is dead."""

MOST_ASKED = 8
"""Places of one trunk that are asked."""

Pulse: TypeAlias = Literal["unknown", "alive", "partly", "dead"]


@frozen
class Verdict:
    """
    What the last round of questions showed.

    Attributes:
        pulse: ``unknown`` before the first answer, and where nothing is asked; ``partly``: some places are dead.
        reason: What is wrong, in words.
    """

    pulse: Pulse = "unknown"
    reason: str = ""


UNKNOWN = Verdict()


class Health:
    """
    Asks one trunk again and again whether it is alive.

    Any answer but 503 says so. Silence says that it is dead only where the trunk has answered before: some providers
    answer no OPTIONS. A place that can't be sent to at all is dead.

    Args:
        core: The user agent core.
        trunk: The trunk.
        targets: Knows where to ask.
        changed: Called after each round, with the places that were dead before it and are alive, and the other way
            round.

    Attributes:
        verdict: What the last round showed.
    """

    log = Logger()

    def __init__(
        self,
        core: UserAgentCore,
        trunk: Trunk,
        targets: TrunkTargets,
        changed: Callable[[set[Target], set[Target]], None],
    ) -> None:
        self.verdict = UNKNOWN
        self._core = core
        self._trunk = trunk
        self._targets = targets
        self._changed = changed
        self._answered = False
        self._stopped = False
        self._dead: dict[Target, str] = {}
        self._round: Deferred[None] | None = None
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """
        Begin.
        """
        if self._trunk.options_interval > 0:
            self._ask_all()

    def stop(self) -> None:
        """
        End; it begins no more.
        """
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._round is not None:
            self._round.cancel()

    def again(self) -> None:
        """
        Ask now, unless that is under way.
        """
        if self._next is not None:
            self._next.cancel()
            self._ask_all()

    def _ask_all(self) -> None:
        self._next = None
        began = self._core.clock.seconds()
        asking = Deferred.fromCoroutine(self._look())
        self._round = asking
        asking.addErrback(self._failed)
        asking.addCallback(lambda _: self._arm(began))

    def _failed(self, failure: Failure) -> None:
        if not self._stopped:
            self.log.failure("asking trunk {trunk!r} failed", failure, trunk=self._trunk.name)

    def _arm(self, began: float) -> None:
        self._round = None
        if self._stopped:
            return
        pause = float(self._trunk.options_interval)
        if self._dead or self.verdict.pulse == "dead":
            pause = min(pause, LOOK_SOONER)
        self._next = self._core.clock.callLater(max(began + pause - self._core.clock.seconds(), 0.1), self._ask_all)

    async def _look(self) -> None:
        try:
            found = (await self._targets.best_first())[:MOST_ASKED]
        except ResolveError as error:
            self.verdict = Verdict("dead", str(error))
            self._changed(set(), set())
            return
        asked = [Deferred.fromCoroutine(self._one(target)) for target in found]
        results: list[tuple[bool, Any]] = await DeferredList(asked, consumeErrors=True)
        if self._stopped:
            return
        before, self._dead = self._dead, {}
        for target, (good, reason) in zip(found, results, strict=True):
            if not good:
                self.log.failure("asking trunk {trunk!r} failed", reason, trunk=self._trunk.name)
            elif reason:
                self._dead[target] = reason
                self._targets.failed(target)
            elif reason is not None:
                self._targets.works(target)
        self.verdict = self._judge(found, any(good and reason == "" for good, reason in results))
        alive = {target for target in before if target in found and target not in self._dead}
        self._changed(alive, {target for target in self._dead if target not in before})

    def _judge(self, found: list[Target], heard: bool) -> Verdict:
        if not self._dead:
            return Verdict("alive") if heard else UNKNOWN
        reason = "; ".join(f"{address_text(target.host, target.port)} {why}" for target, why in self._dead.items())
        return Verdict("dead" if len(self._dead) == len(found) else "partly", reason)

    async def _one(self, target: Target) -> str | None:
        """
        Why a place is dead; empty when it is not, ``None`` when that can't be told.
        """
        try:
            flow = await self._core.transactions.transport.open(target)
            request = self._request(contact_of(flow, user_part(self._trunk.username or "pbx")))
            response = await ask(self._core, request, flow, PATIENCE, first_word=True)
        except FlowClosed as error:
            return f"can't be reached ({error})"
        except NoAnswer as error:
            if not error.silent:
                return f"can't be reached ({error})"
            if not self._answered:
                return None
            flow.give_up()
            return "does not answer OPTIONS"
        self._answered = True
        return "answers OPTIONS with 503" if response.status == 503 else ""

    def _request(self, contact: str) -> Request:
        trunk = self._trunk
        domain = host_part(trunk.domain)
        headers = Headers()
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", f"<sip:{user_part(trunk.username or 'pbx')}@{domain}>;tag={new_tag()}"),
            ("To", f"<sip:{domain}>"),
            ("Call-ID", new_call_id()),
            ("CSeq", "1 OPTIONS"),
            ("Contact", contact),
            ("Accept", "application/sdp"),
        ):
            headers.add(name, value)
        return Request("OPTIONS", registrar(trunk), headers)
