"""
Early media: what an unanswered party hears of a phone that nobody has picked up yet (RFC 3960).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from pbx.calls.joint import Joint
from pbx.sip.message import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbx.calls.inbound import InboundLeg
    from pbx.calls.leg import Leg
    from pbx.calls.outbound import OutboundLeg
    from pbx.calls.tools import CallTools


class EarlyMedia:
    """
    The joint of a party with a phone that rings for it.

    Args:
        tools: What the call is built with.

    Attributes:
        joint: The joint, ``None`` while the party hears no phone.
    """

    log = Logger()

    def __init__(self, tools: CallTools) -> None:
        self._tools = tools
        self.joint: Joint | None = None

    def takes(
        self, near: InboundLeg, leg: OutboundLeg, status: int, sdp: bytes, headers: Iterable[tuple[str, str]]
    ) -> bool:
        """
        Tell the party by a provisional response to listen; tell whether it does.

        Args:
            near: Its leg.
            leg: The phone's.
            status: What the phone has answered, which is passed on.
            sdp: How it describes what it plays.
            headers: What else goes with the response.
        """
        if near.invite.offer is None or leg.audio is None:
            return False
        try:
            leg.early_answer(sdp)
        except ProtocolError as error:
            self.log.info("{call_id}: early media of no use: {reason}", call_id=leg.call, reason=error.reason)
            return False
        formats = leg.audio.formats
        return formats is not None and near.early_media(status, formats, headers)

    def join(self, call_id: str, near: Leg, leg: OutboundLeg) -> None:
        """
        Let it hear this phone, and no other.

        Args:
            call_id: The call.
            near: The party's leg.
            leg: The phone's.
        """
        if self.joint is not None and self.joint.far is leg:
            self.joint.join()
            return
        self.part()
        self.joint = Joint(self._tools, call_id, near, leg)

    def part(self) -> None:
        """
        Let it hear none.
        """
        if self.joint is not None:
            self.joint.stop()
            self.joint = None

    def hand_over(self, leg: OutboundLeg) -> Joint | None:
        """
        The joint with a phone that was picked up, which is the call's from now on; ``None`` where it heard none, or
        another.
        """
        if self.joint is not None and self.joint.far is not leg:
            self.part()
        joint, self.joint = self.joint, None
        return joint
