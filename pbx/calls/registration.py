"""
A trunk's registration: made, refreshed in time, and made anew for as long as it takes (RFC 3261 10.2.4, RFC 5626 4.5).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from automat import TypeMachineBuilder
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.logger import Logger, LogLevel

# Not for the type checker alone: the machine looks at the signatures of its inputs.
from pbx.calls.register import Grant, NotRegistered, RegisterClient
from pbx.transport.flow import FlowClosed, address_text
from pbx.transport.resolver import ResolveError, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from pbx.calls.trunk_targets import TrunkTargets
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.trunk import Trunk
    from pbx.transport.flow import Flow

FIRST_WAIT = 5.0
"""Seconds to the first new try after a failure; each further one waits twice as long."""

FIRST_WAIT_REFUSED = 30.0
"""The same where the provider said no: many block who asks too often with a wrong password."""

LONGEST_WAIT = 300.0
"""Seconds between two tries at the most: it is never given up."""

AT_ONCE = 0.5
"""Seconds to the new try after a connection that had lasted ends: not all trunks of a provider in the same moment."""

LASTED = 60.0
"""Seconds after which a registration counts as one that lasted."""

SHORTEST_REFRESH = 5.0
"""Seconds between two REGISTERs at the least, whatever the registrar grants."""

MARGIN = 60.0
"""Seconds before its end at which a registration is refreshed, or half of its time where that is less."""

TOLD_AGAIN = 3_600.0
"""Seconds between two lines of the log above debug about refreshes that succeed: a log of any day shows them."""

MOST_TRIED = 8
"""Places tried in one attempt; each may cost some eight seconds."""

PING = 25.0
"""Seconds between two empty lines that keep a mapping of a NAT open: home routers forget after 30 s and more."""

FAREWELL = 1.5
"""Seconds that a registrar has to answer when we leave."""


class _Inputs(Protocol):
    def begin(self) -> None:
        """Register."""

    def granted(self, target: Target, grant: Grant) -> None:
        """The attempt has succeeded."""

    def failed(self, failure: NotRegistered) -> None:
        """It has not."""

    def due(self) -> None:
        """The time of the next REGISTER has come."""

    def lost(self) -> None:
        """The connection it was made over has ended."""

    def anew(self) -> None:
        """Register now, whatever is under way: something that it hangs on is another."""

    def end(self) -> None:
        """Leave."""

    def left(self) -> None:
        """The registrar knows, or won't."""


class Registration:
    """
    One trunk's registration.

    Args:
        core: The user agent core.
        trunk: The trunk.
        client: Makes the requests.
        targets: Knows where to.
        changed: Called whenever :attr:`registered` or :attr:`failure` may have changed.
        chance: A number from 0 to 1, so that many trunks do not ask in the same moment.

    Attributes:
        grant: The last that was granted; it may have run out.
        target: Where it was granted.
        until: When it runs out, by the reactor's clock.
        failure: Why the last attempt failed; ``None`` when it did not.
    """

    log = Logger()

    def __init__(
        self,
        core: UserAgentCore,
        trunk: Trunk,
        client: RegisterClient,
        targets: TrunkTargets,
        changed: Callable[[], None],
        chance: Callable[[], float],
    ) -> None:
        self.grant: Grant | None = None
        self.target: Target | None = None
        self.until = 0.0
        self.failure: NotRegistered | None = None
        self._core = core
        self._clock = core.clock
        self._trunk = trunk
        self._client = client
        self._targets = targets
        self._changed = changed
        self._chance = chance
        self._failures = 0
        self._losses = 0
        self._told_at = 0.0
        self._made_at = 0.0
        self._attempt: Deferred[Any] | None = None
        self._next: IDelayedCall | None = None
        self._expiry: IDelayedCall | None = None
        self._ping: IDelayedCall | None = None
        self._gone: list[Deferred[None]] = []
        self._machine = _machine(self)

    @property
    def registered(self) -> bool:
        """
        Whether the registrar knows us now.
        """
        return self.grant is not None and self._clock.seconds() < self.until

    def start(self) -> None:
        """
        Register, and stay so.
        """
        self._machine.begin()

    def again(self) -> None:
        """
        Register at once: our address is another, or the place it was made at is dead or has come back.
        """
        self._machine.anew()

    def stop(self) -> Deferred[None]:
        """
        Leave; the Deferred fires when the registrar knows, after :data:`FAREWELL` seconds at the latest.
        """
        gone: Deferred[None] = Deferred()
        self._gone.append(gone)
        self._machine.end()
        return gone

    # What the machine does.

    def _try(self) -> None:
        """
        Begin an attempt, in place of one that is under way.
        """
        self._rest()
        attempt: Deferred[Any] = Deferred.fromCoroutine(self._somewhere())
        self._attempt = attempt
        attempt.addCallbacks(self._succeeded, self._not_succeeded, (attempt,), errbackArgs=(attempt,))

    async def _somewhere(self) -> tuple[Target, Grant]:
        """
        Register at the first place that takes it, in the order that the name gives now.

        Raises:
            NotRegistered: None does, or one does not want this account.
        """
        try:
            found = await self._targets.best_first()
        except ResolveError as error:
            raise NotRegistered(str(error)) from error
        failure = NotRegistered("there is nowhere to register")
        for target in found[:MOST_TRIED]:
            place = address_text(target.host, target.port)
            try:
                flow = await self._core.transactions.transport.open(target)
                return target, await self._client.register(flow)
            except FlowClosed as error:
                failure = NotRegistered(str(error))
            except NotRegistered as error:
                failure = NotRegistered(f"{place}: {error}", error.status, error.wait)
            if not failure.elsewhere:
                break
            self._targets.failed(target)
        raise failure

    def _succeeded(self, found: tuple[Target, Grant], attempt: Deferred[Any]) -> None:
        if attempt is self._attempt:
            self._attempt = None
            self._machine.granted(*found)

    def _not_succeeded(self, failure: Failure, attempt: Deferred[Any]) -> None:
        if attempt is not self._attempt:
            # It was cancelled by us.
            return
        self._attempt = None
        reason: Any = failure.value
        if not isinstance(reason, NotRegistered):
            # The trunk must not stay without a registration for a mistake of ours.
            self.log.failure(
                "REGISTER to {host} for trunk {trunk!r} failed", failure,
                host=self._trunk.host, trunk=self._trunk.name,
            )
            reason = NotRegistered("a mistake of this program; its log says more")
        self._machine.failed(reason)

    def _take(self, target: Target, grant: Grant) -> None:
        now = self._clock.seconds()
        same = self.registered and self.grant is not None and self.grant.flow is grant.flow
        news = self.failure is not None or not same or now - self._told_at >= TOLD_AGAIN
        if news:
            self._told_at = now
        self.log.emit(
            LogLevel.info if news else LogLevel.debug,
            "REGISTER to {host} for trunk {trunk!r}: registered with {place} as {account} for {seconds} s{again}",
            place=grant.flow.name, account=self._trunk.username, seconds=grant.expires,
            again=f", after {self._failures} failures" if self._failures else "", **self._named,
        )
        self.grant, self.target, self._made_at, self.failure = grant, target, now, None
        self._failures = 0
        self._targets.current = target
        self._targets.works(target)
        half = grant.expires / 2
        # Some earlier than others, so that what began together does not go on so.
        pause = max(half, grant.expires - MARGIN) * (1.0 - 0.1 * self._chance())
        self._wait(max(pause, SHORTEST_REFRESH))
        self._expire_in(grant.expires)
        if grant.flow.reliable:
            grant.flow.on_close(self._flow_closed)
        if self._ping is None:
            self._ping = self._clock.callLater(PING, self._keep_open)
        self._changed()

    def _fail(self, failure: NotRegistered) -> None:
        self._failures += 1
        self.failure = failure
        if self.grant is not None and self.grant.flow.closed:
            # Nothing comes in over it any more.
            self._expire_in(0)
        pause = max(failure.wait, self._backoff(self._failures, FIRST_WAIT_REFUSED if failure.refused else FIRST_WAIT))
        self.log.emit(
            LogLevel.error if failure.refused else LogLevel.warn,
            "REGISTER to {host} for trunk {trunk!r} failed: {reason}; next try in {seconds:.0f} s",
            reason=failure, seconds=pause, **self._named,
        )
        self._wait(pause)
        self._changed()

    def _lose(self) -> None:
        lasted = self._clock.seconds() - self._made_at >= LASTED
        self._losses = 0 if lasted else self._losses + 1
        pause = AT_ONCE * (1.0 + self._chance()) if lasted else self._backoff(self._losses, FIRST_WAIT)
        self.failure = NotRegistered("the connection that it was made over has ended")
        self.log.warn(
            "REGISTER to {host} for trunk {trunk!r} is needed again: {reason}; next try in {seconds:.1f} s",
            reason=self.failure, seconds=pause, **self._named,
        )
        self._rest()
        self._wait(pause)
        self._changed()

    def _leave(self) -> None:
        self._rest()
        for timer in (self._expiry, self._ping):
            if timer is not None:
                timer.cancel()
        self._expiry = self._ping = None
        leaving = Deferred.fromCoroutine(self._take_back())
        leaving.addTimeout(FAREWELL, self._clock)
        leaving.addErrback(self._not_taken_back)
        leaving.addBoth(lambda _: self._machine.left())

    async def _take_back(self) -> None:
        grant = self.grant
        if grant is None or not self.registered:
            return
        flow = grant.flow
        if flow.closed and self.target is not None:
            flow = await self._core.transactions.transport.open(self.target)
        await self._client.register(flow, remove=True, patience=FAREWELL)
        self.log.info("REGISTER to {host} for trunk {trunk!r}: taken back", **self._named)

    def _not_taken_back(self, failure: Failure) -> None:
        failure.trap(NotRegistered, FlowClosed, DeferredTimeout)
        self.log.info(
            "REGISTER to {host} for trunk {trunk!r} could not be taken back: {reason}",
            reason=failure.getErrorMessage() or "no answer", **self._named,
        )

    def _told(self) -> None:
        self.until = 0.0
        gone, self._gone = self._gone, []
        for each in gone:
            each.callback(None)

    # Timers, and the connection.

    @property
    def _named(self) -> dict[str, str]:
        return {"host": self._trunk.host, "trunk": self._trunk.name}

    def _backoff(self, count: int, first: float) -> float:
        usual = min(first * 2.0 ** min(count - 1, 10), LONGEST_WAIT)
        return usual * (0.8 + 0.4 * self._chance())

    def _wait(self, seconds: float) -> None:
        self._next = self._clock.callLater(seconds, self._due)

    def _due(self) -> None:
        self._next = None
        self._machine.due()

    def _rest(self) -> None:
        """
        Wait for nothing: neither the next try nor the end of the connection.
        """
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self.grant is not None and self.grant.flow.reliable:
            self.grant.flow.off_close(self._flow_closed)

    def _flow_closed(self, flow: Flow) -> None:
        self._machine.lost()

    def _expire_in(self, seconds: float) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self.until = self._clock.seconds() + seconds
        self._expiry = self._clock.callLater(seconds, self._expired)

    def _expired(self) -> None:
        self._expiry = None
        self._changed()

    def _keep_open(self) -> None:
        """
        Send an empty line, which every stack leaves alone (RFC 3261 7.5, RFC 5626 4.4.1).
        """
        self._ping = self._clock.callLater(PING, self._keep_open)
        if self.grant is not None and self.registered:
            with contextlib.suppress(FlowClosed):
                self.grant.flow.send(b"\r\n\r\n")


_builder = TypeMachineBuilder(_Inputs, Registration)
_idle = _builder.state("idle")
_trying = _builder.state("trying")
_waiting = _builder.state("waiting")
_registered = _builder.state("registered")
_leaving = _builder.state("leaving")
_over = _builder.state("over")


@_idle.upon(_Inputs.begin).to(_trying)
@_trying.upon(_Inputs.anew).to(_trying)
@_waiting.upon(_Inputs.due).to(_trying)
@_waiting.upon(_Inputs.anew).to(_trying)
@_registered.upon(_Inputs.due).to(_trying)
@_registered.upon(_Inputs.anew).to(_trying)
def _try(machine: _Inputs, registration: Registration) -> None:
    registration._try()


@_trying.upon(_Inputs.granted).to(_registered)
def _take(machine: _Inputs, registration: Registration, target: Target, grant: Grant) -> None:
    registration._take(target, grant)


@_trying.upon(_Inputs.failed).to(_waiting)
def _fail(machine: _Inputs, registration: Registration, failure: NotRegistered) -> None:
    registration._fail(failure)


@_registered.upon(_Inputs.lost).to(_waiting)
def _lose(machine: _Inputs, registration: Registration) -> None:
    registration._lose()


@_idle.upon(_Inputs.end).to(_leaving)
@_trying.upon(_Inputs.end).to(_leaving)
@_waiting.upon(_Inputs.end).to(_leaving)
@_registered.upon(_Inputs.end).to(_leaving)
def _leave(machine: _Inputs, registration: Registration) -> None:
    registration._leave()


@_leaving.upon(_Inputs.left).to(_over)
@_over.upon(_Inputs.end).to(_over)
def _told(machine: _Inputs, registration: Registration) -> None:
    registration._told()


# What comes before the first attempt, or once we leave, changes nothing.
for _state in (_idle, _leaving, _over):
    _state.upon(_Inputs.anew).loop().returns(None)
_leaving.upon(_Inputs.end).loop().returns(None)

_machine = _builder.build()
