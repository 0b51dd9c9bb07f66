"""
Emergency calls while they are made: who in the house is told, where help is sent, and whose channel is taken for it.

In the USA two laws ask for it, and every house is well served by it. Kari's Law (47 CFR 9.16): 911 is dialled without a
prefix, and somebody in the house is told at the same moment, who and where from and where to call back. RAY BAUM's Act
(47 CFR 9.8): with the call goes a dispatchable location: street, floor and room.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from attrs import define, frozen
from twisted.logger import Logger

from pbx.calls.alerts import NoAlerts
from pbx.calls.events import CallEnded, CallsMerged
from pbx.calls.notification import Notifications
from pbx.directory.decision import CALLED_BACK, Decision, Destination
from pbx.directory.opening import zone
from pbx.sip.multipart import Part
from pbx.sip.pidf import PIDF
from pbx.sip.pidf_lo import LocationDocument
from pbx.sip.token import random_hex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.calls.alerts import IAlerts
    from pbx.calls.beyond import Line
    from pbx.calls.call import Call
    from pbx.calls.callbacks import Callbacks
    from pbx.calls.events import CallEvent
    from pbx.calls.failure import Failure
    from pbx.calls.outbound import CallerIdentity
    from pbx.calls.tools import CallTools
    from pbx.directory.emergency import Location
    from pbx.directory.outside import EmergencyCall, Outgoing
    from pbx.directory.plan import Site

NO_LINE: Final = "no_emergency_line"
"""The kind of place where a caller hears that no trunk took its emergency call."""

PREEMPTED: Final = 8
"""The cause of a call that gave way (ITU-T Q.850: preemption)."""

HEEDED: Final = (CallsMerged, CallEnded)
"""The events that :meth:`Emergencies.event` takes."""

KEPT: Final = dt.timedelta(days=1)
"""How long whoever gets a location may keep it: what RFC 4119 2.2.2 takes for granted where nothing is said."""

MOST_BACK: Final = 20
"""Calls back at once for which no limit holds: anybody may call the number, and a flood must leave room for help."""

TEST: Final = "TEST, no emergency: "
"""How whatever is told of a test begins."""

ADDRESS: Final = ("NAM", "LOC", "ROOM", "UNIT", "FLR", "BLD", "RD", "STS", "HNO", "HNS", "PC", "A3", "A1", "country")
"""The order in which an address is told to people."""

WORDS: Final = {"ROOM": "room ", "UNIT": "unit ", "FLR": "floor ", "BLD": "building "}
"""What is put before a bare number in it."""


@frozen
class Supplement:
    """
    What an INVITE has besides because it is an emergency call's.

    Attributes:
        headers: Further header fields.
        parts: What goes along with its description.
    """

    headers: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()


URGENT: Final = Supplement((("Priority", "emergency"),))
"""What each has."""


@define(eq=False)
class _Live:
    caller: CallerIdentity
    outgoing: Outgoing
    subject: str
    emergency: EmergencyCall
    mail: tuple[str, ...]
    supplement: Supplement = URGENT
    failed: bool = False


class Emergencies:
    """
    The emergency calls that are being made, and the calls back.

    Args:
        alerts: Who is told of them.
        callbacks: Where it is noted who is called back; ``None`` where nobody asks.
        name: What the exchange is called in addresses.

    Attributes:
        name: The same; another holds from the next call on.
        notifications: The calls by which people in the house are told.
    """

    log = Logger()

    def __init__(
        self, alerts: IAlerts | None = None, callbacks: Callbacks | None = None, name: str = "pbx.invalid"
    ) -> None:
        self._alerts: IAlerts = alerts if alerts is not None else NoAlerts()
        self._callbacks = callbacks
        self.name = name
        self._live: dict[str, _Live] = {}
        self._back: set[str] = set()
        self.notifications = Notifications()

    def begin(self, tools: CallTools, call: Call, caller: CallerIdentity, outgoing: Outgoing) -> None:
        """
        Tell everybody, and make ready what goes along: before the first INVITE is sent, and whatever comes of that.
        """
        emergency = outgoing.emergency
        if emergency is None or call.id in self._live:
            return
        live = self._live[call.id] = _Live(
            caller, outgoing, f"{caller.number} {random_hex(4)}", emergency, tools.router.situation.plan.emergency.mail
        )
        for step in (self._place, self._make_place, self._alert, self._notify):
            try:
                step(tools, call, live)
            except Exception:  # noqa: BLE001 - the border: nothing of all this may keep help from being called
                self.log.failure("{call_id}: an emergency call goes on without this", call_id=call.id)

    def supplement(self, call_id: str) -> Supplement:
        """
        What an INVITE of a call has besides.
        """
        live = self._live.get(call_id)
        return Supplement() if live is None else live.supplement

    def make_room(self, tools: CallTools, line: Line, call_id: str) -> None:
        """
        Take the newest ordinary call's channel of a line that is full, for an emergency call.
        """
        if not line.full:
            return
        calls = {leg.call: tools.calls[leg.call] for leg in line.channels if leg.call in tools.calls}
        try:
            self._end_newest(list(calls.values()), f"An emergency call needed its channel of trunk {line.trunk.name}")
        except Exception:  # noqa: BLE001 - the border: the emergency call goes out beside the others then
            self.log.failure("{call_id}: no channel of trunk {trunk} was freed", call_id=call_id, trunk=line.trunk.name)

    def unreached(self, tools: CallTools, call: Call, failure: Failure) -> Decision | None:
        """
        Say what follows when nobody was reached: for an emergency call an alert, and words for the caller.
        """
        live = self._live.get(call.id)
        if live is None:
            if call.id in self._back:
                text = f"The emergency centre called back, and nobody answered. {failure.text}"
                self._alerts.alert("emergency", f"call back {call.id[:8]}", text)
            return None
        self._failed(live, failure.text)
        if NO_LINE not in tools.places:
            return None
        destination = Destination(
            NO_LINE, status=failure.status, cause=failure.cause, text=failure.text
        )
        return Decision(destination, ("no trunk took the emergency call: the caller is told",))

    def is_urgent(self, decision: Decision) -> bool:
        """
        Whether a call is an emergency call, or the emergency centre's call back: no limit holds for it.
        """
        there = decision.destination
        called = there.outgoing is not None and there.outgoing.emergency is not None
        back = there.kind == "extension" and there.argument == CALLED_BACK
        return called or (back and len(self._back) < MOST_BACK)

    def protect(self, call_id: str) -> None:
        """
        Note that the emergency centre calls back by this call: no other emergency call takes its channel.
        """
        if len(self._back) < MOST_BACK:
            self._back.add(call_id)

    def event(self, event: CallEvent) -> None:
        """
        Take what has happened to a call: one of :data:`HEEDED`.
        """
        if type(event) is CallEnded:
            live = self._live.pop(event.call, None)
            self._back.discard(event.call)
            if live is not None and event.disposition not in ("answered", "cancelled"):
                self._failed(live, event.reason)
        elif type(event) is CallsMerged:
            live = self._live.pop(event.call, None)
            if live is not None:
                self._live[event.into] = live
            if event.call in self._back:
                self._back.discard(event.call)
                self._back.add(event.into)

    def stop(self) -> None:
        """
        Tell nobody any more.
        """
        self.notifications.stop()

    def _failed(self, live: _Live, why: str) -> None:
        if live.failed:
            return
        live.failed = True
        test = TEST if live.emergency.test else ""
        text = (
            f"{test}The emergency call of {live.caller.number} to {live.emergency.number} reached nobody: {why}\n"
            f"Call for help by another telephone, and see to the trunks."
        )
        self._alerts.alert("emergency", f"{live.subject} failed", text, mail=live.mail)

    def _end_newest(self, calls: Sequence[Call], text: str) -> None:
        ordinary = [call for call in calls if call.id not in self._live and call.id not in self._back]
        if ordinary:
            newest = max(ordinary, key=lambda call: call.began)
            self.log.warn("{call_id}: ended: {text}", call_id=newest.id, text=text)
            newest.hang_up(PREEMPTED, text)

    # What happens when one begins.

    def _place(self, tools: CallTools, call: Call, live: _Live) -> None:
        """
        Make ready where help is sent, and note who is called back.
        """
        now, emergency, number = tools.wall(), live.emergency, live.caller.number
        if self._callbacks is not None:
            self._callbacks.add(number, _called_back(live), since=now, test=emergency.test)
        location = emergency.location
        if location is None or not location.civic:
            return
        at = dt.datetime.fromtimestamp(now, dt.UTC).replace(microsecond=0)
        document = LocationDocument(
            f"sip:{number}@{self.name}", number, location.civic, _rfc3339(at), _rfc3339(at + KEPT)
        )
        identifier = f"{random_hex(8)}@{self.name}"
        # RFC 6442 4.1: by value, within the body; 4.2: whoever routes the call may go by it.
        headers = (*URGENT.headers, ("Geolocation", f"<cid:{identifier}>"), ("Geolocation-Routing", "yes"))
        live.supplement = Supplement(headers, (Part(PIDF, document.to_bytes(), identifier),))

    def _make_place(self, tools: CallTools, call: Call, live: _Live) -> None:
        if len(tools.calls) > tools.settings.max_calls and not live.emergency.test:
            # Each call beyond those has no port of its own.
            self._end_newest(list(tools.calls.values()), "An emergency call needed its place in the exchange")

    def _alert(self, tools: CallTools, call: Call, live: _Live) -> None:
        caller, emergency = live.caller, live.emergency
        who = f"{caller.number} ({caller.name})" if caller.name else caller.number
        kind = "the number that tests emergency calls" if emergency.test else "the emergency number"
        text = "\n".join([
            f"{TEST if emergency.test else 'EMERGENCY: '}{who} called {kind} {emergency.number}",
            f"Where: {place_of(emergency.location)}",
            f"Call back: {emergency.callback or 'no number is known'}",
            f"When: {_local(tools.wall(), tools.router.situation.plan.site)}",
        ])
        # It stands in any log, by the call, since each alert is an error there.
        self._alerts.alert(
            "emergency", live.subject, text, mail=live.mail,
            detail={
                "extension": caller.number, "name": caller.name, "number": emergency.number,
                "test": "yes" if emergency.test else "no", "callback": emergency.callback,
                "numbers": " ".join(_called_back(live)), "location": place_of(emergency.location), "call": call.id,
            },
        )

    def _notify(self, tools: CallTools, call: Call, live: _Live) -> None:
        location = live.emergency.location
        also = location.notify if location is not None else ()
        told = dict.fromkeys((*tools.router.situation.plan.emergency.notify, *also))
        told.pop(live.caller.number, None)
        call.note(f"an emergency call: {', '.join(told) or 'nobody'} in the house is told")
        self.notifications.tell(tools, tuple(told), live.caller, live.emergency)


def _called_back(live: _Live) -> list[str]:
    numbers = dict.fromkeys((live.emergency.callback, *(way.caller for way in live.outgoing.ways)))
    return [number for number in numbers if number]


def place_of(location: Location | None) -> str:
    """
    A location in words.
    """
    if location is None:
        return "nobody knows where this phone stands"
    known = [
        f"{WORDS.get(name, '') if location.civic[name][:1].isdigit() else ''}{location.civic[name]}"
        for name in ADDRESS if location.civic.get(name)
    ]
    return f"{location.name}: {', '.join(known)}" if known else location.name


def _local(now: float, site: Site) -> str:
    return dt.datetime.fromtimestamp(now, zone(site.time_zone)).strftime("%Y-%m-%d %H:%M:%S %Z")


def _rfc3339(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
