"""
What an extension wants done with its calls: forwards, do not disturb, other numbers to ring, callers it refuses.
"""

from __future__ import annotations

from attrs import frozen

ANONYMOUS = "anonymous"
"""The entry of a block list that stands for callers who do not say who they are."""

MOST_BLOCKED = 500
"""Entries of a block list: each call to the extension looks at all of them."""

MOST_SIMULTANEOUS = 10
"""Numbers that ring together with an extension, and as many that follow."""


@frozen
class FollowMe:
    """
    Another number that is rung when somebody calls the extension.

    Attributes:
        number: The number, as dialled.
        after: Seconds until it begins to ring.
        lasting: Seconds that it rings, ``None`` for as long as the extension.
        confirm: Whoever picks up is asked to press a key before getting the caller: the mailbox of a mobile phone
            can't.
    """

    number: str
    after: int = 0
    lasting: int | None = None
    confirm: bool = True


@frozen
class Handling:
    """
    How the calls of one extension are handled.

    Attributes:
        dnd: Do not disturb: its phones don't ring, and callers are served as if it were busy.
        forward_always: Where all calls go, as dialled; its phones don't ring.
        forward_busy: Where calls go while it is busy or does not want to be disturbed.
        forward_no_answer: Where calls go that nobody picks up.
        forward_unregistered: Where calls go while none of its phones can be reached.
        no_answer_timeout: Seconds that it rings, ``None`` for the exchange's own.
        voicemail: Callers that come to nothing are sent to its mailbox.
        simultaneous: Numbers that ring together with it; beyond the house whoever picks up is asked to press a key.
        follow_me: Numbers that ring after it or with it, one by one, each with its times.
        blocked: Callers it refuses: numbers, beginnings of numbers (``0900*``), and ``anonymous``.
        pickup_group: Extensions of one group may pick up each other's calls.
    """

    dnd: bool = False
    forward_always: str | None = None
    forward_busy: str | None = None
    forward_no_answer: str | None = None
    forward_unregistered: str | None = None
    no_answer_timeout: int | None = None
    voicemail: bool = True
    simultaneous: tuple[str, ...] = ()
    follow_me: tuple[FollowMe, ...] = ()
    blocked: tuple[str, ...] = ()
    pickup_group: str | None = None

    def blocks(self, *numbers: str, anonymous: bool) -> str | None:
        """
        The entry of the block list by which a caller is refused, or ``None``.

        Args:
            numbers: The caller's number, in each way in which somebody may have written it.
            anonymous: The caller does not say who it is.
        """
        for entry in self.blocked:
            if entry == ANONYMOUS:
                if anonymous:
                    return entry
            elif entry in numbers or (entry.endswith("*") and any(each.startswith(entry[:-1]) for each in numbers)):
                return entry
        return None


PLAIN = Handling()
"""What an extension has that wants nothing special: always this very object, so that a glance tells."""


def handling_or_plain(handling: Handling) -> Handling:
    """
    The same handling; :data:`PLAIN` itself when it says no more than that.
    """
    return PLAIN if handling == PLAIN else handling
