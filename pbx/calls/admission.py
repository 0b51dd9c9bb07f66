"""
Admission: who has dialled is let in, and a call begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from twisted.logger import Logger

from pbx.calls.arrival import arrival
from pbx.calls.beyond import Beyond
from pbx.calls.call import Call
from pbx.calls.caller import asks_for_privacy
from pbx.calls.events import CallBegan
from pbx.calls.loops import MOST, WINDOW, LoopWatch
from pbx.calls.outbound import CallerIdentity
from pbx.calls.replaces import leg_replaced, take_place
from pbx.dialog.incoming import IncomingInvite
from pbx.directory.decision import Decision, Destination, RouteRequest
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status
from pbx.sip.replaces import Replaces
from pbx.sip.token import random_hex

if TYPE_CHECKING:
    from pbx.calls.beyond import Line
    from pbx.calls.tools import CallTools
    from pbx.directory.extension import Extension
    from pbx.sip.message import Request
    from pbx.transaction.server_transaction import ServerTransaction

NOT_FOUND = 404
"""What a caller is told where nobody has the number."""

TOLD_AGAIN = 60.0
"""Seconds between two lines of the log about the same trouble."""


class Admission:
    """
    Begins calls: names the caller, asks where it goes, and refuses what is a loop or one too many.

    Args:
        tools: What the next call is built with.
        calls: The live calls by identifier, which those that begin are put among.

    Attributes:
        tools: The same; others hold from the next call on.
        began: Calls begun since the start.
    """

    log = Logger()

    def __init__(self, tools: CallTools, calls: dict[str, Call]) -> None:
        self.tools = tools
        self.began = 0
        self._calls = calls
        self._loops = LoopWatch()
        self._told: dict[str, float] = {}

    def from_phone(self, transaction: ServerTransaction, request: Request, extension: Extension) -> None:
        """
        Serve an INVITE of an extension.

        Raises:
            ProtocolError: It can't be served.
        """
        number = dialled_number(request.target)
        self._refuse_loop(extension.number, number)
        caller = self._identity(request, extension)
        invite = IncomingInvite(self.tools.core, transaction, request, number or extension.number)
        replaces = None
        if "Replaces" in request.headers:
            # RFC 3891 3: only one.
            replaces = Replaces.parse(",".join(request.headers.get_all("Replaces")))
            decision = Decision(Destination("replace"), ("it takes the place of a phone in another call",))
            wanted = RouteRequest(extension.number, number)
        else:
            wanted = RouteRequest(
                extension.number, number, anonymous=caller.anonymous, address=transaction.flow.remote[0]
            )
            decision = self.tools.router.route(wanted)
        call = self._begun(transaction, invite, caller, wanted, decision)
        if call is None:
            return
        if replaces is None:
            call.begin(decision, wanted)
        else:
            self._replace(call, replaces)

    def from_trunk(self, transaction: ServerTransaction, request: Request, line: Line) -> None:
        """
        Serve what has come over a trunk: a call, or nothing.

        Raises:
            ProtocolError: It is no call, or can't be served.
        """
        trunk, router = line.trunk, self.tools.router
        there = arrival(request, transaction.flow, line, router.situation)
        who, wanted = there.who, there.wanted
        if not wanted.anonymous:
            # Many who do not say who they are may well call one number within a moment.
            self._refuse_loop(wanted.caller, wanted.number)
        # By what it bears the provider's requests within the call are known, whichever of its machines they come from.
        contact = line.contact(transaction.flow)
        invite = IncomingInvite(
            self.tools.core, transaction, request, "pbx", timed=trunk.session_timers, contact=contact
        )
        full = line.full
        decision = router.route(wanted)
        decision = evolve(decision, reasons=(*there.notes, *decision.reasons))
        face = evolve(who.face, name=f"{decision.prefix} {who.face.name}".strip())
        call = self._begun(transaction, invite, face, wanted, decision, Beyond(line, who.face))
        if call is None:
            return
        if full and not self.tools.outside.emergencies.is_urgent(decision):
            text = f"Trunk {trunk.name} has no channel free"
            if self._is_news(text):
                self.log.warn(
                    "{call_id}: refused: {text}, {most} calls are live over it; raise its max_channels if the "
                    "provider allows more", call_id=call.id, text=text, most=trunk.max_channels,
                )
            call.refuse(503, 34, text)
            return
        if decision.destination.status == NOT_FOUND and self._is_news(f"nobody's number over {trunk.name}"):
            self.log.warn(
                "{call_id}: nobody here has {number}, which was called over trunk {trunk}: an inbound route with it as "
                "its did would lead such calls somewhere", call_id=call.id, number=wanted.number, trunk=trunk.name,
            )
        call.begin(decision, wanted)

    # Inside.

    def _begun(
        self, transaction: ServerTransaction, invite: IncomingInvite, caller: CallerIdentity, wanted: RouteRequest,
        decision: Decision, beyond: Beyond | None = None,
    ) -> Call | None:
        """
        Begin a call; ``None`` when there is one too many.
        """
        self.began += 1
        call_id = random_hex(16)
        self.tools.emit(
            CallBegan(
                call_id, self.tools.wall(), self.tools.core.clock.seconds(), wanted.caller,
                caller.name if beyond is None else beyond.face.name, wanted.number, invite.request.call_id,
                decision.reasons, caller.anonymous,
            )
        )
        call = self._calls[call_id] = Call(
            self.tools, call_id, caller, wanted.number, transaction.flow, invite, self._over, wanted.caller, beyond
        )
        self.log.info("{call_id}: {caller} calls {number}", call_id=call_id, caller=wanted.caller, number=wanted.number)
        urgent = self.tools.outside.emergencies.is_urgent(decision)
        if len(self._calls) > self.tools.settings.max_calls and not urgent:
            if self._is_news("too many calls"):
                self.log.error(
                    "{call_id}: refused, {count} calls are live already; raise the limit on open files or widen the "
                    "RTP range",
                    call_id=call_id, count=self.tools.settings.max_calls,
                )
            call.refuse(503, 42, "Too many calls")
            return None
        return call

    def _refuse_loop(self, caller: str, number: str) -> None:
        if self._loops.begins(caller, number, self.tools.core.clock.seconds()):
            text = (
                f"{caller} called {number} more than {MOST} times within {WINDOW:.0f} s: refused as a loop; look for a "
                f"phone or device that forwards {number} back to this exchange"
            )
            if self._is_news("loop"):
                self.log.error("{text}", text=text)
            self.tools.outside.alerts.alert("loop", number, text)
            raise ProtocolError(482, "Loop Detected")

    def _replace(self, call: Call, replaces: Replaces) -> None:
        found = leg_replaced([other for other in self._calls.values() if other is not call], replaces)
        if found is None:
            # RFC 3891 3
            call.refuse(481, cause_of_status(481), "Call/Transaction Does Not Exist")
            return
        try:
            take_place(self.tools, *found, call, replaces)
        except ProtocolError as error:
            call.refuse(error.status, cause_of_status(error.status), error.reason)

    def _identity(self, request: Request, extension: Extension) -> CallerIdentity:
        """
        Name the caller: always the directory's; From is only asked whether the caller wants to stay unknown.
        """
        user = request.from_.uri.user or ""
        anonymous = asks_for_privacy(request) or user.lower() == "anonymous"
        if not anonymous and dialled_number(request.from_.uri) != extension.number:
            self.log.info(
                "From of extension {number} named another user; the call goes out as {number}", number=extension.number
            )
        return CallerIdentity(extension.number, extension.name, anonymous)

    def _is_news(self, what: str) -> bool:
        """
        Tell whether something that may happen many times a second was not logged within the last minute.
        """
        now = self.tools.core.clock.seconds()
        told = self._told.get(what)
        if told is not None and now - told < TOLD_AGAIN:
            return False
        self._told[what] = now
        return True

    def _over(self, call: Call) -> None:
        self._calls.pop(call.id, None)
