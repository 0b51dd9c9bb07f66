"""
Who in the house is told of an emergency call by telephone: their phones ring, and whoever picks up hears it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.logger import Logger

from pbx.audio.phrases import phrases
from pbx.calls.exchange_call import ExchangeCall
from pbx.calls.outbound import CallerIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pbx.calls.tools import CallTools
    from pbx.directory.outside import EmergencyCall
    from pbx.media.terminal import Terminal
    from pbx.transaction.timer_queue import Entry

PATIENCE: Final = 60.0
"""Seconds that a phone rings: until somebody who is across the hall has run to it."""

AGAIN: Final = 10.0
"""Seconds until one that nobody picked up rings again."""

TRIES: Final = 3
"""How often it is tried."""

TOLD: Final = 5
"""How often it is said to whoever picks up and does not confirm it."""

WAIT: Final = 4.0
"""Seconds to wait for a key behind it."""

MOST: Final = 50
"""Such calls at once: many emergency calls at a time must not keep the phones of the house from calling for help."""


class Notifications:
    """
    Those who are being told.
    """

    log = Logger()

    def __init__(self) -> None:
        self._told: set[_Notification] = set()
        self._stopped = False

    def __len__(self) -> int:
        return len(self._told)

    def tell(
        self, tools: CallTools, numbers: Sequence[str], caller: CallerIdentity, emergency: EmergencyCall
    ) -> None:
        """
        Ring all of them at once.

        Args:
            tools: What every call is built with.
            numbers: The extensions.
            caller: Who made the emergency call.
            emergency: What it is.
        """
        for number in () if self._stopped else numbers:
            if any(one.about == (number, caller.number, emergency) for one in self._told):
                # Who calls for help again and again does not let the same phone ring for each.
                continue
            if len(self._told) >= MOST:
                self.log.error("{number} is not told of the emergency call of {caller}: {most} others are being told",
                               number=number, caller=caller.number, most=MOST)
                continue
            one = _Notification(tools, number, caller, emergency, self._told.discard)
            self._told.add(one)
            one.begin()

    def stop(self) -> None:
        """
        Tell nobody any more.
        """
        self._stopped = True
        for one in list(self._told):
            one.stop()


class _Notification:
    """
    One extension that is told, and rung again when nobody picks up.

    Attributes:
        about: Whom it tells of what.
    """

    log = Logger()

    def __init__(
        self, tools: CallTools, number: str, caller: CallerIdentity, emergency: EmergencyCall,
        done: Callable[[_Notification], object],
    ) -> None:
        self._tools = tools
        self.about = (number, caller.number, emergency)
        self._number = number
        self._caller = caller
        self._emergency = emergency
        self._done = done
        self._tries = 0
        self._call: ExchangeCall | None = None
        self._timer: Entry | None = None
        self._stopped = False

    def begin(self) -> None:
        """
        Ring.
        """
        caller, emergency = self._caller, self._emergency
        self._tries += 1
        word = "TEST" if emergency.test else "EMERGENCY"
        shown = CallerIdentity(caller.number, f"{word} {emergency.number}: {caller.name or caller.number}")
        reason = f"the exchange tells of the emergency call of {caller.number}"
        self._call = ExchangeCall(self._tools, self._number, shown, reason, self._say, self._over)
        self._call.begin(PATIENCE)

    def timer_fired(self, name: str) -> None:
        """
        Ring again.
        """
        self._timer = None
        self.begin()

    def stop(self) -> None:
        """
        Ring no more.
        """
        self._stopped = True
        if self._timer is not None:
            self._tools.core.timer_queue.stop(self._timer)
            self._timer = None
        if self._call is not None:
            self._call.stop()
        self._done(self)

    @property
    def _call_id(self) -> str:
        return "" if self._call is None else self._call.id

    async def _say(self, terminal: Terminal) -> None:
        said = announcement(self._caller.number, self._emergency, terminal.language)
        for _ in range(TOLD):
            if (await terminal.play(said, stop="1") or await terminal.digit(WAIT)) == "1":
                self.log.info("{call_id}: {number} confirmed that it heard of the emergency call of {caller}",
                              call_id=self._call_id, number=self._number, caller=self._caller.number)
                await terminal.play(["word-thank-you"])
                return

    def _over(self, answered: bool) -> None:
        if self._stopped:
            return
        if answered:
            self._done(self)
            return
        self.log.warn("{call_id}: {number} did not pick up to hear of the emergency call of {caller}",
                      call_id=self._call_id, number=self._number, caller=self._caller.number)
        if self._tries < TRIES:
            self._timer = self._tools.core.timer_queue.start(AGAIN, self, "again")
        else:
            self._done(self)


def announcement(number: str, emergency: EmergencyCall, language: str) -> list[str]:
    """
    What is said: who, which number, where, and the number to call back.

    Args:
        number: The extension that made the call.
        emergency: The call.
        language: The language of prompts.
    """
    words = phrases(language)
    where = ["emergency-no-location"]
    if emergency.location is not None:
        # Spelled, where the house has no prompt for it: none of ours knows the names that it gives its places.
        place = emergency.location
        where = ["emergency-location", *([place.prompt] if place.prompt else words.letters(place.name))]
    back = ["emergency-call-back", *words.telephone(emergency.callback)] if emergency.callback else []
    return [
        "emergency-test" if emergency.test else "emergency-called", *words.digits(number),
        "emergency-number", *words.digits(emergency.number), *where, *back, "emergency-confirm",
    ]
