"""
What a REFER asks for, and on whose word: Refer-To (RFC 3515 2.1) and Referred-By (RFC 3892).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from attrs import evolve, frozen

from pbx.sip.address import NameAddr
from pbx.sip.error import ParseError
from pbx.sip.replaces import Replaces

if TYPE_CHECKING:
    from pbx.sip.message import Request
    from pbx.sip.uri import URI


@frozen(slots=True)
class ReferTo:
    """
    Whom the peer is to be connected with.

    Attributes:
        address: As written, with its headers.
        target: The URI without its headers and its method: what a call goes to.
        method: What to send there, ``INVITE`` unless it says another.
        replaces: The dialog that the call is to take the place of, ``None`` for a call of its own.
        headers: The other headers that the URI asks for: name and value, unescaped.
    """

    address: NameAddr
    target: URI
    method: str
    replaces: Replaces | None
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> ReferTo:
        """
        One from the header's value.

        Raises:
            ParseError: It is none.
        """
        address = NameAddr.parse(text, "Refer-To")
        uri = address.uri
        params = tuple([pair for pair in uri.params if pair[0].lower() != "method"])
        headers = tuple([(unquote(name), unquote(value)) for name, value in uri.headers])
        return cls(
            address,
            evolve(uri, params=params, headers=()),
            uri.param("method") or "INVITE",
            Replaces.within(uri),
            tuple([pair for pair in headers if pair[0].lower() != "replaces"]),
        )


def refer_to(request: Request) -> ReferTo:
    """
    The Refer-To of a REFER.

    Raises:
        ParseError: 400: there is not exactly one (RFC 3515 2.4.2), or it is malformed.
    """
    values = request.headers.get_all("Refer-To")
    if len(values) != 1:
        raise ParseError("A REFER needs exactly one Refer-To")
    return ReferTo.parse(values[0])


def referred_by(request: Request) -> NameAddr | None:
    """
    Who sent the REFER, as it says itself; ``None`` where it does not say.

    Raises:
        ParseError: It is malformed, or stands twice (RFC 3892 2.1).
    """
    values = request.headers.get_all("Referred-By")
    if len(values) > 1:
        raise ParseError("Malformed Referred-By")
    return NameAddr.parse(values[0], "Referred-By") if values else None
