"""
Properties of :mod:`pbx.sdp` that hold whatever a peer writes.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from pbx.sdp.audio import Crypto, Format, audio_of
from pbx.sdp.mapping import DECODABLE, agreed, answer_to_caller, onward, payload_types, renumbered
from pbx.sdp.offer_answer import Local, answered_direction, choose, make_answer, make_offer, revised
from pbx.sdp.session import Connection, MediaDescription, Origin, SDPError, SessionDescription
from tests.sdp.devices import OFFERS, offer_of

PINNED = settings(derandomize=True, deadline=None, max_examples=200, database=None)

words = some.text(some.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
texts = some.text(some.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=30)
names = some.text(some.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)
attributes = some.lists(some.tuples(names, some.none() | texts), max_size=6).map(tuple)
connections = some.none() | some.builds(Connection.to, some.sampled_from(["192.0.2.1", "2001:db8::1", "0.0.0.0"]))  # noqa: S104  # text
media = some.builds(
    MediaDescription,
    kind=some.sampled_from(["audio", "video", "image"]),
    port=some.integers(0, 65_535),
    profile=some.sampled_from(["RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF", "udptl"]),
    formats=some.lists(words, min_size=1, max_size=5).map(tuple),
    connection=connections,
    attributes=attributes,
    other=some.lists(texts.map(lambda text: f"b={text}"), max_size=2).map(tuple),
    port_count=some.integers(0, 9),
)
descriptions = some.builds(
    SessionDescription,
    origin=some.builds(Origin, words, words, words, words, some.sampled_from(["IP4", "IP6"])),
    connection=connections,
    attributes=attributes,
    media=some.lists(media, max_size=4).map(tuple),
    name=texts,
    times=some.lists(texts, min_size=1, max_size=2).map(tuple),
    other=some.lists(texts.map(lambda text: f"b={text}"), max_size=2).map(tuple),
)
formats = some.builds(
    Format,
    payload_type=some.integers(0, 127),
    name=some.sampled_from(["PCMU", "pcma", "opus", "G729a", "telephone-event", "CN", "AMR", "red"]),
    clock=some.sampled_from([8_000, 16_000, 48_000]),
    channels=some.sampled_from([1, 2]),
    fmtp=some.sampled_from(["", "0-15", "octet-align=1", "annexb=no", "mode-set=7"]),
)
# Each payload type once, as in any description.
lists = some.lists(formats, max_size=8, unique_by=lambda item: item.payload_type)


class DescriptionProperties(SynchronousTestCase):
    """
    Bytes to values and back.
    """

    @PINNED
    @given(descriptions)
    def test_read_as_written(self, description: SessionDescription) -> None:
        """
        Every description is read as it was written.
        """
        self.assertEqual(SessionDescription.parse(description.to_bytes()), description)

    @PINNED
    @given(some.binary(max_size=300), some.sampled_from([b"", b"v=0\r\no=- 1 1 IN IP4 x\r\n"]))
    def test_only_the_documented_error(self, data: bytes, head: bytes) -> None:
        """
        Whatever the bytes, they are a description or an SDPError.
        """
        self.read(head + data)

    @PINNED
    @given(some.sampled_from(sorted(OFFERS)), some.integers(0, 2_000), some.integers(0, 6), some.binary(max_size=6))
    def test_damaged_offers(self, device: str, place: int, length: int, replacement: bytes) -> None:
        """
        An offer with a few bytes changed can be read and answered, or is an SDPError.
        """
        whole = offer_of(device)
        place %= len(whole)
        self.read(whole[:place] + replacement + whole[place + length :])

    @PINNED
    @given(texts)
    def test_keys(self, text: str) -> None:
        """
        Whatever stands in a=crypto is a key or an SDPError.
        """
        try:
            key = Crypto.parse(text)
        except SDPError:
            return
        self.assertEqual(Crypto.parse(str(key)), key)

    def read(self, data: bytes) -> None:
        """
        Go all the way to an answer.
        """
        try:
            offer = SessionDescription.parse(data)
            audio = audio_of(offer)
        except SDPError:
            return
        if audio is not None:
            answer = make_answer(
                offer,
                Local("192.0.2.100", 20_000),
                choose(audio.formats, DECODABLE),
                session_id=1,
                version=1,
                direction=answered_direction(audio),
                cryptos=audio.cryptos[:1] or ([KEY] if audio.is_secure else []),
            )
            self.assertEqual(SessionDescription.parse(answer.to_bytes()), answer)
            self.assertEqual([line.kind for line in answer.media], [line.kind for line in offer.media])
            self.assertIs(revised(answer, SessionDescription.parse(answer.to_bytes())), answer)


KEY = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(30))


class NegotiationProperties(SynchronousTestCase):
    """
    Offers, answers and maps.
    """

    @PINNED
    @given(lists, lists)
    def test_answers_are_of_the_offer(self, offered: list[Format], supported: list[Format]) -> None:
        """
        An answer has only payload types of the offer, in its order, and a codec or nothing.
        """
        numbers = [item.payload_type for item in offered]
        chosen = [item.payload_type for item in choose(offered, supported)]
        self.assertEqual(chosen, [number for number in numbers if number in chosen])
        if chosen:
            self.assertTrue(any(item.is_sound for item in choose(offered, supported)))

    @PINNED
    @given(lists, lists)
    def test_offers_read_as_meant(self, offered: list[Format], supported: list[Format]) -> None:
        """
        The other side reads our offer's formats, and after its answer both agree on the same.
        """
        if not offered:
            return
        offer = make_offer(Local("192.0.2.100", 20_000), offered, session_id=1, version=1)
        audio = audio_of(SessionDescription.parse(offer.to_bytes()))
        assert audio is not None
        self.assertEqual(audio.formats, tuple(offered))
        answer = choose(audio.formats, supported)
        ours, theirs = agreed(offered, answer), agreed(answer, offered)
        self.assertEqual(
            {item.payload_type for item in answer}, {item.payload_type for item in ours.send}
        )
        self.assertTrue({item.payload_type for item in ours.send} <= {item.payload_type for item in theirs.receive})

    @PINNED
    @given(lists, lists)
    def test_maps_lead_to_the_same_format(self, received: list[Format], sent: list[Format]) -> None:
        """
        A payload type is mapped only to one of the same codec, clock rate and channels.
        """
        sources = {item.payload_type: item for item in received}
        targets = {item.payload_type: item for item in sent}
        for source, target in payload_types(received, sent).items():
            self.assertTrue(sources[source].matches(targets[target]))

    @PINNED
    @given(lists, lists)
    def test_matching_is_mutual(self, some_formats: list[Format], others: list[Format]) -> None:
        """
        If one format matches another, the other matches it, and each matches itself.
        """
        for one in some_formats:
            self.assertTrue(one.matches(one))
            for other in others:
                self.assertEqual(one.matches(other), other.matches(one))

    @PINNED
    @given(lists, lists)
    def test_a_whole_call(self, caller: list[Format], phone: list[Format]) -> None:
        """
        Whatever the phone chooses of what it is offered for a caller, the caller gets it, and packets go both ways.
        """
        offered = onward(caller)
        chosen = choose(offered, phone)
        if not chosen:
            return
        leg = agreed(offered, chosen)
        answer = answer_to_caller(caller, leg.send)
        codec = leg.codec
        assert codec is not None
        self.assertTrue(answer[0].matches(codec))
        self.assertTrue({item.payload_type for item in answer} <= {item.payload_type for item in caller})
        near = agreed(answer, caller)
        there, back = payload_types(near.receive, leg.send), payload_types(leg.receive, near.send)
        self.assertIn(answer[0].payload_type, there)
        self.assertIn(codec.payload_type, back)

    @PINNED
    @given(lists, lists)
    def test_numbers_keep_their_meaning(self, wanted: list[Format], used: list[Format]) -> None:
        """
        After renumbering no number stands for two formats of the session.
        """
        meanings = {item.payload_type: item for item in used}
        numbers = [item.payload_type for item in renumbered(wanted, used)]
        self.assertEqual(len(numbers), len(set(numbers)))
        for item in renumbered(wanted, used):
            self.assertTrue(meanings.get(item.payload_type, item).matches(item))
