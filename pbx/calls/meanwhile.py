"""
How somebody is brought to who is wanted, and what is heard meanwhile by who is up already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import frozen

from pbx.calls.leg import LegState

if TYPE_CHECKING:
    from pbx.calls.leg import Leg
    from pbx.calls.tools import CallTools

RINGBACK = "tone:ringback"
"""What somebody hears who listens to us already while a phone rings for it."""

MUSIC = "default"
"""What it hears while a phone is looked for to which it was transferred: the usual music."""

Sound: TypeAlias = Literal["ringback", "music, then ringback", "music"]
"""What somebody who is up hears until another is found: from when it rings, or from the beginning."""


@frozen
class Manner:
    """
    How a party is brought on.

    Attributes:
        sound: What it hears meanwhile, when it is up.
        further: Further header fields of the INVITEs.
        patience: How long the first extension rings, in seconds; ``None`` for as long as that one wants.
    """

    sound: Sound = "ringback"
    further: tuple[tuple[str, str], ...] = ()
    patience: float | None = None


USUAL = Manner()


class Meanwhile:
    """
    What a party hears from the exchange while somebody is looked for.

    Args:
        tools: What the call is built with.
        sound: What that is.
    """

    def __init__(self, tools: CallTools, sound: Sound) -> None:
        self._tools = tools
        self._sound = sound
        self._playing = ""

    def begin(self, leg: Leg) -> None:
        """
        A phone is being looked for.
        """
        if leg.state is LegState.UP and self._sound != "ringback" and not self._playing:
            self._play(leg, MUSIC)

    def rings(self, leg: Leg) -> None:
        """
        It rings.
        """
        self._play(leg, MUSIC if self._sound == "music" else RINGBACK)

    def end(self, leg: Leg) -> None:
        """
        Nothing more of ours.
        """
        if self._playing:
            self._playing = ""
            if leg.has_terminal:
                leg.terminal(self._tools).quiet()

    def _play(self, leg: Leg, sound: str) -> None:
        if self._playing != sound:
            self._playing = sound
            leg.terminal(self._tools).hold_music(sound)
