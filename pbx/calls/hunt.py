"""
The search for a trunk that takes a call: one after the other, and of each one server after the other (RFC 3263 4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.logger import Logger

from pbx.calls.failure import Failure
from pbx.directory.numbering import is_dialable, same
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status, parse_reasons
from pbx.transport.flow import FlowClosed
from pbx.transport.resolver import ResolveError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pbx.calls.beyond import Line
    from pbx.calls.outbound import OutboundLeg
    from pbx.calls.tools import CallTools
    from pbx.directory.outside import Outgoing, Way
    from pbx.sip.message import Response
    from pbx.transport.flow import Flow
    from pbx.transport.resolver import Target

T = TypeVar("T")

End: TypeAlias = "Callable[[Failure], None]"
"""What is done upon an answer that holds for all trunks."""

MOST_SERVERS = 3
"""Servers of one trunk that a call tries: each may take four seconds, for which the caller hears nothing."""

MOST_REDIRECTS = 3
"""How often a provider may send a call on among its own servers: two that name each other must not keep it."""

SKIPPED, UNREACHED, ANSWERED = range(3)
"""How much a failure says: a trunk that was not tried, one that was silent, and one that said something."""


@frozen
class Place:
    """
    Where one INVITE goes.

    Attributes:
        way: The trunk, and how it is called.
        line: The line to it.
        flow: The way to one of its servers.
        uri: What is called there.
        profile: The transport of the media offered.
    """

    way: Way
    line: Line
    flow: Flow
    uri: str
    profile: str = "RTP/AVP"


class Hunt:
    """
    One number beyond the house, tried over its trunks until one has said something that holds for all of them.

    Args:
        tools: What the call is built with.
        call_id: The call, for the log.
        outgoing: The number and the trunks.
        ring: Sends an INVITE; what becomes of it is told by :meth:`failed`.
        over: Told why it has come to nothing.
        note: Told in words of each trunk that did not take the call.
    """

    log = Logger()

    def __init__(
        self, tools: CallTools, call_id: str, outgoing: Outgoing, ring: Callable[[Place], None],
        over: Callable[[Failure], None], note: Callable[[str], None],
    ) -> None:
        self._tools = tools
        self._call_id = call_id
        self._outgoing = outgoing
        self._ring = ring
        self._over = over
        self._note = note
        self._ways = list(outgoing.ways)
        self._targets: list[Target] = []
        self._target: Target | None = None
        self._place: Place | None = None
        self._failures: list[tuple[int, Failure]] = []
        self._redirects = 0
        self._waits_for: Deferred[Any] | None = None

    def begin(self) -> None:
        """
        Try the first, unless whoever pays has as many calls already as it may, or has used up what it may.
        """
        why = self._tools.router.exceeded(self._outgoing)
        if why:
            self._note(why)
            self._over(Failure(403, 21, why))
        else:
            self._next_way()

    def stop(self) -> None:
        """
        Try no more: the call was answered, or the caller has gone.
        """
        # Nobody hears from it any more; else it and those it calls would hold each other, and wait for the collector.
        self._ring = self._over = self._note = _nobody
        if self._waits_for is not None:
            self._waits_for.cancel()

    def failed(self, leg: OutboundLeg, status: int, text: str, response: Response | None) -> None:
        """
        An INVITE has come to nothing: the next server of this trunk, the next trunk, or the end.
        """
        place = self._place
        if place is None:
            raise ValueError("nothing was sent")
        trunk = place.line.trunk
        failure = _failure(trunk.name, status, text, response)
        if response is None and status in (408, 503) and self._target is not None and not leg.progressed:
            place.line.failed(self._target)
        self._failures.append((UNREACHED if response is None else ANSWERED, failure))
        # Help may come over any of them, whatever the others say.
        end = self._over if self._outgoing.emergency is None else self._on
        if leg.abandoned or (status == 488 and not leg.sent):
            # It is down, or may not be offered what the caller has.
            self._on(failure)
        elif leg.progressed or (response is None and status not in (408, 503)):
            # It rang, or the fault is ours: the same would happen elsewhere, or two would ring.
            end(failure)
        elif response is None or status == 503:
            # RFC 3263 4.3
            self._next_target(failure)
        elif status in (401, 407, 408) or 500 <= status < 600 or (status != 488 and status in trunk.failover_on):
            self._on(failure)
        elif status == 488:
            self._not_acceptable(leg, place, failure, end)
        elif status < 400:
            self._moved(place, response, failure, end)
        else:
            end(failure)

    # Inside.

    def _not_acceptable(self, leg: OutboundLeg, place: Place, failure: Failure, end: End) -> None:
        if leg.takes_keys and place.profile == "RTP/AVP":
            # One that insists on SRTP refuses RTP/AVP even with keys in it (RFC 4568 has no way to offer both).
            self._send(evolve(place, profile="RTP/SAVP"))
        elif 488 in place.line.trunk.failover_on:
            self._on(failure)
        else:
            end(failure)

    def _moved(self, place: Place, response: Response, failure: Failure, end: End) -> None:
        """
        Follow a redirection among the provider's own servers; any other could lead to where each minute costs most, and
        so could one to another number there: often it is whoever was called that names it.
        """
        trunk = place.line.trunk
        try:
            uri = response.contacts[0].uri if response.contacts else None
        except ProtocolError:
            uri = None
        own = {trunk.host.lower(), trunk.domain.lower(), place.flow.remote[0]}
        if uri is None or uri.host.lower() not in own or self._redirects == MOST_REDIRECTS:
            end(failure)
            return
        number = dialled_number(uri)
        elsewhere = is_dialable(number) and not same(number, place.way.number, self._tools.router.situation.plan.site)
        if elsewhere and self._outgoing.emergency is None:
            end(failure)
            return
        self._redirects += 1
        self._send(evolve(place, uri=place.line.request_uri(uri.user or place.way.number)))

    def _on(self, failure: Failure) -> None:
        self._note(failure.text)
        self._next_way()

    def _next_target(self, failure: Failure) -> None:
        place = self._place
        if place is None or not self._targets:
            self._on(failure)
            return
        self._note(f"{failure.text}; its next server is tried")
        self._start(place.way, self._connect(place.way, place.line))

    def _next_way(self) -> None:
        while self._ways:
            way = self._ways.pop(0)
            line = self._tools.outside.lines.line(way.trunk)
            why = self._not_now(line, way)
            if line is None or why:
                self._skip(way, why)
                continue
            self._start(way, self._reach(way, line))
            return
        if not self._failures:
            self._failures.append((SKIPPED, Failure(503, 34, "No trunk is there for this call")))
        most = max(said for said, _ in self._failures)
        self._over([failure for said, failure in self._failures if said == most][-1])

    def _not_now(self, line: Line | None, way: Way) -> str:
        """
        Why a trunk is not tried, empty when it is: what was so when the call was decided about may not be so any more.
        """
        if line is None or not line.trunk.enabled:
            return f"trunk {way.trunk} is no longer there"
        if self._outgoing.emergency is not None:
            return ""
        if line.state.health == "down":
            return f"trunk {way.trunk} is down: {line.state.reason}"
        return f"trunk {way.trunk} is full" if line.full else ""

    def _skip(self, way: Way, why: str) -> None:
        self._failures.append((SKIPPED, Failure(503, 34 if why.endswith("full") else 38, why)))
        self._note(why)

    def _start(self, way: Way, work: Coroutine[Any, Any, None]) -> None:
        payer, searching = self._outgoing.payer, self._tools.outside.searching

        async def search() -> None:
            searching(payer, 1)
            try:
                await work
            except CancelledError:
                # Nobody is called any more.
                return
            except Exception:  # noqa: BLE001 - the border: a caller must not wait for a trunk that we fail at
                self.log.failure("{call_id}: trunk {trunk} can't be tried", call_id=self._call_id, trunk=way.trunk)
                self._unreached(way, "Server Internal Error")
            finally:
                searching(payer, -1)

        self._tools.tasks.start(search(), "reach a trunk")

    async def _reach(self, way: Way, line: Line) -> None:
        try:
            self._targets = (await self._in_time(line.targets()))[:MOST_SERVERS]
        except (ResolveError, TimeoutError) as error:
            self._unreached(way, str(error) or "its address could not be looked up in time")
            return
        await self._connect(way, line)

    async def _connect(self, way: Way, line: Line) -> None:
        why = "it has no address"
        while self._targets:
            target = self._targets.pop(0)
            try:
                flow = await self._in_time(line.flow(target))
            except (FlowClosed, TimeoutError) as error:
                line.failed(target)
                why = str(error) or f"no connection to {target.host} in time"
                continue
            why = self._not_now(line, way)
            if why:
                self._skip(way, why)
                self._next_way()
                return
            if self._outgoing.emergency is not None and not self._outgoing.emergency.test:
                self._tools.outside.emergencies.make_room(self._tools, line, self._call_id)
            self._target = target
            profile = "RTP/SAVP" if line.trunk.srtp == "required" else "RTP/AVP"
            self._send(Place(way, line, flow, line.request_uri(way.number), profile))
            return
        self._unreached(way, why)

    def _send(self, place: Place) -> None:
        self._place = place
        self._ring(place)

    def _unreached(self, way: Way, why: str) -> None:
        failure = Failure(503, 38, f"trunk {way.trunk} can't be reached: {why}")
        self._failures.append((UNREACHED, failure))
        self._on(failure)

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        core = self._tools.core
        waits = Deferred.fromCoroutine(work).addTimeout(core.settings.no_response, core.clock)
        self._waits_for = waits
        try:
            return await waits
        finally:
            self._waits_for = None


def _nobody(told: object) -> None:
    """
    Whom a search that was stopped tells.
    """


def _failure(trunk: str, status: int, text: str, response: Response | None) -> Failure:
    """
    What an answer of a trunk is to the caller: what it says of the callee as it is, and what it says of itself as ours.
    """
    if response is None:
        if status == 408:
            return Failure(503, 38, f"trunk {trunk} does not answer")
        return Failure(status, 38 if status == 503 else cause_of_status(status), f"trunk {trunk}: {text}")
    causes = [
        reason.cause for reason in parse_reasons(response.headers.get_all("Reason"))
        if reason.protocol.upper() == "Q.850" and reason.cause is not None and 1 <= reason.cause <= 127
    ]
    cause = causes[0] if causes else cause_of_status(status)
    if status in (401, 407):
        return Failure(503, 38, f"trunk {trunk} refuses our credentials")
    if status == 408 or 500 <= status < 600:
        return Failure(503, cause, f"trunk {trunk} answered {status} {text}")
    if status < 400 or status == 487:
        return Failure(480, 31, f"trunk {trunk} answered {status} {text}")
    return Failure(status, cause, text)
