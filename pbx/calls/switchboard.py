"""
The switchboard: all calls, and what becomes of each request outside a dialog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from attrs import evolve
from twisted.logger import Logger
from zope.interface import Interface, implementer

from pbx.calls import transfer
from pbx.calls.admission import Admission
from pbx.calls.beyond import Beyond, Outside
from pbx.calls.call import RETRY_AFTER, Call
from pbx.calls.events import CallEvent
from pbx.calls.leg import Leg, LegState
from pbx.calls.router import Router
from pbx.calls.shown import shown
from pbx.calls.tools import CallSettings, CallTools
from pbx.calls.trunk_leg import line_changed
from pbx.dialog.useragent import ALLOW, OURS, IUserAgentOwner
from pbx.directory.decision import Destination
from pbx.directory.emergency_call import emergency_number
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.interfaces import IDelayedCall

    from pbx.calls.tools import Features
    from pbx.dialog.session import Session
    from pbx.dialog.subscription import Subscription
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.directory import Directory
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


class ISubscriptions(Interface):
    """
    Who serves those that want to be told what goes on.
    """

    def subscribe(transaction: ServerTransaction, request: Request, party: str) -> None:  # noqa: N805
        """
        Serve a SUBSCRIBE outside a dialog of an extension; raises :class:`ProtocolError` to refuse it.
        """


@implementer(IUserAgentOwner)
class Switchboard:
    """
    Takes every request outside a dialog, and holds every call.

    Attributes:
        calls: The live calls by identifier.
        router: Says where calls go.
        subscriptions: An :class:`ISubscriptions`, ``None`` where nothing can be subscribed to.
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
        features: Features,
        outside: Outside | None = None,
    ) -> None:
        self.calls: dict[str, Call] = {}
        self.subscriptions: Any = None
        self._core = core
        self._directory = directory
        self._location = location
        self._authenticator = authenticator
        self._registrar = registrar
        self._listeners: dict[type, list[Callable[[Any], None]]] = {kind: [] for kind in get_args(CallEvent)}
        self._watch: IDelayedCall | None = None
        self._stopped = False
        outside = outside or Outside()
        self._lines = outside.lines
        self._lines.on_change(line_changed)
        router = Router(directory, location, settings.no_answer_timeout, features, outside)
        self.router = router
        self._tools = CallTools(
            core, engine, tasks, wall, self._emit, settings, router, location, self.calls, features.sounds,
            features.music, features.places, outside,
        )
        self._admission = Admission(self._tools, self.calls)
        core.owner = self

    def reconfigure(self, settings: CallSettings, star_codes: Mapping[str, str]) -> None:
        """
        Go by other settings from the next call on; the live ones keep those that they began with.

        Args:
            settings: What the operator decided.
            star_codes: The features by their codes.
        """
        self._tools = self._admission.tools = evolve(self._tools, settings=settings)
        self.router.reconfigure(settings.no_answer_timeout, star_codes)

    @property
    def began(self) -> int:
        """
        Calls begun since the start.
        """
        return self._admission.began

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
        self._tools.outside.emergencies.stop()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for call in list(self.calls.values()):
            call.hang_up(16, "The exchange is shutting down")

    def on_event(self, listener: Callable[[Any], None], *kinds: type) -> None:
        """
        Have ``listener(event)`` called for what happens to calls.

        Args:
            listener: Who is told.
            kinds: The classes of the events; all of :data:`~pbx.calls.events.CallEvent` where none is named.
        """
        for kind in kinds or self._listeners:
            self._listeners[kind].append(listener)

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
        return [shown(call) for call in self.calls.values()]

    def transfer(self, call_id: str, by: str, to: str) -> bool:
        """
        Send whoever an extension talks to elsewhere.

        Args:
            call_id: The call.
            by: The number of the extension that gives the other away.
            to: Where: a number as that extension would dial it.

        Returns:
            Whether it has such a call, with somebody to talk to.
        """
        found = self._talking(call_id, by)
        if found is None:
            return False
        transfer.blind(self._tools, *found, to, None)
        return True

    def transfer_to_voicemail(self, call_id: str, by: str, mailbox: str) -> bool:
        """
        Send whoever an extension talks to to a mailbox, without ringing anybody.

        Args:
            call_id: The call.
            by: The number of the extension that gives the other away.
            mailbox: The mailbox.

        Returns:
            Whether it has such a call, with somebody to talk to.
        """
        found = self._talking(call_id, by)
        if found is None:
            return False
        transfer.straight(self._tools, *found, Destination("voicemail", mailbox))
        return True

    def join(self, call_id: str, other_id: str, by: str) -> bool:
        """
        Let the parties of two calls of one extension talk to each other.

        Returns:
            Whether both calls are that extension's, with somebody to talk to in each.
        """
        one, other = self._talking(call_id, by), self._talking(other_id, by)
        if one is None or other is None or call_id == other_id:
            return False
        transfer.attended(self._tools, *one, *other, None)
        return True

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
        line = self._lines.recognise(transaction.flow, request)
        if line is not None and method != "REGISTER":
            self._admission.from_trunk(transaction, request, line)
            return
        extension = self._authenticator.identify(transaction, request, self._urgent)
        if extension is None:
            return
        if method == "REGISTER":
            self._registrar.register(transaction, request, extension)
        elif method == "INVITE":
            self._admission.from_phone(transaction, request, extension)
        elif method == "SUBSCRIBE" and self.subscriptions is not None:
            self.subscriptions.subscribe(transaction, request, extension.number)
        elif method in ("SUBSCRIBE", "PUBLISH"):
            # RFC 6665 4.2.1.2, RFC 3903 6: there is no event package yet.
            raise ProtocolError(489, "Bad Event")
        else:
            raise ProtocolError(405, "Method Not Allowed")

    def trusts(self, transaction: ServerTransaction, request: Request) -> bool:
        """
        Ask for credentials when a request within a call comes from elsewhere.

        A trunk has many addresses, and is never asked.

        Raises:
            ProtocolError: 403 when they are those of another extension than the leg's, or another's than the trunk's.
        """
        usage = self._core.usage((request.call_id, request.to_tag or "", request.from_tag or ""))
        beyond = _beyond(usage)
        if beyond is not None:
            line = self._lines.recognise(transaction.flow, request)
            # A provider may have several trunks at the same addresses.
            if line is None or line.trunk.host != beyond.line.trunk.host:
                raise ProtocolError(403, "Forbidden")
            return True
        extension = self._authenticator.identify(transaction, request)
        if extension is None:
            return False
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

    def _urgent(self, request: Request) -> bool:
        """
        Whether a request calls an emergency number: that is served from any phone of the house, also one whose
        extension was disabled.
        """
        if request.method != "INVITE" or "Replaces" in request.headers:
            return False
        return bool(emergency_number(dialled_number(request.target), self._tools.router.situation))

    def _talking(self, call_id: str, number: str) -> tuple[Call, Leg] | None:
        call = self.calls.get(call_id)
        for leg in call.legs if call is not None else ():
            talks = leg.party == number and leg.beyond is None and leg.state is LegState.UP
            if call is not None and talks and call.across(leg) is not None:
                return call, leg
        return None

    def _emit(self, event: CallEvent) -> None:
        for listener in self._listeners[type(event)]:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - the border: who listens must not keep the call from going on
                self.log.failure("{call_id}: an event was not taken: {event}", call_id=event.call, event=event)

    def _look(self) -> None:
        self._watch = self._core.clock.callLater(LOOK, self._look)
        now = self._core.clock.seconds()
        for call in list(self.calls.values()):
            call.look(now)


def _party(usage: Session | Subscription) -> str | None:
    """
    The extension whose phone is at the other end of a dialog; ``None`` where that is not known.
    """
    user = getattr(usage, "user", None)
    if isinstance(user, Leg):
        return user.party if user.beyond is None else None
    return getattr(usage, "party", None) or None


def _beyond(usage: Session | Subscription | None) -> Beyond | None:
    """
    What leads to the other end of a dialog that is beyond the house.
    """
    user = getattr(usage, "user", None)
    return user.beyond if isinstance(user, Leg) else None
