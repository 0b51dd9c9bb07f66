"""
Transfer: a party of a call sends the other elsewhere, by REFER (RFC 3515, 5589) or through the API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from pbx.calls.inbound import InboundLeg
from pbx.calls.leg import LegState
from pbx.calls.meanwhile import Manner
from pbx.calls.replaces import leg_replaced
from pbx.dialog.user import Ending
from pbx.directory.decision import Decision, Diversion, RouteRequest
from pbx.sip.dialled import dialled_number

if TYPE_CHECKING:
    from pbx.calls.call import Call
    from pbx.calls.failure import Failure
    from pbx.calls.leg import Leg
    from pbx.calls.tools import CallTools
    from pbx.dialog.refer import Refer
    from pbx.directory.decision import Destination

GRACE = 2.0
"""Seconds that who has transferred has to hang up by itself, as RFC 5589 wants it to."""

PRIVATE = ("mailbox", "star", "pickup")
"""Kinds of places where one is as who one is: nobody can be sent there by somebody else."""

log = Logger()


class Transfer:
    """
    One transfer under way: who asked for it, and who is sent elsewhere.

    Args:
        tools: What the call is built with.
        call: The call of both.
        transferor: The leg of who asked.
        transferee: The leg of who is sent elsewhere.
        refer: The request, to be told how it goes; ``None`` where the API asked.
        consultation: The transferor's leg at the place where the other is sent.
    """

    def __init__(
        self, tools: CallTools, call: Call, transferor: Leg, transferee: Leg, refer: Refer | None,
        consultation: Leg | None = None,
    ) -> None:
        self.transferor = transferor
        self.transferee = transferee
        self._tools = tools
        self._call = call
        self._refer = refer
        self._consultation = consultation
        self._first = call.near is transferor
        self._rang = False

    @property
    def told(self) -> tuple[tuple[str, str], ...]:
        """
        The header fields by which who is rung learns who asked, where that was said (RFC 3892): in our words, since
        whoever asked could write anything.
        """
        by = self._call.identity(self.transferor)
        if self._refer is None or self._refer.referred_by is None or by.anonymous:
            return ()
        return (("Referred-By", by.at(self.transferor.flow.sent_by[0])),)

    def rang(self) -> None:
        """
        A phone rings.
        """
        if self._refer is not None and not self._rang:
            self._rang = True
            self._refer.progress(180, "Ringing")

    def succeeded(self) -> None:
        """
        The other party has arrived; who asked may hang up now, and is hung up on if it doesn't.
        """
        if self._refer is not None:
            self._refer.done(200, "OK")
        self._tools.core.timer_queue.start(GRACE, self, "grace")

    def timer_fired(self, name: str) -> None:
        """
        Let go who still has not hung up.
        """
        for leg in (self.transferor, self._consultation):
            if leg is not None and leg.state is LegState.UP:
                leg.hang_up(16, "Transferred")
                leg.owner.leg_hung_up(leg, Ending(by_peer=False, cause=16, text="Transferred"))

    def failed(self, failure: Failure) -> None:
        """
        It came to nothing: the two talk again, or who asked is called back.
        """
        if self._refer is not None:
            self._refer.done(failure.status, failure.text)
        transferor, transferee = self.transferor, self.transferee
        log.info(
            "{call_id}: the transfer by {party} came to nothing: {reason}",
            call_id=self._call.id, party=transferor.party, reason=failure.text,
        )
        if transferor.state is LegState.UP:
            self._call.transfer = None
            self._call.unite(*((transferor, transferee) if self._first else (transferee, transferor)))
        else:
            self._recall()

    def _recall(self) -> None:
        """
        Ring back who has asked and is gone; then its mailbox.
        """
        call, party = self._call, self.transferor.party
        call.transfer = None
        call.note(f"the transfer came to nothing: {party} is called back")
        request = RouteRequest(self.transferee.party, party, anonymous=self.transferee.anonymous)
        decision = self._tools.router.route(request)
        for reason in decision.reasons:
            call.note(reason)
        manner = Manner("music", patience=self._tools.settings.recall_timeout)
        call.travel(call.identity(self.transferee), request, decision, manner=manner)

    def stop(self) -> None:
        """
        The call has ended first.
        """
        if self._refer is not None:
            self._refer.done(487, "Request Terminated")


def referred(tools: CallTools, call: Call, leg: Leg, refer: Refer) -> None:
    """
    Do what a REFER asks for, or refuse it.

    Args:
        tools: What the call is built with.
        call: The call it came in.
        leg: The leg of who asks.
        refer: The request.
    """
    across = call.across(leg)
    if leg.beyond is not None:
        # Nobody beyond the house sends calls elsewhere at the expense of somebody in it.
        refer.refuse(403)
        return
    if across is None or call.transfer is not None:
        # RFC 3515 2.4.2: nobody is there to be sent anywhere, or is on the way already.
        refer.refuse(403 if across is None else 491)
        return
    replaces = refer.replaces
    number = dialled_number(refer.target)
    if replaces is not None:
        found = leg_replaced(tools.calls.values(), replaces)
        if found is not None and found[0] is not call:
            other, theirs = found
            if theirs.party != leg.party or other.transfer is not None:
                refer.refuse(403 if other.transfer is None else 491)
                return
            if other.across(theirs) is not None or (other.ringing and theirs is other.near):
                refer.accept()
                attended(tools, call, leg, other, theirs, refer)
                return
            there = other.journey.destination if other.journey is not None and theirs is other.near else None
            if there is not None:
                # It is at a place, such as a conference room: the other party goes there on its own.
                if there.kind in PRIVATE:
                    refer.refuse(403)
                    return
                refer.accept()
                straight(tools, call, leg, there, refer, theirs)
                return
            number = other.number
    refer.accept()
    blind(tools, call, leg, number, refer)


def blind(tools: CallTools, call: Call, leg: Leg, number: str, refer: Refer | None) -> None:
    """
    Send the party that a leg talks to to a number, on behalf of the leg's extension.

    Raises:
        ValueError: The leg talks to nobody.
    """
    across = call.across(leg)
    if across is None:
        raise ValueError("there is nobody to be sent elsewhere")
    request = RouteRequest(
        across.party, number, leg.party, (Diversion(leg.party, "transfer"),), anonymous=across.anonymous
    )
    decision = tools.router.route(request)
    call.note(f"{leg.party} transferred {across.party} to {number}")
    for reason in decision.reasons:
        call.note(reason)
    _send_on(call, Transfer(tools, call, leg, across, refer), decision, request)


def straight(
    tools: CallTools, call: Call, leg: Leg, destination: Destination, refer: Refer | None = None,
    consultation: Leg | None = None,
) -> None:
    """
    Send the party that a leg talks to to a place, without asking the dialplan.

    Args:
        tools: What the call is built with.
        call: The call of both.
        leg: The leg of who asks.
        destination: The place.
        refer: The request, ``None`` where the API asked.
        consultation: The leg of who asks at that place, if it is there.

    Raises:
        ValueError: The leg talks to nobody.
    """
    across = call.across(leg)
    if across is None:
        raise ValueError("there is nobody to be sent elsewhere")
    diversions = (Diversion(leg.party, "transfer"),)
    request = RouteRequest(across.party, destination.target, leg.party, diversions, anonymous=across.anonymous)
    call.note(f"{leg.party} transferred {across.party} to {destination.kind} {destination.target}")
    decision = Decision(destination, (), diversions, leg.party)
    _send_on(call, Transfer(tools, call, leg, across, refer, consultation), decision, request)


def attended(tools: CallTools, call: Call, leg: Leg, other: Call, theirs: Leg, refer: Refer | None) -> None:
    """
    Let the parties of two calls of one extension talk to each other, and the extension out of both.

    Args:
        tools: What the calls are built with.
        call: One call.
        leg: The extension's leg in it.
        other: The other call.
        theirs: The extension's leg in that.
        refer: The request, ``None`` where the API asked.

    Raises:
        ValueError: One of the calls has nobody to talk to.
    """
    across = call.across(leg)
    if across is None:
        raise ValueError("there is nobody to be sent elsewhere")
    said = f"{leg.party} transferred {across.party} to its other call, with {other.number}"
    party, journey = other.across(theirs), other.journey
    if party is not None:
        # One record has both, that of the call which began first.
        turned = other.began < call.began
        elder, near, younger, far = (other, party, call, across) if turned else (call, across, other, party)
        elder.note(said)
        elder.separate(Transfer(tools, elder, leg, near, refer))
        if younger.joint is not None:
            younger.joint.stop()
        elder.absorb(younger)
        theirs.hang_up(16, "Transferred")
        elder.found(far, None)
        return
    call.note(said)
    call.separate(Transfer(tools, call, leg, across, refer))
    call.absorb(other)
    if journey is not None:
        # It still rings there: the party waits in the place of who asked.
        call.journey = journey
        journey.carry(across, call, call.identity(across))
        if any(ringing.state is LegState.RINGING for ringing in journey.ringing):
            call.rang()
        if isinstance(theirs, InboundLeg) and theirs.state is not LegState.UP:
            theirs.reject(487, 16, "Transferred")
        theirs.hang_up(16, "Transferred")


def _send_on(call: Call, transfer: Transfer, decision: Decision, request: RouteRequest) -> None:
    call.separate(transfer)
    manner = Manner("music, then ringback", transfer.told)
    call.travel(call.identity(transfer.transferee), request, decision, manner=manner)
