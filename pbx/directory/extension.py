"""
The extension: one subscriber line of the exchange, as a value.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import field, frozen

from pbx.directory.handling import PLAIN, Handling, handling_or_plain
from pbx.directory.permissions import USUAL, Permissions

if TYPE_CHECKING:
    from collections.abc import Mapping


def _read_only(digests: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(digests))


@frozen
class Extension:
    """
    A subscriber line: who it belongs to, what it may do, and how its phones prove themselves.

    Attributes:
        number: The digits others dial; also the digest user name of its phones.
        name: What a called phone displays.
        email: Where voicemail goes, or ``None``.
        allow_external: May call beyond this exchange.
        is_admin: May administer this exchange.
        enabled: A line that is not enabled neither registers nor calls.
        digests: Digest algorithm (``"MD5"``, ``"SHA-256"``) to H(A1) in hexadecimal (RFC 7616 3.4.2); read-only,
            and never part of ``repr``.
        handling: What it wants done with its calls.
        permissions: What it may call beyond the house where :attr:`allow_external` is set, and how it is shown there.
    """

    number: str
    name: str
    email: str | None = None
    allow_external: bool = False
    is_admin: bool = False
    enabled: bool = True
    digests: Mapping[str, str] = field(factory=dict, converter=_read_only, repr=False, hash=False)
    handling: Handling = field(default=PLAIN, converter=handling_or_plain)
    permissions: Permissions = USUAL
