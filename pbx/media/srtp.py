"""
SRTP (RFC 3711) with the keys of the SDP (RFC 4568): one context a direction.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from pylibsrtp import Error, Policy, Session

from pbx.sdp.audio import Crypto
from pbx.sdp.offer_answer import choose_crypto

if TYPE_CHECKING:
    from collections.abc import Sequence

SUITES: Final = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
"""What is served, in order of preference (RFC 4568 6.2), and libsrtp's name for it."""

KEY_SALT_LENGTH: Final = 30
"""Bytes of master key (16) and master salt (14) of both suites."""

MAX_PACKET: Final = 1300
"""Longest packet that is protected: libsrtp's binding has room for 1,500 bytes with the trailer."""

REPLAY_WINDOW: Final = 1024
"""Packets that may come late: 20 s of sound; RFC 3711 3.3.2 asks for at least 64."""


def offered_keys() -> tuple[Crypto, ...]:
    """
    New keys for an offer, one for each suite.
    """
    return tuple(
        Crypto(tag, suite, secrets.token_bytes(KEY_SALT_LENGTH)) for tag, suite in enumerate(SUITES, start=1)
    )


def answered_key(offered: Sequence[Crypto]) -> tuple[Crypto, ...]:
    """
    A new key for the first offered line that can be used, none when no line can (RFC 4568 5.1.2).
    """
    accepted = choose_crypto(offered, SUITES)
    if accepted is None:
        return ()
    return (Crypto(accepted.tag, accepted.suite, secrets.token_bytes(KEY_SALT_LENGTH)),)


class Protector:
    """
    What turns our RTP and RTCP into SRTP and SRTCP.
    """

    def __init__(self, crypto: Crypto) -> None:
        self.crypto = crypto
        self._session = Session(_policy(crypto, Policy.SSRC_ANY_OUTBOUND))

    def rtp(self, packet: bytes) -> bytes | None:
        """
        An RTP packet protected; ``None`` when it can't be, because it is far too old or too long.
        """
        try:
            return self._session.protect(packet) if len(packet) <= MAX_PACKET else None
        except Error:
            return None

    def rtcp(self, packet: bytes) -> bytes | None:
        """
        An RTCP compound protected; ``None`` when it can't be.
        """
        try:
            return self._session.protect_rtcp(packet) if len(packet) <= MAX_PACKET else None
        except Error:
            return None


class Opener:
    """
    What turns the peer's SRTP and SRTCP into RTP and RTCP.
    """

    def __init__(self, crypto: Crypto) -> None:
        self.crypto = crypto
        self._session = Session(_policy(crypto, Policy.SSRC_ANY_INBOUND))

    def rtp(self, packet: bytes) -> bytes | None:
        """
        The RTP packet; ``None`` when it is forged, replayed or no SRTP.
        """
        try:
            return self._session.unprotect(packet)
        except (Error, ValueError):
            return None

    def rtcp(self, packet: bytes) -> bytes | None:
        """
        The RTCP compound; ``None`` when it is forged, replayed or no SRTCP.
        """
        try:
            return self._session.unprotect_rtcp(packet)
        except (Error, ValueError):
            return None


def _policy(crypto: Crypto, kind: int) -> Policy:
    if crypto.suite not in SUITES:
        raise ValueError(f"no SRTP suite {crypto.suite}")
    policy = Policy(key=crypto.key_salt, ssrc_type=kind, srtp_profile=SUITES[crypto.suite])
    # A relayed packet may have been doubled or overtaken on its way to us.
    policy.allow_repeat_tx = True
    policy.window_size = REPLAY_WINDOW
    return policy
