"""
Who is on the phone, rings, does not want to be disturbed or is not there: one model, which lamps, phones and the API
read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import define, frozen
from twisted.logger import Logger

from pbx.calls.events import (
    CallBegan,
    CallEnded,
    CallsMerged,
    LegAnswered,
    LegBegan,
    LegEnded,
    LegRang,
    MediaChanged,
)

if TYPE_CHECKING:
    from pbx.calls.events import CallEvent
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.registrar.location import Location

State: TypeAlias = Literal["available", "ringing", "busy", "dnd", "unregistered"]
"""What an extension does, the first of these that is true: busy, ringing, dnd, unregistered, available."""


@frozen
class Peer:
    """
    Who is at the other end.

    Attributes:
        number: The number; empty where it is not known.
        name: The name that goes with it.
        anonymous: Whether neither is to be shown.
    """

    number: str
    name: str = ""
    anonymous: bool = False


@define(eq=False)
class Line:
    """
    One leg of a call, as the phone at its end sees it.

    Attributes:
        id: What tells it from all others, for as long as it lasts.
        number: The extension.
        direction: ``initiator`` where the phone called, ``recipient`` where it was called.
        call_id: The Call-ID of its dialog.
        peer: Who is at the other end.
        state: ``trying``, ``early`` or ``confirmed``.
        local_tag: The phone's tag.
        remote_tag: The exchange's.
        hidden: Whether the other side is not to be told who this is.
    """

    id: str
    number: str
    direction: Literal["initiator", "recipient"]
    call_id: str
    peer: Peer
    state: Literal["trying", "early", "confirmed"] = "trying"
    local_tag: str = ""
    remote_tag: str = ""
    hidden: bool = False

    @property
    def shows(self) -> bool:
        """
        Whether anything of it is noticed: a phone that is called is not before it rings.
        """
        return self.direction == "initiator" or self.state != "trying"


@frozen
class ExtensionPresence:
    """
    What an extension does.

    Attributes:
        number: Its number.
        name: Its name.
        state: What it does.
        registered: Whether one of its phones is there.
        dnd: Whether it does not want to be disturbed.
        calls: The calls it is in, or that ring there.
        since: Since when its state is that, in seconds since the epoch; ``None`` where it never was another.
    """

    number: str
    name: str
    state: State
    registered: bool
    dnd: bool
    calls: int
    since: float | None


@define(eq=False)
class _Call:
    caller: Peer
    callee: Peer
    lines: dict[int, Line]


class Presence:
    """
    What every extension does.

    Args:
        directory: Who there is, and who does not want to be disturbed.
        location: Whose phones are there.
        wall: The wall clock, seconds since the epoch.
    """

    log = Logger()

    def __init__(self, directory: Directory, location: Location, wall: Callable[[], float]) -> None:
        self._directory = directory
        self._location = location
        self._wall = wall
        self._calls: dict[str, _Call] = {}
        self._lines: dict[str, list[Line]] = {}
        self._states: dict[str, tuple[State, float | None]] = {}
        self._registered: dict[str, bool] = {}
        self._listeners: list[Callable[[str], None]] = []
        directory.on_change(self._extension_changed)
        location.on_change(self._bindings_changed)

    def on_change(self, listener: Callable[[str], None]) -> None:
        """
        Have ``listener(number)`` called whenever something about an extension is otherwise.
        """
        self._listeners.append(listener)

    def of(self, number: str) -> ExtensionPresence | None:
        """
        What an extension does; ``None`` where there is none.
        """
        extension = self._directory.extension(number)
        if extension is None:
            return None
        lines = self.lines(number)
        registered = bool(self._location.bindings(number))
        state = self._state(extension)
        known, since = self._states.get(number, (state, None))
        return ExtensionPresence(
            number, extension.name, state, registered, extension.handling.dnd, len(lines),
            since if known == state else self._wall(),
        )

    def all(self) -> list[ExtensionPresence]:
        """
        What each extension does, in the order of their numbers.
        """
        found = [self.of(extension.number) for extension in self._directory.all()]
        return [presence for presence in found if presence is not None]

    def lines(self, number: str) -> list[Line]:
        """
        The calls of an extension that are noticed, the oldest first.
        """
        return [line for line in self._lines.get(number, ()) if line.shows]

    def event(self, event: CallEvent) -> None:
        """
        Take what has happened to a call.
        """
        if type(event) is CallBegan:
            caller = Peer(event.caller, event.caller_name, event.anonymous)
            self._calls[event.call] = _Call(caller, self._named(event.callee), {})
            return
        call = self._calls.get(event.call)
        take = TAKEN.get(type(event))
        if call is not None and take is not None:
            take(self, call, event)

    # Inside.

    def _began(self, call: _Call, event: LegBegan) -> None:
        if event.direction == "in":
            peer = call.callee
        else:
            peer = Peer(event.peer, event.peer_name, event.anonymous) if event.peer else call.caller
        line = call.lines[event.leg] = Line(
            f"{event.call}-{event.leg}", event.party, "initiator" if event.direction == "in" else "recipient",
            event.sip_call_id, peer, hidden=event.direction == "in" and call.caller.anonymous,
        )
        self._lines.setdefault(event.party, []).append(line)
        if line.shows:
            self._tell(event.party)

    def _rang(self, call: _Call, event: LegRang | LegAnswered) -> None:
        line = call.lines.get(event.leg)
        if line is not None:
            line.state = "confirmed" if type(event) is LegAnswered else "early"
            line.local_tag, line.remote_tag = event.remote_tag, event.local_tag
            self._tell(line.number)

    def _left(self, call: _Call, event: LegEnded) -> None:
        self._ended(call, event.leg)

    def _merged(self, call: _Call, event: CallsMerged) -> None:
        del self._calls[event.call]
        other = self._calls.get(event.into)
        for leg in list(call.lines):
            if other is None:
                self._ended(call, leg)
            else:
                other.lines[leg + event.offset] = call.lines[leg]

    def _over(self, call: _Call, event: CallEnded) -> None:
        del self._calls[event.call]
        for leg in list(call.lines):
            self._ended(call, leg)

    def _ended(self, call: _Call, leg: int) -> None:
        line = call.lines.pop(leg, None)
        if line is None:
            return
        lines = self._lines[line.number]
        lines.remove(line)
        if not lines:
            del self._lines[line.number]
        if line.shows:
            self._tell(line.number)

    def _joined(self, call: _Call, event: MediaChanged) -> None:
        """
        Two talk with each other, who may have dialled, or been called by, somebody else; also in another call.
        """
        one, other = call.lines.get(event.caller_leg), call.lines.get(event.callee_leg)
        if one is None or other is None:
            return
        for line, across in ((one, other), (other, one)):
            peer = self._named(across.number, hidden=across.hidden)
            if line.peer != peer:
                line.peer = peer
                self._tell(line.number)

    def _state(self, extension: Extension) -> State:
        ringing = False
        for line in self._lines.get(extension.number, ()):
            if line.state == "confirmed" or line.direction == "initiator":
                return "busy"
            ringing = ringing or line.state == "early"
        if ringing:
            return "ringing"
        if extension.handling.dnd:
            return "dnd"
        return "available" if self._location.bindings(extension.number) else "unregistered"

    def _named(self, number: str, *, hidden: bool = False) -> Peer:
        extension = self._directory.extension(number)
        return Peer(number, extension.name if extension is not None else "", hidden)

    def _extension_changed(self, before: Extension | None, after: Extension | None) -> None:
        extension = after or before
        if extension is None:
            return
        if after is None:
            self._states.pop(extension.number, None)
        elif before is not None and (before.handling.dnd, before.name) == (after.handling.dnd, after.name):
            return
        self._tell(extension.number)

    def _bindings_changed(self, number: str) -> None:
        # Most REGISTERs change nothing of that.
        registered = bool(self._location.bindings(number))
        if self._registered.get(number) is not registered:
            self._registered[number] = registered
            self._tell(number)

    def _tell(self, number: str) -> None:
        extension = self._directory.extension(number)
        if extension is not None:
            state = self._state(extension)
            known = self._states.get(number)
            if known is None or known[0] != state:
                self._states[number] = (state, self._wall())
        for listener in self._listeners:
            try:
                listener(number)
            except Exception:  # noqa: BLE001 - the border: a lamp must not keep a call from going on
                self.log.failure("the presence of {number} was not told", number=number)


TAKEN: dict[type, Callable[[Presence, _Call, Any], None]] = {
    LegBegan: Presence._began,
    LegRang: Presence._rang,
    LegAnswered: Presence._rang,
    LegEnded: Presence._left,
    MediaChanged: Presence._joined,
    CallsMerged: Presence._merged,
    CallEnded: Presence._over,
}
"""What is done for each event of a call that is known."""
