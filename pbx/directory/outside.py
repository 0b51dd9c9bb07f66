"""
A call to beyond the house, as the dialplan hands it on: the trunks in order, and how each is called.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen

from pbx.directory.emergency import Location
from pbx.directory.permissions import CallClass


@frozen
class Way:
    """
    One trunk for a call.

    Attributes:
        trunk: Its name.
        number: What is called, as this trunk wants it.
        caller: The number that is shown, as this trunk wants it; empty where the caller stays unknown.
        rate: What a minute costs, ``None`` where that is not known.
    """

    trunk: str
    number: str
    caller: str = ""
    rate: Decimal | None = None


@frozen
class EmergencyCall:
    """
    What makes a call an emergency call.

    Attributes:
        number: The emergency number that was dialled, without prefixes.
        test: It only proves the way.
        location: Where the phone stands, ``None`` where nobody knows.
        callback: The number for a call back, E.164; empty for none.
    """

    number: str
    test: bool = False
    location: Location | None = None
    callback: str = ""


@frozen
class Outgoing:
    """
    A call to beyond the house.

    Attributes:
        number: What is called: E.164 where that is known, else as dialled.
        call_class: What kind of number it is.
        route: The outbound route.
        ways: The trunks in the order of trying; one that is down or full is not among them, unless it is an emergency.
        longest: Seconds after which the call is ended, ``None`` for never.
        emergency: What makes it an emergency call, ``None`` for an ordinary one.
        payer: The extension, or the inbound route, whose limits it counts for; empty for an emergency call.
    """

    number: str
    call_class: CallClass
    route: str
    ways: tuple[Way, ...] = ()
    longest: int | None = None
    emergency: EmergencyCall | None = None
    payer: str = ""
