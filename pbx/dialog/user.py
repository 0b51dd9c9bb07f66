"""
Who a session belongs to, and what it is told.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from attrs import frozen
from zope.interface import Interface, implementer

from pbx.sip.message import ProtocolError

if TYPE_CHECKING:
    from pbx.dialog.refer import Refer
    from pbx.sip.message import Request


class State(enum.Enum):
    """
    Where a session stands.
    """

    EARLY = "early"
    UP = "up"
    ENDING = "ending"
    ENDED = "ended"


@frozen
class Ending:
    """
    Why a session ended.

    Attributes:
        by_peer: Whether the peer ended it.
        cause: The cause of ITU-T Q.850.
        text: The reason in words.
        answered: Whether the INVITE was answered; not when our answer could not be brought to the peer.
    """

    by_peer: bool
    cause: int
    text: str
    answered: bool = True


GONE = (408, 481)
"""The answers to a request within a dialog that say that the dialog is no more (RFC 3261 12.2.1.2)."""


class OfferRefused(Exception):  # noqa: N818
    """
    The peer did not take our offer: the session stays as it was (RFC 3261 14.1), or has ended.

    Attributes:
        status: The SIP status; 408 for no answer, 503 for no way there. After 481 (no such session) the session has
            ended, which its user was told.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"offer refused with {status}")
        self.status = status


class ISessionUser(Interface):
    """
    Who a session belongs to: the leg of a call.
    """

    def offer_received(sdp: bytes) -> bytes:  # noqa: N805
        """
        Answer an offer of the peer; raises :class:`ProtocolError` with the status to refuse it with.
        """

    def offer_wanted() -> bytes:
        """
        Make an offer, for a peer whose INVITE has none.
        """

    def answer_received(sdp: bytes) -> None:  # noqa: N805
        """
        Take the peer's answer to our offer in a response; raises :class:`ProtocolError` when it is of no use.
        """

    def acknowledged() -> None:
        """
        The ACK to our 2xx has come.
        """

    def ended(ending: Ending) -> None:  # noqa: N805
        """
        The session is over, and not because this user ended it.
        """

    def information_received(request: Request) -> None:  # noqa: N805
        """
        An INFO has come (RFC 6086); raises :class:`ProtocolError` to refuse it.
        """

    def refer_received(refer: Refer) -> None:  # noqa: N805
        """
        The peer asks for a transfer (RFC 3515): to be accepted or refused, now or soon.
        """


@implementer(ISessionUser)
class Nobody:
    """
    Whom a session belongs to that has ended: it hears nothing, and whoever asks it is told that there is no session.
    """

    __slots__ = ()

    def offer_received(self, sdp: bytes) -> bytes:
        """
        Refuse.
        """
        raise ProtocolError(481, "Call/Transaction Does Not Exist")

    def offer_wanted(self) -> bytes:
        """
        Refuse.
        """
        raise ProtocolError(481, "Call/Transaction Does Not Exist")

    def answer_received(self, sdp: bytes) -> None:
        """
        Nothing.
        """

    def acknowledged(self) -> None:
        """
        Nothing.
        """

    def ended(self, ending: Ending) -> None:
        """
        Nothing.
        """

    def information_received(self, request: Request) -> None:
        """
        Refuse.
        """
        raise ProtocolError(481, "Call/Transaction Does Not Exist")

    def refer_received(self, refer: Refer) -> None:
        """
        Refuse.
        """
        raise ProtocolError(481, "Call/Transaction Does Not Exist")


NOBODY = Nobody()
"""One for all: it keeps nothing."""
