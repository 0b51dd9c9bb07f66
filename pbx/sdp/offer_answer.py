"""
Offers and answers of one audio stream (RFC 3264), from the side that we are.

A description once sent is never written anew when nothing in it changed: :func:`revised` gives it back as it was.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from pbx.sdp.audio import DIRECTIONS, PROFILES, SECURE_PROFILES, audio_of
from pbx.sdp.session import Connection, MediaDescription, Origin, SessionDescription

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pbx.sdp.audio import Audio, Crypto, Format
    from pbx.sdp.session import Attribute


@attrs.frozen
class Local:
    """
    Where we receive the media of a leg.

    Attributes:
        host: The numeric address as the peer knows it.
        port: The RTP port.
        rtcp_mux: Whether we can have RTCP on the same port (RFC 5761).
        rtcp_port: The RTCP port; ``None`` for the one after ``port``.
        ptime: The milliseconds of sound we want in a packet; ``None`` says nothing.
    """

    host: str
    port: int
    rtcp_mux: bool = False
    rtcp_port: int | None = None
    ptime: int | None = 20


def make_offer(
    local: Local,
    formats: Sequence[Format],
    *,
    session_id: int,
    version: int,
    direction: str = "sendrecv",
    profile: str = "RTP/AVP",
    cryptos: Sequence[Crypto] = (),
    previous: SessionDescription | None = None,
) -> SessionDescription:
    """
    An offer of one audio stream (RFC 3264 5).

    Args:
        local: Where we receive.
        formats: What we offer, preferred first, with the payload types we want to receive.
        session_id: The same through the whole dialog.
        version: One more than that of our previous description, if this one differs (:func:`revised`).
        direction: Which way, seen from us.
        profile: One of :data:`~pbx.sdp.audio.PROFILES`.
        cryptos: Our keys, for the secure profiles, or with RTP/AVP where encryption is optional.
        previous: Our previous description in this dialog. Its media lines keep their places (RFC 3264 8).

    Raises:
        ValueError: There is nothing to offer, or the keys and the profile don't go together.
    """
    if not formats:
        raise ValueError("an offer needs a format")
    if profile not in PROFILES:
        raise ValueError(f"{profile!r} is not served")
    if profile in SECURE_PROFILES and not cryptos:
        raise ValueError(f"{profile} needs a key")
    media = _media(local, formats, direction, profile, cryptos, local.rtcp_mux)
    lines = [_refused(line) for line in previous.media] if previous is not None else []
    place = _place(previous)
    lines[place : place + 1] = [media]
    return _described(local, lines, session_id, version)


def make_answer(
    offer: SessionDescription,
    local: Local,
    formats: Sequence[Format],
    *,
    session_id: int,
    version: int,
    direction: str = "sendrecv",
    cryptos: Sequence[Crypto] = (),
    audio: Audio | None = None,
) -> SessionDescription:
    """
    The answer to an offer (RFC 3264 6): one audio stream taken, all others refused in their places.

    Args:
        offer: The peer's.
        local: Where we receive.
        formats: What we take, with the offer's payload types (:func:`choose`). None refuses the audio as well.
        session_id: The same through the whole dialog.
        version: One more than that of our previous description, if this one differs (:func:`revised`).
        direction: Which way, seen from us (:func:`answered_direction`).
        cryptos: Our key, with the tag of the one we chose (:func:`choose_crypto`).
        audio: The stream we take; by default the one of :func:`~pbx.sdp.audio.audio_of`.

    Raises:
        ValueError: The keys don't go with what was offered.
        SDPError: The offer's audio has no address, or one that we won't send to.
    """
    if audio is None:
        audio = audio_of(offer)
    taken = audio.index if audio is not None and formats else -1
    lines = [line if index == taken else _refused(line) for index, line in enumerate(offer.media)]
    if audio is not None and formats:
        # RFC 3264 6.1: the same transport. RFC 4568 5.1.2: keys are answered where keys were offered; phones that
        # offer RTP/AVP with keys take it for a refusal of encryption when the answer has none.
        if audio.profile in SECURE_PROFILES and not cryptos:
            raise ValueError(f"an answer to {audio.profile} needs a key")
        if cryptos and not audio.is_secure:
            raise ValueError("a key in the answer to an offer without one")
        # RFC 5761 5.1.1: only where the offer has it.
        mux = local.rtcp_mux and audio.rtcp_mux
        lines[audio.index] = _media(local, formats, direction, audio.profile, cryptos, mux)
    return _described(local, lines, session_id, version)


def choose(offered: Sequence[Format], supported: Sequence[Format]) -> list[Format]:
    """
    What an answer takes of the offered formats, in the offerer's order and with its payload types.

    Args:
        offered: The peer's formats.
        supported: What the answering side can do, in any order and with any payload types.

    Returns:
        Nothing where there is no common codec. Telephone events and comfort noise are taken only at the clock rate
        of a codec taken (RFC 4733 2.1: they share its timestamps).
    """
    return list(_choose(tuple(offered), tuple(supported)))


@lru_cache(maxsize=512)  # The few formats of a site's phones come in every call; a stranger's push out each other.
def _choose(offered: tuple[Format, ...], supported: tuple[Format, ...]) -> Sequence[Format]:
    chosen = []
    for candidate in offered:
        for own in supported:
            if candidate.matches(own):
                chosen.append(candidate.answered_by(own))
                break
    clocks = {taken.clock for taken in chosen if taken.is_sound}
    return [taken for taken in chosen if taken.clock in clocks]


def choose_crypto(offered: Sequence[Crypto], suites: Collection[str]) -> Crypto | None:
    """
    The peer's key that an answer accepts: the first of its order that we can use (RFC 4568 5.1.2).

    Args:
        offered: The peer's keys.
        suites: The suites we have.
    """
    return next((crypto for crypto in offered if crypto.suite in suites and crypto.is_usable), None)


def answered_direction(offered: Audio | str, wanted: str = "sendrecv") -> str:
    """
    The direction of the answer, seen from us (RFC 3264 6.1).

    Args:
        offered: The peer's audio or its direction. An address that is none is answered ``inactive``: nothing can go
            there, and the phones that still write 0.0.0.0 (RFC 2543 hold) send nothing either.
        wanted: What we would have; the answer never says more.
    """
    direction = offered if isinstance(offered, str) else "inactive" if offered.held_by_address else offered.direction
    sends = wanted in ("sendrecv", "sendonly") and direction in ("sendrecv", "recvonly")
    receives = wanted in ("sendrecv", "recvonly") and direction in ("sendrecv", "sendonly")
    if sends:
        return "sendrecv" if receives else "sendonly"
    return "recvonly" if receives else "inactive"


def unchanged(previous: SessionDescription, new: SessionDescription) -> bool:
    """
    Whether two descriptions of one side say the same of the media.

    The ``o=`` line is not asked: there are phones that raise its version with each session refresh, and others that
    never do. Neither is what people read (``s=``, ``i=``), nor the times.
    """
    return (
        previous.media == new.media
        and previous.connection == new.connection
        and previous.attributes == new.attributes
    )


def revised(
    previous: SessionDescription | None, new: SessionDescription, least: int = 0
) -> SessionDescription:
    """
    What to send in place of our previous description of this dialog.

    Args:
        previous: The last one that we sent, offer or answer, or ``None``.
        new: The one we would send now, with any version.
        least: The highest version that was sent, which may have been that of an offer since refused.

    Returns:
        The previous one itself when nothing changed, so that it goes out byte for byte (RFC 3264 8: the same
        version); else the new one with the session's identifier and the next version.
    """
    if previous is None:
        return new
    if unchanged(previous, new):
        return previous
    version = str(max(int(previous.origin.version), least) + 1)
    return attrs.evolve(
        new, origin=attrs.evolve(new.origin, session_id=previous.origin.session_id, version=version)
    )


def _place(previous: SessionDescription | None) -> int:
    # Where our audio stands: the line in use, or, when the peer refused it, the first that was audio.
    if previous is None or not previous.media:
        return 0
    audio = [index for index, line in enumerate(previous.media) if line.kind == "audio"]
    in_use = [index for index in audio if previous.media[index].port]
    # RFC 3264 8.1: with no audio line before, one is added at the end.
    return next(iter(in_use or audio), len(previous.media))


def _refused(line: MediaDescription) -> MediaDescription:
    # RFC 3264 6: port zero; a format must stand there, and is ignored.
    return MediaDescription(line.kind, 0, line.profile, line.formats[:1])


def _described(local: Local, media: list[MediaDescription], session_id: int, version: int) -> SessionDescription:
    connection = Connection.to(local.host)
    origin = Origin("-", str(session_id), str(version), local.host, connection.family)
    return SessionDescription(origin, connection, (), tuple(media))


def _media(
    local: Local,
    formats: Sequence[Format],
    direction: str,
    profile: str,
    cryptos: Sequence[Crypto],
    mux: bool,
) -> MediaDescription:
    if direction not in DIRECTIONS:
        raise ValueError(f"{direction!r} is no direction")
    numbers, described = _written(tuple(formats))
    attributes = [*described]
    if local.ptime is not None:
        attributes.append(("ptime", str(local.ptime)))
    attributes += [("crypto", str(crypto)) for crypto in cryptos]
    if local.rtcp_port is not None and local.rtcp_port != local.port + 1:
        attributes.append(("rtcp", str(local.rtcp_port)))
    if mux:
        attributes.append(("rtcp-mux", None))
    attributes.append((direction, None))
    return MediaDescription("audio", local.port, profile, numbers, None, tuple(attributes))


@lru_cache(maxsize=512)
def _written(formats: tuple[Format, ...]) -> tuple[tuple[str, ...], tuple[Attribute, ...]]:
    """
    The payload types of an ``m=`` line, and the attributes that say what they are.
    """
    attributes: list[Attribute] = []
    for item in formats:
        attributes.append(("rtpmap", item.rtpmap))
        if item.fmtp:
            attributes.append(("fmtp", f"{item.payload_type} {item.fmtp}"))
    return tuple([str(item.payload_type) for item in formats]), tuple(attributes)
