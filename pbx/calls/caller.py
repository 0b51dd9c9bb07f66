"""
Numbers beyond the house: who calls over a trunk, which number it has called, and how people within are shown either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

from pbx.calls.outbound import CallerIdentity
from pbx.directory.inbound import number_beyond
from pbx.directory.numbering import received
from pbx.sip.address import NameAddr, parse_list
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ProtocolError, Request
from pbx.sip.uri import URI

if TYPE_CHECKING:
    from pbx.directory.plan import Site
    from pbx.directory.situation import Situation
    from pbx.directory.trunk import Trunk

PRIVATE = frozenset({"id", "user", "full"})
"""What of a Privacy header field keeps the caller's number from being shown (RFC 3323 4.2, RFC 3325 9.3)."""

NOBODY = frozenset({"", "anonymous", "restricted", "unavailable", "unknown", "private"})
"""What providers write in place of a number that they may not tell, or do not know."""

LONGEST = 64
"""Characters of a number or name from beyond the house that are kept: a message has room for thousands."""


@frozen
class Stranger:
    """
    Who calls over a trunk.

    Attributes:
        party: Its number, E.164 where that is known; never one of the house, whatever it said.
        face: Who it is to phones: its number as they would dial it.
        called: What the provider says was called, the likeliest first.
    """

    party: str
    face: CallerIdentity
    called: tuple[str, ...]


def stranger(request: Request, trunk: Trunk, situation: Situation) -> Stranger:
    """
    Read who calls whom from an INVITE that has come over a trunk.
    """
    address = _asserted(request) or request.from_
    said = dialled_number(address.uri)[:LONGEST]
    shown = dialled_number(request.from_.uri).lower()
    anonymous = asks_for_privacy(request) or shown == "anonymous" or said.lower() in NOBODY
    if said.lower() in NOBODY:
        party, number = f"anonymous@{trunk.name}", ""
    else:
        party, number = numbers_of(said, trunk.name, situation)
    name = (address.display or request.from_.display)[:LONGEST].strip()
    if name.lower() in NOBODY or name == said:
        name = ""
    return Stranger(party, CallerIdentity(number, name, anonymous), called_numbers(request, trunk))


def numbers_of(number: str, trunk: str, situation: Situation) -> tuple[str, str]:
    """
    A number beyond the house as it stands in records, and as people here dial it.

    Args:
        number: As the provider sends it, or as the dialplan made it.
        trunk: The trunk, for a number that is also one of the house.
        situation: Which those are.
    """
    site = situation.plan.site
    party, public = number_beyond(number, trunk, situation), received(number, site)
    return party, _dialled_here(party, public.national if public.call_class != "international" else "", site, situation)


def called_numbers(request: Request, trunk: Trunk) -> tuple[str, ...]:
    """
    What a provider says was called, the likeliest first: in the Request-URI often only our account.

    The account is the last of them, since it may be the number as well.
    """
    found: dict[str, None] = {}
    for source, read in CALLED.items():
        if trunk.did_from in ("auto", source):
            try:
                found[dialled_number(read(request))[:LONGEST]] = None
            except ProtocolError:
                # A provider that writes it badly has still two other places for it.
                continue
    found.pop("", None)
    ours = {trunk.username, trunk.contact_user}
    return tuple(sorted(found, key=lambda number: number in ours))


def _named(request: Request) -> URI:
    value = request.headers.get("P-Called-Party-ID")
    return NameAddr.parse(value, "P-Called-Party-ID").uri if value is not None else URI("sip", None)


CALLED: dict[str, Callable[[Request], URI]] = {
    "request-uri": lambda request: request.target,
    "p-called-party-id": _named,
    "to": lambda request: request.to.uri,
}
"""Where the number may stand that was called, in the order of asking (RFC 7315 5.2 for the second)."""


def asks_for_privacy(request: Request) -> bool:
    """
    Whether a caller asks not to be shown.
    """
    privacy = request.headers.get("Privacy")
    return privacy is not None and bool({part.strip().lower() for part in privacy.split(";")} & PRIVATE)


def _dialled_here(party: str, national: str, site: Site, situation: Situation) -> str:
    dialled = site.outside_prefix + national if national else party
    return party if situation.is_here(dialled) else dialled


def _asserted(request: Request) -> NameAddr | None:
    """
    The first identity that the provider vouches for (RFC 3325 9.1), a telephone number before a name.
    """
    try:
        found = [each for value in request.headers.get_all("P-Asserted-Identity") for each in parse_list(value)]
    except ProtocolError:
        return None
    numbers = [each for each in found if dialled_number(each.uri).lstrip("+").isdigit()]
    return next(iter(numbers or found), None)
