"""
The call to a star code: which feature was dialled, and who may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.directory.decision import Decision, Destination, RouteRequest, going, refused
from pbx.directory.star_codes import feature_dialled

if TYPE_CHECKING:
    from pbx.directory.situation import Situation


def to_feature(request: RouteRequest, situation: Situation) -> Decision:
    """
    Decide about a number that begins with a star or a hash.
    """
    number = request.number
    found = feature_dialled(number, situation.star_codes, situation.numbers, situation.mailboxes)
    if found is None:
        return refused(request, (f"{number!r} is no star code",), 404, 1, "Unallocated number")
    name, argument = found
    if request.trunk or request.diversions or request.on_behalf not in (None, request.caller):
        # Else a caller could be sent to switch something at its own extension, or to mailboxes by other people's leave.
        reasons = (f"{number} is the star code of {name}", "nobody can be sent to a star code by somebody else")
        return refused(request, reasons, 403, 21, "Not allowed")
    if name == "voicemail":
        destination = Destination("mailbox", request.caller)
    elif name == "voicemail_any":
        destination = Destination("mailbox")
    elif name == "voicemail_of":
        destination = Destination("mailbox", argument)
    elif name == "pickup_group":
        destination = Destination("pickup")
    elif name == "directory":
        destination = Destination("directory")
    elif name == "night_switch":
        destination = Destination("night_switch", argument)
    elif name == "pickup" and argument:
        destination = Destination("pickup", argument)
    else:
        destination = Destination("star", name, argument)
    return going(destination, request, situation, (f"{number} is the star code of {name}",))
