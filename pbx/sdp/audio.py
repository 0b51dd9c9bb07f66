"""
What a description says of its sound: where it goes, in which formats, which way, and under which keys.

RFC 8866 for the attributes, RFC 3551 for the payload types that need none, RFC 3605 and RFC 5761 for RTCP, RFC 4568
for the keys.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

import attrs

from pbx.sdp import fmtp as parameters
from pbx.sdp.session import Connection, SDPError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pbx.sdp.session import Attribute, MediaDescription, SessionDescription

DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
"""Which way the media flows, seen from who writes it (RFC 8866 6.7)."""

PLAIN_PROFILES = frozenset({"RTP/AVP", "RTP/AVPF"})
"""RTP without encryption (RFC 3551), and with early feedback (RFC 4585)."""

SECURE_PROFILES = frozenset({"RTP/SAVP", "RTP/SAVPF"})
"""SRTP (RFC 3711), and with early feedback (RFC 5124)."""

PROFILES = PLAIN_PROFILES | SECURE_PROFILES
"""The profiles that are served."""

STATIC = {
    0: ("PCMU", 8_000, 1),
    # Reserved by RFC 3551 and G.721, the same codec, before it: Cisco SPA still writes 2.
    2: ("G726-32", 8_000, 1),
    3: ("GSM", 8_000, 1),
    4: ("G723", 8_000, 1),
    5: ("DVI4", 8_000, 1),
    6: ("DVI4", 16_000, 1),
    7: ("LPC", 8_000, 1),
    8: ("PCMA", 8_000, 1),
    # RFC 3551 4.5.2: G.722 samples at 16 kHz and is written with 8,000, an error that is now the rule.
    9: ("G722", 8_000, 1),
    10: ("L16", 44_100, 2),
    11: ("L16", 44_100, 1),
    12: ("QCELP", 8_000, 1),
    13: ("CN", 8_000, 1),
    14: ("MPA", 90_000, 1),
    15: ("G728", 8_000, 1),
    16: ("DVI4", 11_025, 1),
    17: ("DVI4", 22_050, 1),
    18: ("G729", 8_000, 1),
}
"""Name, clock rate and channels of the audio payload types that need no ``a=rtpmap`` (RFC 3551 table 4)."""

MAX_CLOCK = 384_000
"""The fastest clock of a format that is read, in Hz: twice what sound hardware has."""

MAX_NAME = 40
"""The longest format name that is read, in characters: the longest registered for audio has 16."""

MAX_AUDIO_FORMATS = 48
"""The most formats taken of an audio stream: twice what Linphone lists with every codec it has switched on."""

MAX_CRYPTOS = 16
"""The most ``a=crypto`` lines read: one a suite is usual, and there are nine suites."""

MAX_PTIME = 200
"""The longest packet read from ``a=ptime``, in milliseconds (RFC 3551 4.2: be able to receive 0 to 200)."""

KEY_LENGTHS = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "F8_128_HMAC_SHA1_80": 30,
    "AES_192_CM_HMAC_SHA1_80": 38,
    "AES_192_CM_HMAC_SHA1_32": 38,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
"""The bytes of key and salt together, by suite (RFC 4568 6.2, RFC 6188 2.1, RFC 7714 14.2)."""

SAME_NAMES = {"g729a": "g729", "g729b": "g729", "g729ab": "g729"}
"""Other names of a codec: Cisco SPA and Linksys write ``G729a`` for what RFC 3551 4.5.6 calls G729 with all annexes."""

TELEPHONE_EVENT = "telephone-event"
"""Keys pressed, as RFC 4733 sends them."""

NOT_SOUND = frozenset({TELEPHONE_EVENT, "tone", "cn"})
"""Formats that go beside a codec and are none."""


def _codec(item: Format) -> str:
    name = item.name.lower()
    return SAME_NAMES.get(name, name)


def _layout(item: Format) -> tuple[str, ...]:
    return parameters.layout(item.codec, item.fmtp)


# Its hash is kept: a call asks for it some forty times, to look up what its formats came to in the calls before.
@attrs.frozen(cache_hash=True)
class Format:
    """
    One way to fill RTP packets, with the payload type that stands for it in one description.

    Attributes:
        payload_type: 0 to 127.
        name: The encoding's name as written; case does not matter.
        clock: The clock rate of the RTP timestamp in Hz.
        channels: 1 for mono.
        fmtp: The format's parameters as written, empty for none.
        codec: The encoding's name in lower case, one name for one codec.
    """

    payload_type: int
    name: str
    clock: int = 8_000
    channels: int = 1
    fmtp: str = ""
    codec: str = attrs.field(
        init=False, eq=False, order=False, repr=False, default=attrs.Factory(_codec, takes_self=True)
    )
    # Kept too, for an offer of many formats is compared with another of many.
    _layout: tuple[str, ...] = attrs.field(
        init=False, eq=False, order=False, repr=False, default=attrs.Factory(_layout, takes_self=True)
    )

    @property
    def is_telephone_event(self) -> bool:
        """
        Whether it carries keys pressed (RFC 4733).
        """
        return self.codec == TELEPHONE_EVENT

    @property
    def is_sound(self) -> bool:
        """
        Whether it is a codec: not telephone events, tones or comfort noise (RFC 3389).
        """
        return self.codec not in NOT_SOUND

    @property
    def rtpmap(self) -> str:
        """
        The value of its ``a=rtpmap`` line (RFC 8866 6.6).
        """
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock}{channels}"

    def matches(self, other: Format) -> bool:
        """
        Whether both are the same format, so that packets of one are packets of the other with its payload type.

        Name, clock rate and channels are compared, and the parameters that change the bits on the wire.
        """
        return (
            self.codec == other.codec
            and self.clock == other.clock
            and self.channels == other.channels
            and parameters.compatible(self._layout, other._layout)
        )

    def answered_by(self, other: Format) -> Format:
        """
        This offered format as a side that supports ``other`` answers it: its payload type, the parameters of both.
        """
        fmtp = parameters.agreed(self.codec, self.fmtp, other.fmtp)
        if fmtp == self.fmtp:
            return self
        return Format(self.payload_type, self.name, self.clock, self.channels, fmtp)


@attrs.frozen
class Crypto:
    """
    One ``a=crypto`` line: the key under which its writer sends (RFC 4568).

    Attributes:
        tag: The number by which the answer names it.
        suite: The cipher and authentication, such as ``AES_CM_128_HMAC_SHA1_80``.
        key_salt: Master key and master salt; never shown.
        params: The session parameters, such as ``UNENCRYPTED_SRTP``, as written.
        mki_length: The bytes of master key identifier in each packet, 0 for none.
        mki: Its value.
    """

    tag: int
    suite: str
    key_salt: bytes = attrs.field(repr=False)
    params: tuple[str, ...] = ()
    mki_length: int = 0
    mki: int = 0

    @classmethod
    def parse(cls, value: str) -> Crypto:
        """
        The key that the text after ``a=crypto:`` tells.

        Raises:
            SDPError: It is no line of RFC 4568, has several keys, or a key of the wrong length.
        """
        # The value is left out of what is said: it is a secret.
        found = CRYPTO.fullmatch(value)
        if found is None:
            raise SDPError("a=crypto is not tag, suite and one inline key")
        tag, suite, key, rest, params = found.groups()
        mki, _, length = rest.rpartition("|")[2].partition(":") if ":" in rest else ("0", "", "0")
        if not (mki.isdecimal() and length.isdecimal() and int(length) <= 128):
            raise SDPError("a=crypto has a master key identifier that is no number")
        try:
            # Some leave out the padding.
            key_salt = b64decode(key + "=" * (-len(key) % 4), validate=True)
        except binascii.Error as error:
            raise SDPError("a=crypto has a key that is not base64") from error
        if len(key_salt) != KEY_LENGTHS.get(suite, len(key_salt)):
            raise SDPError(f"a=crypto has {len(key_salt)} bytes of key and salt for {suite[:40]}")
        return cls(int(tag), suite, key_salt, tuple(params.split()), int(length), int(mki))

    @property
    def is_usable(self) -> bool:
        """
        Whether it asks for nothing beyond its suite: no key identifier, no session parameter that must be heeded.
        """
        # RFC 4568 6.3.7: parameters that begin with "-" may be ignored. WSH, the window of 6.3.6, is only a hint.
        return self.mki_length == 0 and all(param[0] == "-" or param.startswith("WSH=") for param in self.params)

    def __str__(self) -> str:
        mki = f"|{self.mki}:{self.mki_length}" if self.mki_length else ""
        line = f"{self.tag} {self.suite} inline:{b64encode(self.key_salt).decode('ascii')}{mki}"
        return " ".join([line, *self.params])


CRYPTO = re.compile(r"(\d{1,9}) +(\w{1,64}) +inline:([A-Za-z0-9+/=]{1,172})((?:\|[^\s|;]{1,40}){0,2})((?: +[!-~]+)*) *")
"""RFC 4568 9.2 with one key; a lifetime is read over, for no call lasts 2^48 packets."""


def _next_port(audio: Audio) -> int:
    return min(audio.port + 1, 65_535)


@attrs.frozen
class Audio:
    """
    One audio stream as its side describes it.

    Attributes:
        host: The numeric address its side receives at.
        port: The port its side receives RTP at, 1 to 65535.
        formats: The formats in its order of preference, with the payload types its side wants to receive.
        direction: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``, seen from its side.
        profile: One of :data:`PROFILES`.
        rtcp_port: The port its side receives RTCP at when that is not sent to ``port``.
        rtcp_host: The address for that, usually ``host``.
        rtcp_mux: Whether its side can have RTCP on ``port`` (RFC 5761).
        ptime: The milliseconds of sound it wants in a packet, ``None`` if it does not say.
        cryptos: Its keys in order of preference; lines that can't be read are not among them.
        held_by_address: Its address says that nothing may be sent: 0.0.0.0, :: or a name in .invalid
            (RFC 3264 8.4, RFC 6157 5).
        index: The place of its ``m=`` line, from 0.
    """

    host: str
    port: int
    formats: tuple[Format, ...] = ()
    direction: str = "sendrecv"
    profile: str = "RTP/AVP"
    rtcp_port: int = attrs.field(default=attrs.Factory(_next_port, takes_self=True))
    rtcp_host: str = attrs.field(default=attrs.Factory(lambda self: self.host, takes_self=True))
    rtcp_mux: bool = False
    ptime: int | None = None
    cryptos: tuple[Crypto, ...] = ()
    held_by_address: bool = False
    index: int = 0

    @property
    def is_secure(self) -> bool:
        """
        Whether it is SRTP: by its profile, or RTP/AVP with keys, as Snom, Grandstream and Cisco offer it when optional.
        """
        return self.profile in SECURE_PROFILES or bool(self.cryptos)

    @property
    def sends(self) -> bool:
        """
        Whether its direction lets its side send.
        """
        return self.direction in ("sendrecv", "sendonly")

    @property
    def receives(self) -> bool:
        """
        Whether its direction and address let its side receive.
        """
        return not self.held_by_address and self.direction in ("sendrecv", "recvonly")


def audio_of(description: SessionDescription, profiles: Collection[str] = PROFILES) -> Audio | None:
    """
    The audio stream that is taken of a description: the first that is not refused.

    Args:
        description: Either side's.
        profiles: Streams of other profiles are passed over.

    Raises:
        SDPError: That stream has no address, or one that we won't send to.
    """
    return next(audios_of(description, profiles), None)


def audios_of(description: SessionDescription, profiles: Collection[str] = PROFILES) -> Iterator[Audio]:
    """
    All audio streams of a description that are not refused, in order; phones with optional SRTP offer two.

    Raises:
        SDPError: One has no address, or one that we won't send to.
    """
    for index, media in enumerate(description.media):
        if media.kind == "audio" and media.port and media.profile in profiles:
            yield _audio(description, media, index)


def _audio(description: SessionDescription, media: MediaDescription, index: int) -> Audio:
    connection = media.connection or description.connection
    if connection is None:
        raise SDPError("the audio has no c= line of its own, and the session has none")
    host, held = _address(connection.host)
    # Keys are secret, and never the same twice: they are not kept.
    told = _told if "crypto" in dict(media.attributes) else _kept
    formats, direction, mux, ptime, rtcp, cryptos = told(media.formats, media.attributes)
    if not direction:
        # RFC 8866 6.7: the session's counts for the media that say nothing, and without any it is sendrecv.
        direction = next((name for name, _ in description.attributes if name in DIRECTIONS), "sendrecv")
    rtcp_host, rtcp_port = _rtcp(rtcp, host, media.port)
    return Audio(
        host,
        media.port,
        formats,
        direction,
        media.profile,
        rtcp_port,
        rtcp_host,
        mux,
        ptime,
        cryptos,
        held,
        index,
    )


_Told: TypeAlias = "tuple[tuple[Format, ...], str, bool, int | None, str | None, tuple[Crypto, ...]]"


def _told(texts: tuple[str, ...], attributes: tuple[Attribute, ...]) -> _Told:
    """
    What the attributes of an audio stream say: its formats, direction, RTCP on the same port, packet time, RTCP port
    and keys.
    """
    rtpmaps: dict[str, str] = {}
    fmtps: dict[str, str] = {}
    cryptos: list[Crypto] = []
    direction, mux, ptime, rtcp = "", False, None, None
    for name, value in attributes:
        if name == "rtpmap":
            payload_type, _, text = (value or "").partition(" ")
            rtpmaps.setdefault(payload_type, text)
        elif name == "fmtp":
            payload_type, _, text = (value or "").partition(" ")
            fmtps.setdefault(payload_type, text)
        elif name in DIRECTIONS:
            direction = direction or name
        elif name == "crypto":
            if len(cryptos) < MAX_CRYPTOS:
                cryptos += _readable(value or "")
        elif name == "rtcp-mux":
            mux = True
        elif name == "ptime":
            ptime = ptime or _ptime(value or "")
        elif name == "rtcp":
            rtcp = rtcp or value
    formats = {
        text: found
        for text in texts[:MAX_AUDIO_FORMATS]
        if (found := _format(text, rtpmaps.get(text, ""), fmtps.get(text, ""))) is not None
    }
    return tuple(formats.values()), direction, mux, ptime, rtcp, tuple(cryptos)


_kept = lru_cache(maxsize=256)(_told)
"""The same, for what the few models of a site's phones say in every call."""


@lru_cache(maxsize=512)  # The few formats of a site's phones come in every call; a stranger's push out each other.
def _format(text: str, rtpmap: str, fmtp: str) -> Format | None:
    payload_type = _decimal(text, 127)
    if payload_type is None:
        return None
    found = RTPMAP.fullmatch(rtpmap)
    if found is not None and 0 < int(found[2]) <= MAX_CLOCK:
        return Format(payload_type, found[1], int(found[2]), int(found[3] or 1), fmtp.strip())
    # No rtpmap, or one that can't be read: then only a static type means anything.
    static = STATIC.get(payload_type)
    return Format(payload_type, *static, fmtp.strip()) if static is not None else None


RTPMAP = re.compile(rf"\s*([!-.0-~]{{1,{MAX_NAME}}})/([0-9]{{1,6}})(?:/([1-9][0-9]?))?\s*")
"""``name/clock/channels`` (RFC 8866 6.6)."""


@lru_cache(maxsize=4096)  # One entry for each phone of a large site.
def _address(host: str) -> tuple[str, bool]:
    if host.lower().endswith(".invalid"):
        return host, True
    try:
        address = ip_address(host)
    except ValueError as error:
        # RFC 8866 5.7 allows a name; looking it up would make the call wait, and nobody writes one.
        raise SDPError(f"the address of the audio is not numeric: {host[:80]!r}") from error
    if address.is_multicast or host == "255.255.255.255":
        # A stranger must not make us send to everyone.
        raise SDPError(f"the address of the audio is not one host's: {host}")
    return host, address.is_unspecified


def _rtcp(value: str | None, host: str, port: int) -> tuple[str, int]:
    # RFC 3605 2.1: the port, and the address if it is another.
    fields = (value or "").split()
    rtcp_port = (_decimal(fields[0], 65_535) if fields else None) or min(port + 1, 65_535)
    if len(fields) == 4 and fields[3] != host:
        try:
            rtcp_host, nowhere = _address(Connection(fields[3], fields[2]).host)
        except SDPError:
            return host, rtcp_port
        # Browsers write 0.0.0.0 there whatever the c= line says.
        return host if nowhere else rtcp_host, rtcp_port
    return host, rtcp_port


def _ptime(value: str) -> int | None:
    # Some write 20.0.
    return _decimal(value.strip().partition(".")[0], MAX_PTIME) or None


def _decimal(text: str, largest: int) -> int | None:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= largest:
        return int(text)
    return None


def _readable(value: str) -> list[Crypto]:
    try:
        return [Crypto.parse(value)]
    except SDPError:
        # RFC 4568 7.1.1: a line that is not understood is passed over, the next may be.
        return []
