"""
Two legs side by side: what one is offered from the other's formats, what the other is answered, and which payload
type stands for which between them.

The two legs of a call are two sessions of RFC 3264, each with its own payload types, and each side of one session
may have its own as well (RFC 3264 5.1).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import attrs

from pbx.sdp.audio import NOT_SOUND, Format
from pbx.sdp.offer_answer import choose

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

EVENTS = Format(101, "telephone-event", 8_000, 1, "0-16")
"""The keypad and the hook flash (RFC 4733 3.2), under the payload type that nearly every phone gives it."""

WIDE_EVENTS = Format(110, "telephone-event", 48_000, 1, "0-16")
"""The same beside Opus, whose clock they share (RFC 4733 2.1)."""

NARROW = (Format(0, "PCMU"), Format(8, "PCMA"))
"""The codecs that need nothing installed, and that every phone has."""

WIDE = (Format(9, "G722"), Format(111, "opus", 48_000, 2))
"""Those that PyAV brings (:mod:`pbx.audio.codec`)."""

DECODABLE = (*NARROW, *WIDE, EVENTS, WIDE_EVENTS) if find_spec("av") is not None else (*NARROW, EVENTS)
"""What we can make and understand ourselves, and so can offer without another leg."""

KNOWN = 512
"""Outcomes kept: the formats of a site's phones come in every call; a stranger's push out each other."""

MAX_ONWARD = 12
"""The most of a caller's formats offered onward: with them our INVITE stays in one datagram of 1,300 bytes."""

MAX_FMTP = 160
"""The longest parameters offered onward, in characters: Opus with all that RFC 7587 has is 150."""

DYNAMIC = range(96, 128)
"""The payload types free for any format (RFC 3551 6)."""


# Its hash is kept, as a format's is.
@attrs.frozen(cache_hash=True)
class Agreed:
    """
    The formats of one leg after its answer.

    Attributes:
        receive: What the peer may send us, with the payload types that stand on its packets.
        send: What we may send the peer, with the payload types it expects; the preferred first.
        codec: The codec that the peer prefers, ``None`` if there is none.
    """

    receive: tuple[Format, ...]
    send: tuple[Format, ...]
    codec: Format | None = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: codec_of(self.send), takes_self=True)
    )


def codec_of(formats: Sequence[Format]) -> Format | None:
    """
    The first that is a codec, which is the preferred one (RFC 3264 6.1).
    """
    for item in formats:
        if item.codec not in NOT_SOUND:
            return item
    return None


@lru_cache(maxsize=KNOWN)
def paired(receive: tuple[Format, ...], send: tuple[Format, ...]) -> Agreed:
    """
    The formats of both directions as one value, the same one for the same formats.
    """
    return Agreed(receive, send)


def agreed(local: Sequence[Format], remote: Sequence[Format]) -> Agreed:
    """
    What two descriptions of one leg come to, whichever of them was the offer.

    Args:
        local: The formats of our description.
        remote: Those of the peer's.
    """
    return _agreed(tuple(local), tuple(remote))


@lru_cache(maxsize=KNOWN)
def _agreed(local: tuple[Format, ...], remote: tuple[Format, ...]) -> Agreed:
    receive = [own for own in local if any(own.matches(theirs) for theirs in remote)]
    send = [theirs for theirs in remote if any(theirs.matches(own) for own in local)]
    # RFC 3264 5.1: packets to us have our payload types. Phones that answer with another number for the same format,
    # as for telephone-event, may also send with theirs: understood wherever it stands for nothing else.
    taken = {own.payload_type for own in local}
    receive += [theirs for theirs in send if theirs.payload_type not in taken]
    return Agreed(tuple(receive), tuple(send))


def payload_types(received: Sequence[Format], sent: Sequence[Format]) -> dict[int, int]:
    """
    By payload type of a packet from one leg, the payload type it has towards the other.

    Args:
        received: What one leg may send us (:attr:`Agreed.receive`).
        sent: What the other may be sent (:attr:`Agreed.send`).

    Returns:
        Only the formats both have, telephone events among them, at the same clock rate each; a packet of any other
        can't be relayed.
    """
    table = {}
    for source in received:
        matching = [target for target in sent if source.matches(target)]
        if matching:
            # Of two that match, such as Opus twice with different parameters, the one with the same number.
            same = any(target.payload_type == source.payload_type for target in matching)
            table[source.payload_type] = source.payload_type if same else matching[0].payload_type
    return table


def is_relayable(one: Agreed, other: Agreed) -> bool:
    """
    Whether the codec that each leg prefers can be had from the other: then packets only need to be forwarded.
    """
    return _is_relayable(one, other)


@lru_cache(maxsize=KNOWN)
def _is_relayable(one: Agreed, other: Agreed) -> bool:
    for source, target in ((one, other), (other, one)):
        preferred = target.codec
        if preferred is None or not any(item.matches(preferred) for item in source.receive):
            return False
    return True


def onward(
    caller: Sequence[Format] | None,
    *,
    allowed: Collection[str] | None = None,
    also: Sequence[Format] = (),
) -> list[Format]:
    """
    What an outgoing leg is offered for a caller.

    Args:
        caller: The formats of the caller's offer, or ``None`` when it made none.
        allowed: The codecs that may be used, names in lower case; ``None`` for any.
        also: What we can convert to, offered after the caller's own.

    Returns:
        The caller's formats in its order and with its payload types, less those that name other payload types within
        their packets (RFC 2198) or would be silence between packets (RFC 3389): neither can be relayed. What we can do
        ourselves when there was no offer. Empty when nothing of the caller's is a codec.
    """
    known = None if caller is None else tuple(caller)
    return list(_onward(known, None if allowed is None else frozenset(allowed), tuple(also)))


@lru_cache(maxsize=KNOWN)
def _onward(
    caller: tuple[Format, ...] | None, allowed: frozenset[str] | None, also: tuple[Format, ...]
) -> Sequence[Format]:
    formats: list[Format] = []
    for item in DECODABLE if caller is None else caller:
        if item.is_telephone_event:
            wanted = not any(known.is_telephone_event and known.clock == item.clock for known in formats)
        else:
            wanted = item.is_sound and item.codec not in NOT_RELAYED and (allowed is None or item.codec in allowed)
            wanted = wanted and len(formats) < MAX_ONWARD
        if wanted and len(item.fmtp) <= MAX_FMTP:
            formats.append(item)
    if codec_of(formats) is None:
        return []
    more = [item for item in also if not any(item.matches(known) for known in formats)]
    if len(formats) + len(more) > MAX_ONWARD:
        # Who offers so much has one of the others, and our INVITE is long enough.
        more = [item for item in more if item not in WIDE]
    formats += renumbered(more, formats)
    # RFC 4733 2.1: telephone events share a codec's timestamps.
    clocks = {item.clock for item in formats if item.is_sound}
    return [item for item in formats if item.clock in clocks]


NOT_RELAYED = frozenset({"red", "ulpfec", "parityfec", "flexfec", "rtx", "t140c"})
"""Formats whose packets speak of other packets or payload types of the same stream."""


def answer_to_caller(
    offered: Sequence[Format],
    callee: Sequence[Format],
    decodable: Sequence[Format] = DECODABLE,
) -> list[Format]:
    """
    What the caller is answered when the callee has chosen.

    Args:
        offered: The formats of the caller's offer.
        callee: What the callee answered (:attr:`Agreed.send` of its leg).
        decodable: What we can convert between.

    Returns:
        Exactly the codec the callee chose and telephone events of its clock rate, with the caller's payload types.
        A codec that the caller does not have is converted where we can: then the caller's first that we can decode.
        Empty where nothing goes.
    """
    return list(_answer_to_caller(tuple(offered), tuple(callee), tuple(decodable)))


@lru_cache(maxsize=KNOWN)
def _answer_to_caller(
    offered: tuple[Format, ...], callee: tuple[Format, ...], decodable: tuple[Format, ...]
) -> Sequence[Format]:
    chosen = codec_of(callee)
    if chosen is None:
        return []
    candidates = [item for item in offered if item.matches(chosen)]
    if candidates:
        same = [item for item in candidates if item.payload_type == chosen.payload_type]
        codec = (same or candidates)[0].answered_by(chosen)
    elif any(chosen.matches(own) for own in decodable):
        convertible = codec_of(choose(offered, decodable))
        if convertible is None:
            return []
        codec = convertible
    else:
        return []
    return [codec, *_events(offered, callee, codec.clock)]


def renumbered(formats: Sequence[Format], used: Sequence[Format]) -> list[Format]:
    """
    Formats to be offered in a session in which others stand already.

    A payload type must mean the same through a whole session (RFC 3264 8.3.2).

    Args:
        formats: What is to be offered, with payload types of another leg, or of ours.
        used: All that either side of the session has named so far.

    Returns:
        The formats, each with the payload type it has in the session, with its own where that is free, or with a free
        dynamic one. Those for which no number is left are not among them.
    """
    taken = {item.payload_type for item in used}
    result: list[Format] = []
    for item in formats:
        known = next((other for other in used if other.matches(item)), None)
        if known is not None:
            number: int | None = known.payload_type
        elif item.payload_type not in taken:
            number = item.payload_type
        else:
            number = next((free for free in DYNAMIC if free not in taken), None)
        if number is not None and all(other.payload_type != number for other in result):
            taken.add(number)
            result.append(item if number == item.payload_type else attrs.evolve(item, payload_type=number))
    return result


def _events(offered: Sequence[Format], callee: Sequence[Format], clock: int) -> list[Format]:
    # Answered even where the callee has none: the caller's keys are for us as well.
    events = next((item for item in offered if item.is_telephone_event and item.clock == clock), None)
    if events is None:
        return []
    own = next((item for item in callee if item.is_telephone_event), EVENTS)
    return [events.answered_by(own)]
