"""
Tests for :mod:`pbx.sdp.mapping`.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pbx.sdp import mapping
from pbx.sdp.audio import Format
from pbx.sdp.mapping import (
    DECODABLE,
    EVENTS,
    NARROW,
    WIDE,
    Agreed,
    agreed,
    answer_to_caller,
    codec_of,
    is_relayable,
    onward,
    payload_types,
    renumbered,
)

PCMU, PCMA = NARROW
G722, G729 = Format(9, "G722"), Format(18, "G729", fmtp="annexb=no")
OPUS = Format(96, "opus", 48_000, 2, "useinbandfec=1")
WIDE_EVENTS = Format(97, "telephone-event", 48_000)
SILENCE = Format(13, "CN")


def numbered(item: Format, payload_type: int) -> Format:
    """
    The same format under another payload type.
    """
    return attrs.evolve(item, payload_type=payload_type)


class AgreedTests(SynchronousTestCase):
    """
    What offer and answer come to.
    """

    def test_each_side_its_own_numbers(self) -> None:
        """
        We send with the peer's payload types and receive with ours; the peer's are understood where they are free.
        """
        found = agreed([numbered(OPUS, 107), PCMU, EVENTS], [OPUS, numbered(EVENTS, 100)])
        self.assertEqual(found.send, (OPUS, numbered(EVENTS, 100)))
        self.assertEqual(found.receive, (numbered(OPUS, 107), EVENTS, OPUS, numbered(EVENTS, 100)))
        self.assertEqual(found.codec, OPUS)

    def test_a_number_that_means_something_else(self) -> None:
        """
        The peer's payload type is not understood where it is one of ours for another format.
        """
        found = agreed([numbered(OPUS, 101), numbered(EVENTS, 96), PCMU], [PCMU, EVENTS])
        self.assertEqual(found.receive, (numbered(EVENTS, 96), PCMU))
        self.assertEqual(found.send, (PCMU, EVENTS))

    def test_nothing(self) -> None:
        """
        Two that share nothing agree on nothing.
        """
        self.assertEqual(agreed([PCMU], [PCMA]), Agreed((), ()))
        self.assertIsNone(agreed([PCMU], [PCMA]).codec)


class RelayTests(SynchronousTestCase):
    """
    Packets from leg to leg.
    """

    def test_by_name_not_by_number(self) -> None:
        """
        Each direction has its table, telephone events included; a format that one leg lacks is in none.
        """
        offered = [numbered(OPUS, 111), numbered(WIDE_EVENTS, 112)]
        caller = agreed(offered, offered)
        callee = agreed([OPUS, WIDE_EVENTS, PCMU], [numbered(OPUS, 120), numbered(WIDE_EVENTS, 121), PCMU])
        there, back = payload_types(caller.receive, callee.send), payload_types(callee.receive, caller.send)
        self.assertEqual(there, {111: 120, 112: 121})
        self.assertEqual(back, {96: 111, 97: 112, 120: 111, 121: 112})
        self.assertTrue(is_relayable(caller, callee))

    def test_events_of_another_clock_are_not_mapped(self) -> None:
        """
        Their timestamps would be wrong.
        """
        self.assertEqual(payload_types([PCMU, EVENTS], [PCMU, WIDE_EVENTS]), {0: 0})

    def test_the_same_number_first(self) -> None:
        """
        Of two targets that match, the one with the same payload type is taken.
        """
        other = attrs.evolve(OPUS, payload_type=98, fmtp="stereo=1")
        self.assertEqual(payload_types([OPUS, other], [OPUS, other]), {96: 96, 98: 98})
        self.assertEqual(payload_types([OPUS], [other]), {96: 98})

    def test_what_cannot_be_relayed(self) -> None:
        """
        Two codecs, or none, on the two legs.
        """
        mulaw, alaw = agreed([PCMU], [PCMU]), agreed([PCMA], [PCMA])
        self.assertFalse(is_relayable(mulaw, alaw))
        self.assertFalse(is_relayable(mulaw, agreed([PCMU], [PCMA])))
        both = agreed([PCMU, PCMA], [PCMU, PCMA])
        self.assertTrue(is_relayable(mulaw, both))
        # The callee prefers what the caller does not have.
        self.assertFalse(is_relayable(mulaw, agreed([PCMU, PCMA], [PCMA, PCMU])))


class OnwardTests(SynchronousTestCase):
    """
    What an outgoing leg is offered.
    """

    def test_the_callers_own(self) -> None:
        """
        The caller's formats go on in its order, under its numbers.
        """
        offered = [numbered(OPUS, 107), G722, PCMA, numbered(EVENTS, 126), numbered(WIDE_EVENTS, 110)]
        self.assertEqual(onward(offered), offered)

    def test_without_an_offer(self) -> None:
        """
        What we can do ourselves is offered.
        """
        self.assertEqual(onward(None), list(DECODABLE))

    def test_what_cannot_be_relayed(self) -> None:
        """
        Redundancy, comfort noise, repeated or foreign telephone events and endless parameters stay here.
        """
        offered = [
            Format(63, "red", 48_000, 2, "111/111"),
            PCMU,
            SILENCE,
            EVENTS,
            numbered(EVENTS, 102),
            WIDE_EVENTS,
            Format(99, "G726-32", fmtp="x" * (mapping.MAX_FMTP + 1)),
        ]
        self.assertEqual(onward(offered), [PCMU, EVENTS])
        self.assertEqual(onward([EVENTS, SILENCE]), [])
        self.assertEqual(onward([]), [])

    def test_allowed(self) -> None:
        """
        Codecs that are not allowed are left out, telephone events never.
        """
        self.assertEqual(onward([OPUS, G729, PCMU, EVENTS], allowed={"pcmu", "pcma"}), [PCMU, EVENTS])
        self.assertEqual(onward([OPUS, EVENTS], allowed={"pcmu"}), [])

    def test_what_we_can_convert_to(self) -> None:
        """
        More is offered after the caller's, under numbers that are free.
        """
        self.assertEqual(
            onward([G722, PCMU, Format(101, "speex")], also=DECODABLE),
            [G722, PCMU, Format(101, "speex"), PCMA, WIDE[1], numbered(EVENTS, 96), mapping.WIDE_EVENTS],
        )

    def test_order(self) -> None:
        """
        G.711 comes first of what we can do: a phone that has it is not made to talk through a converter.
        """
        self.assertEqual([item.name for item in DECODABLE if item.is_sound], ["PCMU", "PCMA", "G722", "opus"])
        self.assertEqual(onward([PCMA, EVENTS], also=DECODABLE)[0], PCMA)

    def test_limit(self) -> None:
        """
        A dozen codecs go on, and telephone events wherever they stand.
        """
        many = [Format(number, f"codec{number}") for number in range(127)]
        events = numbered(EVENTS, 127)
        self.assertEqual(onward([*many, events]), [*many[: mapping.MAX_ONWARD], events])


class AnswerToCallerTests(SynchronousTestCase):
    """
    What the caller is answered.
    """

    def test_exactly_what_the_callee_chose(self) -> None:
        """
        One codec, under the caller's number, with the callee's parameters, and telephone events.
        """
        offered = [PCMU, numbered(OPUS, 107), PCMA, numbered(EVENTS, 126), numbered(WIDE_EVENTS, 110)]
        callee = [attrs.evolve(OPUS, fmtp="stereo=1"), PCMA, WIDE_EVENTS]
        self.assertEqual(
            answer_to_caller(offered, callee),
            [Format(107, "opus", 48_000, 2, "stereo=1"), Format(110, "telephone-event", 48_000, 1, "0-15")],
        )

    def test_events_of_the_callers(self) -> None:
        """
        Telephone events are answered even if the callee has none, and never if the caller has none at that clock rate.
        """
        offered = [PCMU, PCMA, attrs.evolve(EVENTS, fmtp="0-15")]
        self.assertEqual(answer_to_caller(offered, [PCMA]), [PCMA, attrs.evolve(EVENTS, fmtp="0-15")])
        self.assertEqual(answer_to_caller([PCMU, OPUS, EVENTS], [OPUS, EVENTS]), [OPUS])
        self.assertEqual(answer_to_caller([PCMU], [PCMU, EVENTS]), [PCMU])

    def test_silence_suppression(self) -> None:
        """
        G.729 is answered without annex B when the callee refuses it.
        """
        offered = [attrs.evolve(G729, fmtp="")]
        self.assertEqual(answer_to_caller(offered, [G729]), [G729])

    def test_converted(self) -> None:
        """
        A codec that the caller lacks becomes the caller's first that we can decode, if we can decode both.
        """
        self.assertEqual(answer_to_caller([G729, PCMU, EVENTS], [PCMA, EVENTS]), [PCMU, EVENTS])
        self.assertEqual(answer_to_caller([PCMU, EVENTS], [G729, EVENTS]), [])
        self.assertEqual(answer_to_caller([G729, EVENTS], [PCMA, EVENTS]), [])
        for caller, callee, expected in (
            ([OPUS, WIDE_EVENTS], [PCMA, EVENTS], ["opus", "telephone-event"]),
            ([PCMA, EVENTS], [OPUS, WIDE_EVENTS], ["PCMA", "telephone-event"]),
        ):
            answer = answer_to_caller(caller, callee)
            self.assertEqual([item.name for item in answer], expected)
            self.assertEqual({item.clock for item in answer}, {caller[0].clock})

    def test_nothing_chosen(self) -> None:
        """
        A callee that took telephone events alone took nothing.
        """
        self.assertEqual(answer_to_caller([PCMU, EVENTS], [EVENTS]), [])
        self.assertIsNone(codec_of([EVENTS, SILENCE]))

    def test_two_of_one_codec(self) -> None:
        """
        The one with the number that the callee was offered is answered.
        """
        other = attrs.evolve(OPUS, payload_type=98, fmtp="stereo=1")
        self.assertEqual(answer_to_caller([OPUS, other], [other])[0].payload_type, 98)


class RenumberedTests(SynchronousTestCase):
    """
    Numbers that keep their meaning.
    """

    def test_keeps_meanings(self) -> None:
        """
        A known format has its number, a new one its own if free, else a free dynamic one.
        """
        used = [OPUS, numbered(EVENTS, 97)]
        self.assertEqual(
            renumbered([EVENTS, PCMU, Format(96, "speex", 16_000), numbered(OPUS, 120)], used),
            [numbered(EVENTS, 97), PCMU, Format(98, "speex", 16_000), OPUS],
        )

    def test_none_left(self) -> None:
        """
        When all numbers are taken the format is left out; of two that would have one number the first stays.
        """
        used = [Format(number, f"codec{number}") for number in mapping.DYNAMIC]
        self.assertEqual(renumbered([Format(96, "speex"), PCMU], used), [PCMU])
        self.assertEqual(renumbered([EVENTS, numbered(EVENTS, 100)], [EVENTS]), [EVENTS])
