"""
Two legs that hear each other: their bridge, hold and resume, and a codec that both have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from pbx.calls.events import MediaChanged
from pbx.dialog.user import OfferRefused
from pbx.media.bridge import Bridge
from pbx.sdp.mapping import EVENTS, onward
from pbx.sip.dtmf_info import KeyPress
from pbx.sip.message import ProtocolError

if TYPE_CHECKING:
    from pbx.calls.audio import LegAudio
    from pbx.calls.leg import Leg
    from pbx.calls.tools import CallTools
    from pbx.media.session import RtpSession

DTMF_RELAY = "application/dtmf-relay"
"""How an INFO tells of a key."""


class Joint:
    """
    What lets two legs of a call talk, until :meth:`stop`. Before both have their formats it does nothing yet.

    Args:
        tools: What the call is built with.
        call: The call's identifier.
        near: The leg that looked for somebody: the caller's, or that of who was transferred.
        far: The leg it found.

    Attributes:
        bridge: What carries the sound, ``None`` while one side has no formats.
        announced: Whether changes of the media are told; not before the call was answered.
    """

    log = Logger()

    def __init__(self, tools: CallTools, call: str, near: Leg, far: Leg) -> None:
        self.near = near
        self.far = far
        self.bridge: Bridge | None = None
        self.announced = False
        self._tools = tools
        self._call = call
        self._told: tuple[str, str, int, str] | None = None
        self._stopped = False
        self.join()

    @property
    def state(self) -> str | None:
        """
        What the bridge does with the packets, ``None`` where there is no bridge.
        """
        return None if self.bridge is None else self.bridge.state

    def across(self, leg: Leg) -> Leg:
        """
        The leg that hears this one.
        """
        return self.far if leg is self.near else self.near

    def join(self) -> None:
        """
        Let them hear each other, as soon as both have formats.
        """
        one, other = self.near.audio, self.far.audio
        if self._stopped or self.bridge is not None or one is None or other is None:
            return
        if one.formats is None or other.formats is None:
            # A late offer: the caller's formats come with its ACK.
            return
        music = self._tools.music
        self.bridge = Bridge(
            one.session, other.session, music=None if music is None else music.play, on_key=self._tell_key
        )
        self._regard_hold(self.near)
        self._regard_hold(self.far)

    def changed(self, leg: Leg) -> None:
        """
        Go by new formats of a leg, and by hold and resume.
        """
        late = self.bridge is None
        if late:
            # The caller has answered our late offer, perhaps with another codec than the callee's.
            self.join()
        else:
            self._regard_hold(leg)
        self.mend(leg, late=late)
        self.tell()

    def mend(self, leg: Leg, *, late: bool = False) -> None:
        """
        Offer one side the other's codec where there is no sound otherwise.

        Args:
            leg: The one whose codec the other is offered, if it is known to have it; else the other way round.
            late: Also where the sound is converted, as after a late offer or a transfer.
        """
        other = self.across(leg)
        if self._stopped or self.state not in (("none", "transcode") if late else ("none",)):
            return
        codec = leg.agreed.codec
        if codec is not None and not any(codec.matches(item) for item in other.known):
            theirs = other.agreed.codec
            if theirs is not None and any(theirs.matches(item) for item in leg.known):
                leg, other = other, leg
        self._tools.tasks.start(self._align(other, leg), "offer a codec in common")

    def tell(self) -> None:
        """
        Tell how the sound goes, when that is otherwise than told last.
        """
        near, far = self.near, self.far
        if not self.announced or self._stopped or self.bridge is None or near.audio is None:
            return
        media = (self.bridge.state, near.audio.codec, far.number, far.audio.codec if far.audio is not None else "")
        if media != self._told:
            self._told = media
            self._tools.emit(MediaChanged(self._call, self._tools.wall(), *media, caller_leg=near.number))

    def press(self, leg: Leg, digit: str) -> None:
        """
        Tell the other side of a key that came by SIP INFO.
        """
        if self.bridge is not None and leg.audio is not None:
            self.bridge.press(leg.audio.session, digit)

    def stop(self) -> None:
        """
        Part the two; both legs stay as they are.
        """
        self._stopped = True
        if self.bridge is not None:
            self.bridge.stop()
            # Else the two would hold each other, and wait for the collector.
            self.bridge.on_key = None

    def _tell_key(self, session: RtpSession, digit: str) -> bool:
        """
        Tell a phone of a key by INFO, if that is how it tells of keys itself.
        """
        leg = self.near if self.near.audio is not None and self.near.audio.session is session else self.far
        if not leg.keys_by_info or leg.session is None:
            return False
        leg.session.exchange("INFO", (("Content-Type", DTMF_RELAY),), KeyPress(digit).to_bytes())
        return True

    def _regard_hold(self, leg: Leg) -> None:
        if self.bridge is None or leg.audio is None:
            return
        session = leg.audio.session
        if leg.audio.held_by_peer:
            self.bridge.hold(session)
        elif self.bridge.held(session):
            self.bridge.resume(session)
        other = self.across(leg)
        if other.beyond is not None and other.beyond.line.trunk.pass_hold:
            # The phone of nobody else hears of it.
            self._pass_on(leg.audio, other)

    def _pass_on(self, holder: LegAudio, leg: Leg) -> None:
        """
        Tell a trunk of hold.
        """
        audio, remote = leg.audio, holder.remote
        if audio is None or remote is None:
            return
        wanted = "sendrecv"
        if holder.held_by_peer:
            wanted = "sendonly" if remote.sends else "inactive"
        if audio.wanted != wanted:
            audio.wanted = wanted
            self._tools.tasks.start(self._offer_again(leg), "pass hold on to a trunk")

    async def _offer_again(self, leg: Leg) -> None:
        audio, session = leg.audio, leg.session
        if audio is None or session is None:
            return
        try:
            audio.answered(await session.offer(lambda: audio.offer_again(leg.agreed.send)))
        except (OfferRefused, ProtocolError) as refusal:
            audio.withdraw()
            self.log.info("{call_id}: {party} takes no hold: {why}", call_id=self._call, party=leg.party, why=refusal)

    async def _align(self, leg: Leg, other: Leg) -> None:
        """
        Offer a leg the other's codec alone; where it has none but its own, all stays as it was.
        """
        audio, session = leg.audio, leg.session
        if audio is None or session is None:
            return
        try:
            await session.idle()
            if self._stopped or self.state == "relay":
                return
            audio.answered(await session.offer(
                lambda: audio.offer_again(onward(other.agreed.send, also=(EVENTS,)))
            ))
            self._regard_hold(leg)
            self.tell()
        except (OfferRefused, ProtocolError) as refusal:
            audio.withdraw()
            self.log.info("{call_id}: {party} keeps its codec: {why}", call_id=self._call, party=leg.party, why=refusal)
            if self.bridge is not None and self.bridge.state == "none" and not self._stopped:
                self.log.warn("{call_id}: no sound: {reason}", call_id=self._call, reason=self.bridge.reason)
