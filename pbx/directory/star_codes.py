"""
Star codes: what a phone dials to switch something or to reach a service, such as ``*72`` to forward its calls.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Container, Mapping


@frozen
class Feature:
    """
    Something that has a star code.

    Attributes:
        code: The code it has unless the configuration says otherwise.
        argument: Whether something may follow the code: a number, or seconds.
    """

    code: str
    argument: bool = False


FEATURES: Mapping[str, Feature] = MappingProxyType({
    "voicemail": Feature("*97"),
    "voicemail_any": Feature("*98"),
    "voicemail_of": Feature("*", argument=True),
    "pickup": Feature("**", argument=True),
    "pickup_group": Feature("*8"),
    "directory": Feature("*411"),
    "forward_always_on": Feature("*72", argument=True),
    "forward_always_off": Feature("*73"),
    "forward_busy_on": Feature("*90", argument=True),
    "forward_busy_off": Feature("*91"),
    "forward_no_answer_on": Feature("*92", argument=True),
    "forward_no_answer_off": Feature("*93"),
    "forward_unregistered_on": Feature("*94", argument=True),
    "forward_unregistered_off": Feature("*95"),
    "dnd_on": Feature("*78"),
    "dnd_off": Feature("*79"),
    "follow_me_on": Feature("*21", argument=True),
    "follow_me_off": Feature("*22"),
    "simultaneous_on": Feature("*23", argument=True),
    "simultaneous_off": Feature("*24"),
    "no_answer_timeout": Feature("*25", argument=True),
    "block": Feature("*60", argument=True),
    "unblock": Feature("*80", argument=True),
    "night_switch": Feature("*28", argument=True),
})
"""Every feature that has a star code, by its name."""


def table(codes: Mapping[str, str | None]) -> Mapping[str, str]:
    """
    The features by their codes, as the dialplan wants them.

    Args:
        codes: The code of each feature, or ``None`` for one that can't be dialled.

    Raises:
        ValueError: Two features have the same code, or there is no such feature.
    """
    by_code: dict[str, str] = {}
    for name, code in codes.items():
        if name not in FEATURES:
            raise ValueError(f"there is no feature {name}")
        if code is None:
            continue
        if code in by_code:
            raise ValueError(f"{by_code[code]} and {name} both have the code {code}")
        by_code[code] = name
    return MappingProxyType(by_code)


USUAL = table({name: feature.code for name, feature in FEATURES.items()})
"""The codes that an exchange has when its configuration names none."""


def feature_dialled(
    number: str, codes: Mapping[str, str], extensions: Container[str], mailboxes: Container[str] = frozenset()
) -> tuple[str, str] | None:
    """
    The feature that a number stands for and what was dialled behind its code, or ``None``.

    A code that was dialled alone comes first, then an extension behind the code of ``voicemail_of`` (so that ``*7201``
    is the mailbox of 7201 where there is such an extension, though ``*72`` is a code) or a shared mailbox, then the
    longest code.

    Args:
        number: What was dialled.
        codes: The features by their codes.
        extensions: The extensions, to find numbers in.
        mailboxes: The mailboxes that belong to no extension, likewise.
    """
    # Phones that send a number as a whole send the key that ended it, too.
    bare = number[:-1] if number.endswith("#") and len(number) > 1 else number
    if bare in codes:
        return codes[bare], ""
    longest: tuple[str, str] | None = None
    for length in range(len(bare) - 1, 0, -1):
        name = codes.get(bare[:length])
        if name is None or not FEATURES[name].argument:
            continue
        if name == "voicemail_of" and (bare[length:] in extensions or bare[length:] in mailboxes):
            return name, bare[length:]
        if longest is None:
            longest = name, bare[length:]
    return longest
