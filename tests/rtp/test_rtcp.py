"""
Tests for :mod:`pbx.rtp.rtcp`.
"""

from __future__ import annotations

import contextlib

from hypothesis import given, seed
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.rtp.rtcp import (
    MAX_PACKETS,
    Goodbye,
    ReceiverReport,
    Report,
    ReportBlock,
    SenderReport,
    SourceDescription,
    parse,
    serialise,
)

words = st.integers(0, 0xFFFFFFFF)
blocks = st.lists(
    st.builds(ReportBlock, words, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), words, words, words, words),
    max_size=31,
).map(tuple)
compounds = st.lists(
    st.one_of(
        st.builds(SenderReport, words, st.integers(0, 2**64 - 1), words, words, words, blocks),
        st.builds(ReceiverReport, words, blocks),
        st.builds(SourceDescription, words, st.text(max_size=60)),
        st.builds(Goodbye, st.lists(words, max_size=31).map(tuple)),
    ),
    min_size=1,
    max_size=5,
)


class RTCPTests(SynchronousTestCase):
    """
    Compound packets as bytes and back.
    """

    def test_golden(self) -> None:
        """
        A sender report with one block, its source description, and a goodbye, byte for byte (RFC 3550 6).
        """
        compound = serialise(
            SenderReport(0xA, 0x0102030405060708, 0xB, 2, 320, (ReportBlock(0xC, 13, -2, 0x10005, 7, 0xD, 0xE),)),
            SourceDescription(0xA, "pbx@x"),
            Goodbye((0xA,)),
        )
        self.assertEqual(
            compound.hex(" ", 4),
            "81c8000c 0000000a 01020304 05060708 0000000b 00000002 00000140 "
            "0000000c 0dfffffe 00010005 00000007 0000000d 0000000e "
            "81ca0003 0000000a 01057062 78407800 81cb0001 0000000a",
        )

    def test_reduced_size_and_unknown(self) -> None:
        """
        A compound may begin with any type, and unknown types are passed over (Cisco and Yealink send XR, type 207).
        """
        unknown = bytes.fromhex("80cf0001 00000001")
        data = unknown + serialise(ReceiverReport(5))
        self.assertEqual(parse(data), [ReceiverReport(5)])

    def test_description_of_several_items(self) -> None:
        """
        Of a chunk with NAME and CNAME the CNAME is taken, and the next chunk is found after its padding.
        """
        chunk = bytes.fromhex("00000001 0203616263 010161 00") + bytes(3) + bytes.fromhex("00000002 010162 00")
        length = (len(chunk) // 4).to_bytes(2, "big")
        self.assertEqual(
            parse(b"\x82\xca" + length + chunk), [SourceDescription(1, "a"), SourceDescription(2, "b")]
        )

    def test_cut_off(self) -> None:
        """
        A packet that promises more than came, blocks or length, is an error; so is nothing at all.
        """
        for text in ("", "81c9", "81c9000700000001", "81c9000100000001", "47455420"):
            data = bytes.fromhex(text)
            self.assertRaises(ValueError, parse, data)

    def test_many_packets(self) -> None:
        """
        No more than the limit is read of a datagram full of tiny packets.
        """
        self.assertEqual(len(parse(serialise(Goodbye((1,))) * 1000)), MAX_PACKETS)

    @seed(1)
    @given(compounds)
    def test_round_trip(self, reports: list[Report]) -> None:
        """
        What is written is read back.
        """
        self.assertEqual(parse(serialise(*reports)), reports)

    @seed(1)
    @given(st.binary(max_size=128))
    def test_garbage(self, data: bytes) -> None:
        """
        Whatever comes, the only error is ValueError.
        """
        with contextlib.suppress(ValueError):
            parse(b"\x81" + data)
