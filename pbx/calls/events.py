"""
What happens to a call, as values: the record, the statistics and the live view are made from these alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

if TYPE_CHECKING:
    from pbx.media.quality import LegQuality

Party = Literal["caller", "callee", "system"]
"""Who did something."""

Disposition = Literal["answered", "busy", "no answer", "cancelled", "failed"]
"""How a call ended, in the words of the CDR."""


@frozen(slots=True)
class CallBegan:
    """
    An extension has dialled.

    Attributes:
        call: The call's identifier, 32 hexadecimal digits.
        at: When, in seconds since the epoch by the wall clock; likewise in all events.
        clock: When, by the reactor's clock, which nobody sets: durations are reckoned by it.
        caller: The number that calls.
        caller_name: The name that goes with it.
        callee: What was dialled.
        sip_call_id: The Call-ID of the caller's leg.
        reasons: Why it goes where it goes, in words.
        anonymous: Whether the caller does not want to be known.
    """

    call: str
    at: float
    clock: float
    caller: str
    caller_name: str
    callee: str
    sip_call_id: str
    reasons: tuple[str, ...]
    anonymous: bool = False


@frozen(slots=True)
class LegBegan:
    """
    A phone takes part: the caller's, or one that rings.

    Attributes:
        leg: Unique within the call.
        direction: ``in`` from the phone to us, ``out`` from us to the phone.
        party: The extension's number.
        address: The flow to it.
        sip_call_id: The Call-ID of its dialog.
        peer: The number that a phone which is called sees calling; empty where that is the caller's own phone.
        peer_name: The name that goes with it.
        anonymous: Whether it sees neither.
        trunk: The trunk that leads to it, where ``party`` is a number beyond the house.
        payer: The extension, or the inbound route, whose permission and limits a call out over that trunk goes by;
            empty for a call in.
        emergency: Whether it is an emergency call, which no limit counts.
    """

    call: str
    at: float
    leg: int
    direction: Literal["in", "out"]
    party: str
    address: str
    sip_call_id: str
    peer: str = ""
    peer_name: str = ""
    anonymous: bool = False
    trunk: str = ""
    payer: str = ""
    emergency: bool = False


@frozen(slots=True)
class LegRang:
    """
    A phone rings.

    Attributes:
        local_tag: Our tag of its dialog.
        remote_tag: The phone's; empty where it is not known yet.
    """

    call: str
    at: float
    leg: int
    local_tag: str = ""
    remote_tag: str = ""


@frozen(slots=True)
class LegAnswered:
    """
    A phone was picked up, or the caller's leg was answered.

    Attributes:
        local_tag: Our tag of its dialog.
        remote_tag: The phone's.
    """

    call: str
    at: float
    leg: int
    codec: str
    local_tag: str = ""
    remote_tag: str = ""


@frozen(slots=True)
class LegEnded:
    """
    A phone has no more part in the call.

    Attributes:
        status: The SIP status that ended it, ``None`` after an answer.
        quality: What its media were like, ``None`` where none was opened.
    """

    call: str
    at: float
    leg: int
    status: int | None
    reason: str
    quality: LegQuality | None


@frozen(slots=True)
class CallAnswered:
    """
    Caller and callee can talk.
    """

    call: str
    at: float
    clock: float


@frozen(slots=True)
class MediaChanged:
    """
    The sound of an answered call goes its way for the first time, or another way or in another codec than before.

    Attributes:
        media_path: How the packets go: as :class:`~pbx.media.bridge.Bridge` says, ``relay`` for one.
        caller_codec: The codec of the leg that looked for another: the caller's, unless that was transferred.
        callee_leg: The leg that was picked up.
        callee_codec: Its codec.
        caller_leg: The leg that looked for another.
    """

    call: str
    at: float
    media_path: str
    caller_codec: str
    callee_leg: int
    callee_codec: str
    caller_leg: int = 1


@frozen(slots=True)
class CallEnded:
    """
    It is over, for one reason, which is the same everywhere it is told.

    Attributes:
        status: The SIP status the caller got, ``None`` when it was answered.
        cause: The cause of ITU-T Q.850.
        reason: The reason in words.
        by: Who ended it.
    """

    call: str
    at: float
    clock: float
    disposition: Disposition
    status: int | None
    cause: int
    reason: str
    by: Party


@frozen(slots=True)
class StepNoted:
    """
    Something was decided on the way, such as a forward, or what a caller chose in a menu.

    Attributes:
        reason: What and why, in words.
    """

    call: str
    at: float
    reason: str


@frozen(slots=True)
class CallsMerged:
    """
    A call has become part of another, by a transfer or because it picked the other up; it has no end of its own.

    Attributes:
        into: The other call's identifier.
        offset: What is added to the numbers of the legs.
    """

    call: str
    at: float
    into: str
    offset: int


CallEvent = (
    CallBegan | LegBegan | LegRang | LegAnswered | LegEnded | CallAnswered | MediaChanged | StepNoted | CallsMerged
    | CallEnded
)
