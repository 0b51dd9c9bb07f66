"""
Format parameters, the text after ``a=fmtp`` (RFC 8866 6.15): when two sets go together, and what they come to.

Most parameters tell what their writer likes to receive, and two sides need not say the same (RFC 3264 6.1). Those
that change the bits on the wire must agree; they are listed here, codec by codec.
"""

from __future__ import annotations

from functools import lru_cache

SAME_ON_BOTH_SIDES: dict[str, tuple[tuple[str, str], ...]] = {
    # RFC 4867 8.1: how frames are laid out in the packet.
    "amr": (("octet-align", "0"), ("crc", "0"), ("robust-sorting", "0"), ("interleaving", "")),
    "amr-wb": (("octet-align", "0"), ("crc", "0"), ("robust-sorting", "0"), ("interleaving", "")),
    # RFC 5577 4: G.722.1 at 24 and at 32 kbit/s are two codecs of one name; Polycom offers both. Its Siren 14 and
    # Siren 22 are written the same way.
    "g7221": (("bitrate", ""),),
    "siren14": (("bitrate", ""),),
    "siren22": (("bitrate", ""),),
    # RFC 6416 7.3, RFC 3640 4.1: the decoder is set up by these.
    "mp4a-latm": (("config", ""), ("object", ""), ("cpresent", "1")),
    "mpeg4-generic": (("config", ""), ("mode", "")),
}
"""By codec, the parameters that must be equal, with the value each has when it is not written."""

MAX_RANGES = 32
"""The most ranges read of a list of telephone events: there are 17 kinds of them registered, most in one range."""

LAST_EVENT = 255
"""The highest telephone event there is: the field has eight bits (RFC 4733 2.3.1)."""

DEFAULT_EVENTS = "0-15"
"""The events of a telephone-event format without parameters (RFC 4733 2.4.1)."""

EITHER_CAN_REFUSE = {"g729": "annexb", "g723": "annexa"}
"""Silence suppression that is on unless written ``no``, and off when one side says so (RFC 4856 2.1.9, RFC 7261)."""


def parameters(fmtp: str) -> dict[str, str]:
    """
    The ``name=value`` pairs of the text, names in lower case; a value without a name stands under itself.
    """
    pairs = {}
    for field in fmtp.split(";"):
        name, _, value = field.strip().partition("=")
        if name:
            pairs[name.strip().lower()] = value.strip().lower()
    return pairs


def layout(name: str, fmtp: str) -> tuple[str, ...]:
    """
    The values of the parameters that change the bits on the wire, empty for a codec that has none.

    The first is the set of modes it is limited to, the others those of :data:`SAME_ON_BOTH_SIDES`.

    Args:
        name: The codec's name in lower case.
        fmtp: Its parameters, as written.
    """
    same = SAME_ON_BOTH_SIDES.get(name)
    if same is None:
        return ()
    found = parameters(fmtp)
    return (found.get("mode-set", ""), *[found.get(key, default) for key, default in same])


def compatible(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """
    Whether what a side encodes in one layout the other side can decode in its own, for two layouts of one codec.
    """
    # RFC 4867 8.3.1: both may limit the modes, and then it must be to the same ones.
    return one == other or (one[1:] == other[1:] and "" in (one[0], other[0]))


def agreed(name: str, offered: str, supported: str) -> str:
    """
    The parameters to answer with.

    Args:
        name: The codec's name in lower case.
        offered: The offer's parameters, as written.
        supported: Those of the answering side.

    Returns:
        What both can do where it is one thing for both directions, else what the answering side wants to receive.
    """
    if name == "telephone-event":
        return common_events(offered, supported)
    refusable = EITHER_CAN_REFUSE.get(name)
    if refusable is not None and "no" in (parameters(offered).get(refusable), parameters(supported).get(refusable)):
        return f"{refusable}=no"
    return supported


@lru_cache(maxsize=256)  # A site's phones have a handful of lists.
def common_events(one: str, other: str) -> str:
    """
    The telephone events in both lists, such as ``0-15,32`` (RFC 4733 2.4.1); the keypad's if there are none.
    """
    if one == other:
        return one or DEFAULT_EVENTS
    both = sorted(_events(one or DEFAULT_EVENTS) & _events(other or DEFAULT_EVENTS))
    runs: list[list[int]] = []
    for event in both:
        if runs and runs[-1][1] == event - 1:
            runs[-1][1] = event
        else:
            runs.append([event, event])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs) or DEFAULT_EVENTS


def _events(text: str) -> set[int]:
    events: set[int] = set()
    for part in text.replace("events=", "").split(",")[:MAX_RANGES]:
        first, dash, last = part.strip().partition("-")
        if first.isdecimal() and (last.isdecimal() or not dash) and len(part) < 12:
            events.update(range(int(first), min(int(last or first), LAST_EVENT) + 1))
    return events
