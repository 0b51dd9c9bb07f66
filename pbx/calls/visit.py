"""
A caller at a place of the exchange: voicemail, a menu, a conference room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from zope.interface import implementer

from pbx.calls.destination import IVisit, Rung
from pbx.calls.leg import LegState
from pbx.sdp.mapping import DECODABLE, Agreed
from pbx.sip.message import ProtocolError
from pbx.sip.reasons import cause_of_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.calls.destination import Branch
    from pbx.calls.failure import Failure
    from pbx.calls.journey import Journey
    from pbx.calls.outbound import CallerIdentity
    from pbx.directory.decision import Destination, Diversion
    from pbx.media.terminal import Terminal

OURS = Agreed(DECODABLE, DECODABLE)
"""What the exchange itself can hear and say."""

NORMAL = (480, 16, "Normal call clearing")
"""How a visit ends that has come to its end."""

FAULT = (500, 41, "Server Internal Error")
"""How one ends that could not go on by our own fault."""


@implementer(IVisit)
class Visit:
    """
    One stay of a caller at one place.

    Args:
        journey: What brought the caller here.
        destination: Where it was sent.
        place: Who serves it, an :class:`~pbx.calls.destination.IDestination`.
    """

    log = Logger()

    def __init__(self, journey: Journey, destination: Destination, place: Any) -> None:
        self._journey = journey
        self._place = place
        self._left = False
        self._work: Deferred[None] | None = None
        self._described: Deferred[None] | None = None
        self._ringing: Deferred[Rung] | None = None
        self._refusal: tuple[int, int, str] | None = None
        self.destination = destination
        self.call_id = journey.call.id

    def begin(self) -> None:
        """
        Serve the caller.
        """
        self._work = self._journey.tools.tasks.start(self._serve(), "serve a caller at a place")

    def leave(self) -> None:
        """
        The caller has gone, or is taken away.
        """
        if not self._left:
            self._left = True
            if self._work is not None:
                self._work.cancel()

    # IVisit

    @property
    def caller(self) -> CallerIdentity:
        """
        Who is here.
        """
        return self._journey.caller

    @property
    def number(self) -> str:
        """
        What was dialled at first.
        """
        return self._journey.call.number

    @property
    def diversions(self) -> tuple[Diversion, ...]:
        """
        The steps by which the caller came here.
        """
        return self._journey.diversions

    @property
    def language(self) -> str:
        """
        The language of prompts.
        """
        return self._journey.language

    @language.setter
    def language(self, language: str) -> None:
        # It also holds where the caller is sent from there by whom it speaks to.
        self._journey.language = self._journey.leg.language = language
        if self._journey.leg.has_terminal:
            self.terminal.language = language

    @property
    def terminal(self) -> Terminal:
        """
        What the caller hears and says.
        """
        self._stay()
        terminal = self._journey.leg.terminal(self._journey.tools)
        terminal.language = self.language
        return terminal

    async def answer(self) -> Terminal:
        """
        Answer the call, if that has not been done yet.
        """
        self._stay()
        self._journey.answer(OURS)
        leg = self._journey.leg
        while leg.audio is None or leg.audio.formats is None:
            # We made the offer: the caller's answer comes with its ACK.
            self._described = Deferred()
            await self._described
        return self.terminal

    def early(self) -> Terminal | None:
        """
        Let an unanswered caller hear us.
        """
        self._stay()
        return self.terminal if self._journey.early(OURS) else None

    def note(self, reason: str) -> None:
        """
        Add a step to the call's trace and record.
        """
        self._journey.call.note(reason)

    async def ring(self, branches: Sequence[Branch], timeout: float) -> Rung:
        """
        Ring extensions for the caller.
        """
        self._stay()
        if self._ringing is not None:
            raise ValueError("the place rings somebody already")
        # When nobody can be rung it is over before it has begun.
        ringing = self._ringing = Deferred()
        try:
            self._journey.ring(branches, timeout)
            return await ringing
        finally:
            if self._ringing is ringing:
                # Who waited for it does so no more.
                self._ringing = None
                if not self._left:
                    self._journey.stop_ringing()

    def refuse(self, status: int, cause: int, text: str) -> None:
        """
        End the call for a reason as soon as the place is done with it.
        """
        self._refusal = (status, cause, text)

    # From the journey.

    def described(self) -> None:
        """
        The caller's formats are there.
        """
        waiting, self._described = self._described, None
        if waiting is not None:
            waiting.callback(None)

    @property
    def rings(self) -> bool:
        """
        Whether the place waits for somebody to answer.
        """
        return self._ringing is not None

    def answered(self, by: str) -> None:
        """
        Somebody that the place has rung has the caller now.
        """
        self._left = True
        ringing, self._ringing = self._ringing, None
        if ringing is not None:
            ringing.callback(Rung(True, by, 200, "OK"))

    def failed(self, failure: Failure) -> None:
        """
        Nobody that the place has rung takes the caller.
        """
        ringing, self._ringing = self._ringing, None
        if ringing is not None:
            ringing.callback(Rung(False, "", failure.status, failure.text))

    def _stay(self) -> None:
        """
        Whoever is with a caller no more can't let it hear anything, since it may talk with somebody by now.
        """
        if self._left:
            raise CancelledError

    async def _serve(self) -> None:
        onward: Destination | None = None
        end = NORMAL
        try:
            onward = await self._place.take(self)
        except CancelledError:
            # The caller has gone where its terminal was closed before we hear of it.
            self._left = self._left or self._journey.leg.state is LegState.ENDED
            if not self._left:
                self.log.failure("{call_id}: a wait in {kind} was broken off", call_id=self.call_id, kind=self.kind)
                end = FAULT
        except ProtocolError as error:
            end = error.status, cause_of_status(error.status), error.reason
        except Exception:  # noqa: BLE001 - the border: a place that fails must not leave its caller there
            self.log.failure("{call_id}: {kind} failed", call_id=self.call_id, kind=self.kind)
            end = FAULT
        if self._left:
            return
        self._left = True
        if onward is not None and end is NORMAL:
            self._journey.go_on(onward)
        else:
            self._journey.end(*(self._refusal or end))

    @property
    def kind(self) -> str:
        """
        Where it is, in words.
        """
        return f"{self.destination.kind} {self.destination.target}".strip()
