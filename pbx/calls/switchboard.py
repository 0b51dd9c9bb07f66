"""
The switchboard: all calls, and what becomes of each request outside a dialog.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from zope.interface import implementer

from pbx.calls.call import RETRY_AFTER, Call, CallSettings, CallTools
from pbx.calls.events import CallBegan
from pbx.calls.leg import Leg
from pbx.calls.loops import LoopWatch
from pbx.calls.outbound import CallerIdentity
from pbx.calls.record import stamp
from pbx.dialog.incoming import IncomingInvite
from pbx.dialog.useragent import ALLOW, OURS, IUserAgentOwner
from pbx.directory.dialplan import RouteRequest, Situation, decide
from pbx.media.ports import PortsExhausted
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from pbx.calls.events import CallEvent
    from pbx.dialog.session import Session
    from pbx.dialog.subscription import Subscription
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.media.engine import IMediaEngine
    from pbx.registrar.authenticator import Authenticator
    from pbx.registrar.location import Location
    from pbx.registrar.registrar import Registrar
    from pbx.sip.message import Request
    from pbx.tasks import Tasks
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow

LOOK = 5.0
"""Seconds between two looks for silent legs."""

TOLD_AGAIN = 60.0
"""Seconds between two lines of the log about the same trouble."""


@implementer(IUserAgentOwner)
class Switchboard:
    """
    Takes every request outside a dialog, and holds every call.

    Attributes:
        calls: The live calls by identifier.
        began: Calls begun since the start.
    """

    log = Logger()

    def __init__(
        self,
        core: UserAgentCore,
        engine: IMediaEngine,
        directory: Directory,
        location: Location,
        authenticator: Authenticator,
        registrar: Registrar,
        tasks: Tasks,
        wall: Callable[[], float],
        settings: CallSettings,
    ) -> None:
        self.calls: dict[str, Call] = {}
        self.began = 0
        self._core = core
        self._directory = directory
        self._location = location
        self._authenticator = authenticator
        self._registrar = registrar
        self._wall = wall
        self._settings = settings
        self._listeners: list[Callable[[CallEvent], None]] = []
        self._loops = LoopWatch()
        self._told: dict[str, float] = {}
        self._watch: IDelayedCall | None = None
        self._stopped = False
        self._tools = CallTools(core, engine, tasks, wall, self._emit, settings)
        core.owner = self

    def start(self) -> None:
        """
        Begin to look for silent legs.
        """
        self._watch = self._core.clock.callLater(LOOK, self._look)

    def stop(self) -> None:
        """
        End every call, with BYE to both sides, and begin none any more.
        """
        self._stopped = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for call in list(self.calls.values()):
            call.hang_up(16, "The exchange is shutting down")

    def on_event(self, listener: Callable[[CallEvent], None]) -> None:
        """
        Have ``listener(event)`` called for everything that happens to calls.
        """
        self._listeners.append(listener)

    def hang_up(self, call_id: str) -> bool:
        """
        End a call; tell whether there was one.
        """
        call = self.calls.get(call_id)
        if call is None:
            return False
        call.hang_up()
        return True

    def list(self) -> list[dict[str, Any]]:
        """
        The live calls as the API shows them.
        """
        return [self._shown(call) for call in self.calls.values()]

    # IUserAgentOwner

    def request_received(self, transaction: ServerTransaction, request: Request) -> None:
        """
        Serve a request outside a dialog.
        """
        method = request.method
        if self._stopped:
            self._core.respond(transaction, 503, headers=(RETRY_AFTER,))
            return
        if method == "OPTIONS":
            # The same for every user part: who exists is nobody's business.
            headers = (("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", OURS))
            self._core.respond(transaction, 200, headers=headers)
            return
        if method == "NOTIFY" and (request.headers.get("Event") or "").lower() == "keep-alive":
            # Cisco SPA keeps its mapping open with these.
            self._core.respond(transaction, 200)
            return
        extension = self._authenticator.identify(transaction, request)
        if extension is None:
            return
        if method == "REGISTER":
            self._registrar.register(transaction, request, extension)
        elif method == "INVITE":
            self._call(transaction, request, extension)
        elif method in ("SUBSCRIBE", "PUBLISH"):
            # RFC 6665 4.2.1.2, RFC 3903 6: there is no event package yet.
            raise ProtocolError(489, "Bad Event")
        else:
            raise ProtocolError(405, "Method Not Allowed")

    def trusts(self, transaction: ServerTransaction, request: Request) -> bool:
        """
        Ask for credentials when a request within a call comes from elsewhere.

        Raises:
            ProtocolError: 403 when they are those of another extension than the leg's.
        """
        extension = self._authenticator.identify(transaction, request)
        if extension is None:
            return False
        usage = self._core.usage((request.call_id, request.to_tag or "", request.from_tag or ""))
        if usage is None or _party(usage) != extension.number:
            raise ProtocolError(403, "Forbidden")
        return True

    def way_to(self, usage: Session | Subscription) -> Flow | None:
        """
        Find the flow over which the phone of a leg, or one that subscribed, has registered meanwhile.
        """
        party, dialog = _party(usage), usage.dialog
        if party is None:
            return None
        bindings = self._location.bindings(party)
        same = [binding for binding in bindings if binding.contact == dialog.remote_target]
        # A phone that connects from a port of chance may name that in its Contact.
        here = [binding for binding in bindings if binding.flow.remote[0] == dialog.flow.remote[0]]
        if same:
            return same[-1].flow
        return here[0].flow if len(here) == 1 else None

    # Inside.

    def _call(self, transaction: ServerTransaction, request: Request, extension: Extension) -> None:
        number = dialled_number(request.target)
        if self._loops.begins(extension.number, number, self._core.clock.seconds()):
            if self._is_news("loop"):
                self.log.error(
                    "{caller} called {number} more than 10 times within 2 s: refused as a loop; look for a phone or "
                    "device that forwards {number} back to this exchange",
                    caller=extension.number, number=number,
                )
            raise ProtocolError(482, "Loop Detected")
        caller = self._identity(request, extension)
        invite = IncomingInvite(self._core, transaction, request, number or extension.number)
        reachable = {number: len(self._location.bindings(number))}
        decision = decide(RouteRequest(extension.number, number), Situation(self._directory, reachable))
        self.began += 1
        call_id = secrets.token_hex(16)
        self._emit(
            CallBegan(
                call_id, self._wall(), self._core.clock.seconds(), extension.number, extension.name, number,
                request.call_id, decision.reasons,
            )
        )
        call = self.calls[call_id] = Call(
            self._tools, call_id, caller, number, transaction.flow, invite, self._over
        )
        self.log.info("{call_id}: {caller} calls {number}", call_id=call_id, caller=extension.number, number=number)
        destination = decision.destination
        callee = self._directory.extension(destination.target)
        if destination.kind == "refuse" or callee is None:
            call.refuse(destination.status, destination.cause, destination.text)
            return
        if len(self.calls) > self._settings.max_calls:
            if self._is_news("too many calls"):
                self.log.error(
                    "{call_id}: refused, {count} calls are live already; raise the limit on open files or widen the "
                    "RTP range",
                    call_id=call_id, count=self._settings.max_calls,
                )
            call.refuse(503, 42, "Too many calls")
            return
        try:
            call.ring(callee, self._location.bindings(callee.number))
        except PortsExhausted:
            call.refuse(503, 34, "No media port free")
        except ProtocolError as error:
            call.refuse(error.status, cause_of_status(error.status), error.reason)

    def _identity(self, request: Request, extension: Extension) -> CallerIdentity:
        """
        Name the caller: always the directory's; From is only asked whether the caller wants to stay unknown.
        """
        user = request.from_.uri.user or ""
        privacy = {part.strip().lower() for part in (request.headers.get("Privacy") or "").split(";")}
        anonymous = bool(privacy & {"id", "user", "full"}) or user.lower() == "anonymous"
        if not anonymous and dialled_number(request.from_.uri) != extension.number:
            self.log.info(
                "From of extension {number} named another user; the call goes out as {number}", number=extension.number
            )
        return CallerIdentity(extension.number, extension.name, anonymous)

    def _is_news(self, what: str) -> bool:
        """
        Tell whether something that may happen many times a second was not logged within the last minute.
        """
        now = self._core.clock.seconds()
        told = self._told.get(what)
        if told is not None and now - told < TOLD_AGAIN:
            return False
        self._told[what] = now
        return True

    def _over(self, call: Call) -> None:
        self.calls.pop(call.id, None)

    def _emit(self, event: CallEvent) -> None:
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - the border: who listens must not keep the call from going on
                self.log.failure("{call_id}: an event was not taken: {event}", call_id=event.call, event=event)

    def _look(self) -> None:
        self._watch = self._core.clock.callLater(LOOK, self._look)
        now = self._core.clock.seconds()
        for call in list(self.calls.values()):
            call.look(now)

    def _shown(self, call: Call) -> dict[str, Any]:
        legs = []
        for leg in call.legs:
            if leg.audio is not None:
                quality = leg.audio.closed or leg.audio.session.quality()
                legs.append({
                    "party": leg.party, "state": leg.state.value, "codec": leg.audio.codec,
                    "address": leg.flow.name, "on_hold": leg.audio.held_by_peer, "quality": quality.as_dict(),
                })
        ratings = [leg["quality"]["mos"] for leg in legs if leg["quality"]["mos"] is not None]  # type: ignore[index]
        return {
            "id": call.id,
            "caller": call.caller.number,
            "caller_name": call.caller.name,
            "callee": call.number,
            "state": call.state,
            "since": stamp(call.began),
            "answered": None if call.answered is None else stamp(call.answered),
            "media_path": None if call.bridge is None else call.bridge.state,
            "media_reason": None if call.bridge is None else call.bridge.reason,
            "mos": min(ratings) if ratings else None,
            "legs": legs,
        }


def _party(usage: Session | Subscription) -> str | None:
    """
    The extension whose phone is at the other end of a dialog; ``None`` where that is not known.
    """
    user = getattr(usage, "user", None)
    return user.party if isinstance(user, Leg) else getattr(usage, "party", None) or None
