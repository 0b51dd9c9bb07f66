"""
Tests for :mod:`pbx.rtp.packet`.
"""

from __future__ import annotations

import contextlib

from hypothesis import given, seed
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.rtp.packet import Packet, is_rtcp, payload_span, read_header

GOLDEN = bytes.fromhex("80e0abcd 01020304 deadbeef") + b"voice"

packets = st.builds(
    Packet,
    st.integers(0, 127),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=320),
    st.booleans(),
)


class PacketTests(SynchronousTestCase):
    """
    A packet as bytes and back.
    """

    def test_golden(self) -> None:
        """
        The fields lie where RFC 3550 5.1 draws them.
        """
        packet = Packet(0x60, 0xABCD, 0x01020304, 0xDEADBEEF, b"voice", marker=True)
        self.assertEqual(packet.to_bytes(), GOLDEN)
        self.assertEqual(Packet.parse(GOLDEN), packet)

    def test_header_in_place(self) -> None:
        """
        The header is read from the beginning of a longer buffer; what is no RTP gives None.
        """
        buffer = bytearray(2048)
        buffer[: len(GOLDEN)] = GOLDEN
        self.assertEqual(read_header(buffer, len(GOLDEN)), (0x60, True, 0xABCD, 0x01020304, 0xDEADBEEF))
        self.assertIsNone(read_header(buffer, 11))
        buffer[0] = 0x00
        self.assertIsNone(read_header(buffer, len(GOLDEN)))

    def test_csrc_extension_and_padding(self) -> None:
        """
        Contributing sources, header extension and padding are not payload.
        """
        extended = bytes([0xB2]) + GOLDEN[1:12] + bytes(8) + bytes.fromhex("bede0001 51000000") + b"voice" + b"\0\0\3"
        self.assertEqual(Packet.parse(extended).payload, b"voice")
        self.assertEqual(payload_span(extended, len(extended)), (28, 33))

    def test_contradicting_lengths(self) -> None:
        """
        An extension, CSRC list or padding that goes past the packet is an error.
        """
        for first in (0x8F, 0x90, 0xA0):
            with self.subTest(first=hex(first)), self.assertRaises(ValueError):
                Packet.parse(bytes([first]) + GOLDEN[1:12] + b"\xff")
        with self.assertRaises(ValueError):
            Packet.parse(bytes([0xA0]) + GOLDEN[1:12] + b"voice\0")

    def test_rtcp_told_apart(self) -> None:
        """
        Muxed RTCP is known by its second byte; no audio payload type, marked or not, is taken for it.
        """
        self.assertTrue(all(is_rtcp(kind) for kind in (200, 201, 202, 203, 204, 205, 206, 207)))
        audio = [*range(64), *range(96, 128)]
        self.assertFalse(any(is_rtcp(kind) or is_rtcp(kind | 0x80) for kind in audio))

    @seed(1)
    @given(packets)
    def test_round_trip(self, packet: Packet) -> None:
        """
        What is written is read back.
        """
        self.assertEqual(Packet.parse(packet.to_bytes()), packet)

    @seed(1)
    @given(st.binary(max_size=64))
    def test_garbage(self, data: bytes) -> None:
        """
        Whatever comes, the only error is ValueError.
        """
        with contextlib.suppress(ValueError):
            Packet.parse(data)
