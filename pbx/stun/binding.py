"""
The Binding method of STUN: the question under which address we are seen, and the answer to it (RFC 8489 5, 14).
"""

from __future__ import annotations

import struct
import zlib
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSACTION: Final = 12
"""Bytes of a transaction's identifier, which are to be random: who can't see it can't answer in the server's place."""

LONGEST: Final = 2048
"""Bytes of an answer that are looked at: what servers add to an address stays below 200."""

_COOKIE: Final = 0x2112A442
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_MAPPED, _ERROR_CODE, _XOR_MAPPED, _FINGERPRINT = 0x0001, 0x0009, 0x0020, 0x8028

_UNDERSTOOD: Final = frozenset(range(0x0001, 0x000C)) | {0x0014, 0x0015, 0x001C, 0x0020}
"""
Attributes below 0x8000 that don't make an answer unusable: those of RFC 8489, and those of RFC 3489, whose servers are
still about and add SOURCE-ADDRESS and CHANGED-ADDRESS.
"""


class StunError(Exception):
    """
    A server's answer that gives no address, and why, in words.
    """


def binding_request(transaction: bytes) -> bytes:
    """
    The question under which address and port we are seen.

    Args:
        transaction: :data:`TRANSACTION` random bytes.

    Raises:
        ValueError: They are more or fewer.
    """
    if len(transaction) != TRANSACTION:
        raise ValueError(f"a transaction's identifier has {TRANSACTION} bytes")
    return struct.pack("!HHI", _REQUEST, 0, _COOKIE) + transaction


def mapped_address(data: bytes, transaction: bytes) -> tuple[str, int] | None:
    """
    The address and port under which the server has seen us.

    Args:
        data: A datagram that came from the server.
        transaction: The identifier of our question.

    Returns:
        The address and port; ``None`` when this is no answer to our question.

    Raises:
        StunError: It is one, and holds no address; why.
    """
    if not 20 <= len(data) <= LONGEST:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if cookie != _COOKIE or data[8:20] != transaction or length != len(data) - 20 or length % 4:
        return None
    if kind not in (_SUCCESS, _ERROR):
        return None
    found: dict[int, bytes] = {}
    for name, start, value in _attributes(data):
        if name == _FINGERPRINT:
            # RFC 8489 14.7: over everything before it; what is damaged is not ours.
            if value != struct.pack("!I", zlib.crc32(data[:start]) ^ 0x5354554E):
                return None
            break
        # RFC 8489 14: of several of a kind the first counts.
        found.setdefault(name, value)
    if kind == _ERROR:
        raise StunError(_refusal(found.get(_ERROR_CODE, b"")))
    # RFC 8489 6.3.3
    foreign = [name for name in found if name < 0x8000 and name not in _UNDERSTOOD]
    if foreign:
        raise StunError(f"the answer needs the attribute {foreign[0]:#06x} to be understood")
    if _XOR_MAPPED in found:
        return _address(found[_XOR_MAPPED], data[4:20])
    if _MAPPED in found:
        # RFC 8489 14.1: from servers of RFC 3489.
        return _address(found[_MAPPED], bytes(16))
    raise StunError("the answer names no address")


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """
    Each attribute as type, where it begins, and value.

    Raises:
        StunError: One goes beyond the end.
    """
    at = 20
    while at < len(data):
        name, length = struct.unpack_from("!HH", data, at)
        if at + 4 + length > len(data):
            raise StunError("the answer is cut off")
        yield name, at, data[at + 4 : at + 4 + length]
        # RFC 8489 14: padded to a multiple of four.
        at += 4 + length + -length % 4


def _address(value: bytes, mask: bytes) -> tuple[str, int]:
    """
    An address and port, each bit of which may have been turned round by cookie and transaction (RFC 8489 14.2).
    """
    length = {1: 4, 2: 16}.get(value[1]) if len(value) >= 4 else None
    if length is None or len(value) != 4 + length:
        raise StunError("the address in the answer is none")
    port = int.from_bytes(value[2:4], "big") ^ int.from_bytes(mask[:2], "big")
    plain = bytes(one ^ other for one, other in zip(value[4:], mask, strict=False))
    ip = IPv4Address(plain) if length == 4 else IPv6Address(plain)
    if ip.is_unspecified or ip.is_multicast:
        raise StunError(f"the address in the answer is {ip}")
    return str(ip), port


def _refusal(value: bytes) -> str:
    """
    An ERROR-CODE in words (RFC 8489 14.8).
    """
    if len(value) < 4:
        return "the server refused without a reason"
    reason = "".join(char if char.isprintable() else "?" for char in value[4:132].decode("utf-8", "replace"))
    return f"the server refused: {(value[2] & 7) * 100 + value[3]} {reason}".rstrip()
