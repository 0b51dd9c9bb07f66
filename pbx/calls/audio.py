"""
The audio of one leg: its RTP session, and the offers and answers that describe it (RFC 3264).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from twisted.logger import Logger

from pbx.media.ports import PortsExhausted
from pbx.media.srtp import answered_key, offered_keys
from pbx.sdp.audio import PLAIN_PROFILES, PROFILES, SECURE_PROFILES, Audio, audio_of
from pbx.sdp.mapping import Agreed, agreed, codec_of, renumbered
from pbx.sdp.offer_answer import Local, answered_direction, make_answer, make_offer, revised
from pbx.sdp.session import SDPError, SessionDescription
from pbx.sip.message import ProtocolError
from pbx.sip.token import random_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pbx.directory.trunk import SrtpUse
    from pbx.media.engine import IMediaEngine
    from pbx.media.quality import LegQuality
    from pbx.sdp.audio import Crypto, Format
    from pbx.transport.flow import Flow


log = Logger()


class LegAudio:
    """
    What one phone hears and says.

    Args:
        engine: Opens the RTP session.
        flow: The phone's flow: its local address is the one media is received at.
        call_id: For the log.
        srtp_in_clear: Whether keys are taken and given over a transport that anybody can read.

    Attributes:
        session: The RTP session.
        keys_allowed: Whether SRTP keys may be given and taken.
        peer_host: Where the phone's signalling comes from, and its media may.
        formats: What both sides agreed on, ``None`` before that.
        wanted: The most that we would do: ``sendrecv``, but towards a trunk that is told of hold. An answer never says
            more than the offer lets it.
        remote: The peer's last description of its audio.
        offered_formats: The formats of the peer's offer that waits for our answer.

    Raises:
        PortsExhausted: No port is free.
    """

    def __init__(self, engine: IMediaEngine, flow: Flow, call_id: str, *, srtp_in_clear: bool = False) -> None:
        try:
            self.session = engine.open(flow.local[0], flow.sent_by[0], call_id=call_id)
        except OSError as error:
            # Our address has just gone, or the process has no file left.
            log.error(
                "{call_id}: no socket for media at {host}: {error}", call_id=call_id, host=flow.local[0], error=error
            )
            raise PortsExhausted(str(error)) from error
        self.keys_allowed = srtp_in_clear or flow.transport == "TLS"
        self._session_id = int.from_bytes(random_bytes(4), "big") >> 1
        self._version = 0
        self._local: SessionDescription | None = None
        self._local_formats: tuple[Format, ...] = ()
        self._local_cryptos: tuple[Crypto, ...] = ()
        self._direction = "sendrecv"
        self._before: tuple[SessionDescription | None, tuple[Format, ...], str, bool] | None = None
        self._pending: tuple[SessionDescription, Audio] | None = None
        self._mux = False
        self._codecs: tuple[str, ...] = ()
        self._secured = False
        self.peer_host = flow.remote[0]
        self.wanted = "sendrecv"
        self.remote: Audio | None = None
        self.formats: Agreed | None = None
        self.closed: LegQuality | None = None

    @property
    def codec(self) -> str:
        """
        The name of the agreed codec, empty before there is one.
        """
        found = self.formats.codec if self.formats is not None else None
        return found.name if found is not None else ""

    @property
    def held_by_peer(self) -> bool:
        """
        Whether the phone has put us on hold: it does not want to hear.
        """
        return self.remote is not None and not self.remote.receives

    @property
    def offered_formats(self) -> tuple[Format, ...] | None:
        """
        The formats of the offer that waits for its answer, ``None`` where there is no offer.
        """
        return self._pending[1].formats if self._pending is not None else None

    def restrict(self, codecs: Sequence[str], srtp: SrtpUse) -> None:
        """
        Go by what is set for a trunk.

        Args:
            codecs: The names of those that may be used, the preferred first; empty for any.
            srtp: Whether the sound is encrypted.
        """
        self._codecs = tuple(name.lower() for name in codecs)
        self._secured = srtp == "required"
        self.keys_allowed = self.keys_allowed and srtp != "off"

    @property
    def profile(self) -> str:
        """
        The transport of the media that is offered first.
        """
        return "RTP/SAVP" if self._secured else "RTP/AVP"

    def permitted(self, formats: Sequence[Format]) -> list[Format]:
        """
        Those of some formats that may be offered, in the order wanted.

        Raises:
            ProtocolError: 488 when keys must be offered and may not.
        """
        if self._secured and not self.keys_allowed:
            raise ProtocolError(488, "SRTP keys need TLS")
        if not self._codecs:
            return list(formats)
        codecs = [item for name in self._codecs for item in formats if item.codec == name]
        clocks = {item.clock for item in codecs}
        return codecs + [item for item in formats if item.is_telephone_event and item.clock in clocks]

    # Our offer, their answer.

    def offer(self, formats: Sequence[Format], *, profile: str = "RTP/AVP") -> bytes:
        """
        Describe what we offer, with keys where the transport hides them.
        """
        if not self._local_cryptos and self.keys_allowed:
            self._local_cryptos = offered_keys()
        self._local_formats = tuple(formats)
        self._direction = self.wanted
        self._mux = False
        return self._write(
            make_offer(
                Local(self.session.host, self.session.port), formats, session_id=self._session_id, version=1,
                direction=self.wanted, profile=profile,
                cryptos=self._local_cryptos if self.keys_allowed else (), previous=self._local,
            )
        )

    def answered(self, sdp: bytes) -> None:
        """
        Take the peer's answer to our offer, and go by it.

        Raises:
            ProtocolError: 488 when nothing of ours was taken.
        """
        audio = self._read(sdp)[1]
        formats = agreed(self._local_formats, audio.formats)
        if codec_of(formats.send) is None:
            raise ProtocolError(488, "No codec in common")
        if audio.profile in SECURE_PROFILES and self._chosen(audio, self._local_cryptos) is None:
            # RFC 4568 5.1.3: without a key it would be sound in the clear under a name that promises more.
            raise ProtocolError(488, "No SRTP suite in common")
        self.formats = formats
        self.remote = audio
        self._before = None
        self._configure(self._local_cryptos if audio.cryptos else ())

    # Their offer, our answer.

    def offered(self, sdp: bytes) -> Audio:
        """
        Read the peer's offer; it is answered by :meth:`answer`.

        Raises:
            ProtocolError: 488 when there is no audio in it that can be served.
        """
        description, audio = self._read(sdp)
        if audio.profile in SECURE_PROFILES and not answered_key(audio.cryptos):
            raise ProtocolError(488, "No SRTP suite in common")
        self._pending = description, audio
        return audio

    def answer(self, formats: Sequence[Format]) -> bytes:
        """
        Answer the offer, and go by both.

        Args:
            formats: What we take of it, with its payload types.
        """
        if self._pending is None:
            raise ValueError("there is no offer to answer")
        (description, self.remote), self._pending = self._pending, None
        audio = self.remote
        self._direction = answered_direction(audio, self.wanted)
        keys: tuple[Crypto, ...] = ()
        if self.keys_allowed and audio.cryptos:
            keys = self._same_key(audio) or answered_key(audio.cryptos)
        self._local_formats = tuple(formats)
        self._local_cryptos = keys
        self.formats = agreed(formats, audio.formats)
        # RTCP on the same port is answered where it is offered (RFC 5761 5.1.1); not offered, since it gains nothing
        # between two open ports.
        place = Local(self.session.host, self.session.port, rtcp_mux=True)
        answer = make_answer(
            description, place, formats, session_id=self._session_id, version=1, direction=self._direction,
            cryptos=keys, audio=audio,
        )
        self._mux = True
        # An offer of ours that waits for another try is overtaken: there is nothing to go back to.
        self._before = None
        self._configure(keys)
        return self._write(answer)

    def offer_again(self, formats: Sequence[Format], *, for_good: bool = False) -> bytes:
        """
        Describe what we offer in a session that is up, in the formats' order; :meth:`withdraw` takes it back.

        Again, before there was an answer, the earlier one is as if it had not been.

        Args:
            formats: What is offered; each gets the payload type that it has in the session.
            for_good: Whether it can't be refused: without an answer the session ends.
        """
        if for_good:
            self._before = None
        elif self._before is None:
            self._before = (self._local, self._local_formats, self._direction, self._mux)
        remote = self.remote
        used = self._local_formats if remote is None else (*self._local_formats, *remote.formats)
        profile = "RTP/AVP" if remote is None else remote.profile
        if self._codecs:
            permitted = self.permitted(formats)
            # What may not be offered can't be agreed on: then all stays as it is.
            formats = permitted if codec_of(permitted) is not None else self._local_formats
        return self.offer(renumbered(formats, used), profile=profile)

    def withdraw(self) -> None:
        """
        Our new offer was refused: what was agreed before holds (RFC 3261 14.1).
        """
        if self._before is not None:
            (self._local, self._local_formats, self._direction, self._mux), self._before = self._before, None

    def close(self) -> LegQuality:
        """
        Close the RTP session; again, it tells the same.
        """
        if self.closed is None:
            self.closed = self.session.close()
        return self.closed

    # Inside.

    def _read(self, sdp: bytes) -> tuple[SessionDescription, Audio]:
        try:
            description = SessionDescription.parse(sdp)
            audio = audio_of(description, PROFILES if self.keys_allowed else PLAIN_PROFILES)
        except SDPError as error:
            raise ProtocolError(488, "Not Acceptable Here") from error
        if audio is None:
            secured = not self.keys_allowed and audio_of(description, PROFILES) is not None
            raise ProtocolError(488, "SRTP keys need TLS" if secured else "No audio")
        if self._secured and not audio.is_secure:
            raise ProtocolError(488, "Only SRTP is taken")
        if self._codecs:
            audio = evolve(audio, formats=tuple(
                item for item in audio.formats if item.codec in self._codecs or not item.is_sound
            ))
        return description, audio

    def _same_key(self, audio: Audio) -> tuple[Crypto, ...]:
        # RFC 4568 7.1.4: a refresh that offers what was chosen keeps our key.
        kept = [own for own in self._local_cryptos for theirs in audio.cryptos if own.tag == theirs.tag
                and own.suite == theirs.suite]
        return tuple(kept[:1])

    @staticmethod
    def _chosen(remote: Audio, keys: Sequence[Crypto]) -> Crypto | None:
        """
        Our key that the peer has one for, by tag and suite (RFC 4568 5.1.3).
        """
        if not keys or not remote.cryptos:
            return None
        theirs = {(crypto.tag, crypto.suite) for crypto in remote.cryptos}
        return next((key for key in keys if (key.tag, key.suite) in theirs), None)

    def _write(self, description: SessionDescription) -> bytes:
        self._local = revised(self._local, description, self._version)
        self._version = max(self._version, int(self._local.origin.version))
        return self._local.to_bytes()

    def _configure(self, keys: tuple[Crypto, ...]) -> None:
        formats, remote = self.formats, self.remote
        if formats is None or remote is None or self.closed is not None:
            return
        ours = self._chosen(remote, keys)
        theirs = None
        if ours is not None:
            theirs = next(c for c in remote.cryptos if (c.tag, c.suite) == (ours.tag, ours.suite))
        self.session.configure(
            remote,
            formats.send,
            formats.receive,
            ours,
            theirs,
            answered_direction(remote, self._direction),
            peer_host=self.peer_host,
            rtcp_mux=remote.rtcp_mux and self._mux,
        )
