"""
Who is on the phone, rings, does not want to be disturbed or is not there: one model, which lamps, phones and the API
read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import define, evolve, frozen
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
    from collections.abc import Callable

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
        state = _state(lines, extension, registered=registered)
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
        if isinstance(event, CallBegan):
            caller = Peer(event.caller, event.caller_name, event.anonymous)
            self._calls[event.call] = _Call(caller, self._named(event.callee), {})
            return
        call = self._calls.get(event.call)
        if call is None:
            return
        if isinstance(event, LegBegan):
            self._began(call, event)
        elif isinstance(event, LegRang | LegAnswered):
            line = call.lines.get(event.leg)
            if line is not None:
                line.state = "confirmed" if isinstance(event, LegAnswered) else "early"
                line.local_tag, line.remote_tag = event.remote_tag, event.local_tag
                self._tell(line.number)
        elif isinstance(event, LegEnded):
            self._ended(call, event.leg)
        elif isinstance(event, MediaChanged):
            self._joined(call, event.caller_leg, event.callee_leg)
        elif isinstance(event, CallsMerged):
            del self._calls[event.call]
            other = self._calls.get(event.into)
            for leg in list(call.lines):
                if other is None:
                    self._ended(call, leg)
                else:
                    other.lines[leg + event.offset] = call.lines[leg]
        elif isinstance(event, CallEnded):
            del self._calls[event.call]
            for leg in list(call.lines):
                self._ended(call, leg)

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

    def _joined(self, call: _Call, one: int, other: int) -> None:
        """
        Two talk with each other, who may have dialled, or been called by, somebody else; also in another call.
        """
        pair = call.lines.get(one), call.lines.get(other)
        for line, across in (pair, pair[::-1]):
            if line is None or across is None:
                continue
            peer = evolve(self._named(across.number), anonymous=across.hidden)
            if line.peer != peer:
                line.peer = peer
                self._tell(line.number)

    def _named(self, number: str) -> Peer:
        extension = self._directory.extension(number)
        return Peer(number, extension.name if extension is not None else "")

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
        presence = self.of(number)
        if presence is not None and self._states.get(number, ("", None))[0] != presence.state:
            self._states[number] = (presence.state, self._wall())
        for listener in self._listeners:
            try:
                listener(number)
            except Exception:  # noqa: BLE001 - the border: a lamp must not keep a call from going on
                self.log.failure("the presence of {number} was not told", number=number)


def _state(lines: list[Line], extension: Extension, *, registered: bool) -> State:
    if any(line.state == "confirmed" or line.direction == "initiator" for line in lines):
        return "busy"
    if lines:
        return "ringing"
    if extension.handling.dnd:
        return "dnd"
    return "available" if registered else "unregistered"
