"""
Tests for :mod:`pbx.stun.binding`.
"""

from __future__ import annotations

import random
import struct

from twisted.trial.unittest import SynchronousTestCase

from pbx.stun.binding import StunError, binding_request, mapped_address

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")

SAMPLE_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90"
    "c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
"""RFC 5769 2.2: 192.0.2.1, port 32853."""

SAMPLE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9"
    "d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
"""RFC 5769 2.3: 2001:db8:1234:5678:11:2233:4455:6677, port 32853."""

MAPPED = (1, bytes.fromhex("00011388cb007107"))
"""203.0.113.7, port 5000, as servers of RFC 3489 write it."""

XOR_MAPPED = (0x20, bytes.fromhex("0001a147e112a643"))


def answer(*attributes: tuple[int, bytes], kind: int = 0x0101, transaction: bytes = ID) -> bytes:
    """
    An answer with these attributes.
    """
    body = b"".join(
        struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4) for name, value in attributes
    )
    return struct.pack("!HHI", kind, len(body), 0x2112A442) + transaction + body


class RequestTests(SynchronousTestCase):
    """
    The question.
    """

    def test_request(self) -> None:
        """
        Type, no attributes, cookie, identifier.
        """
        self.assertEqual(binding_request(ID), bytes.fromhex("000100002112a442") + ID)

    def test_identifier(self) -> None:
        """
        An identifier of another length is our mistake.
        """
        self.assertRaises(ValueError, binding_request, ID[1:])


class AnswerTests(SynchronousTestCase):
    """
    The answer.
    """

    def refused(self, data: bytes) -> str:
        """
        Why an answer gives no address.
        """
        return str(self.assertRaises(StunError, mapped_address, data, ID))

    def test_samples(self) -> None:
        """
        The RFC's samples.
        """
        self.assertEqual(mapped_address(SAMPLE_4, ID), ("192.0.2.1", 32853))
        self.assertEqual(mapped_address(SAMPLE_6, ID), ("2001:db8:1234:5678:11:2233:4455:6677", 32853))

    def test_old_server(self) -> None:
        """
        A server of RFC 3489 names the address as it is, and others beside it; XOR-MAPPED-ADDRESS comes before that.
        """
        source = (4, MAPPED[1].replace(b"\x71", b"\x72"))
        self.assertEqual(mapped_address(answer(source, MAPPED, (5, source[1])), ID), ("203.0.113.7", 5000))
        self.assertEqual(mapped_address(answer(MAPPED, XOR_MAPPED), ID), ("192.0.2.1", 32853))

    def test_first_counts(self) -> None:
        """
        Of two of a kind the first counts.
        """
        other = (1, MAPPED[1].replace(b"\x71", b"\x72"))
        self.assertEqual(mapped_address(answer(MAPPED, other), ID), ("203.0.113.7", 5000))

    def test_not_ours(self) -> None:
        """
        What answers another question, is none, or was damaged on the way is not looked at.
        """
        for data in (
            answer(MAPPED, transaction=bytes(12)), answer(MAPPED, kind=0x0001), answer(MAPPED, kind=0x0113),
            answer(MAPPED)[:-1], answer(MAPPED) + b"\0", b"", b"\r\n\r\n", b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
            answer(MAPPED).replace(b"\x21\x12\xa4\x42", b"\x21\x12\xa4\x43"),
            SAMPLE_4.replace(b"test vector", b"best vector"), answer(MAPPED, *[(0x8022, bytes(700))] * 3),
        ):
            self.assertIsNone(mapped_address(data, ID), data)

    def test_refusal(self) -> None:
        """
        An error is told with its number and reason, of which nothing paints the terminal.
        """
        refusal = (9, b"\0\0\4\x01Not\x1b[2J you")
        self.assertEqual(self.refused(answer(refusal, kind=0x0111)), "the server refused: 401 Not?[2J you")
        self.assertEqual(self.refused(answer(kind=0x0111)), "the server refused without a reason")

    def test_no_address(self) -> None:
        """
        An answer that holds no address, or one that can be nobody's, gives none.
        """
        for attributes, word in (
            ((), "names no address"),
            (((0x20, b""),), "is none"),
            (((1, b"\0\3\0\0aaaa"),), "is none"),
            (((1, b"\0\1\0\0aaa"),), "is none"),
            (((1, bytes.fromhex("0001138800000000")),), "is 0.0"),
            (((1, bytes.fromhex("00011388e0000001")),), "224.0.0.1"),
            ((MAPPED, (0x7777, b"")), "0x7777"),
        ):
            self.assertIn(word, self.refused(answer(*attributes)))
        self.assertIn("cut off", self.refused(answer((0x8022, b"abcd"))[:-8] + b"\x80\x22\0\x09abcd"))

    def test_anything(self) -> None:
        """
        Whatever comes, it is an address, none, or an error that says why.
        """
        dice = random.Random(8489)  # noqa: S311 - a test that can be repeated
        for _ in range(3000):
            data = bytearray(dice.choice((SAMPLE_4, SAMPLE_6, answer(MAPPED))))
            for _ in range(dice.randrange(1, 4)):
                data[dice.choice([*range(8), *range(20, len(data))])] = dice.randrange(256)
            try:
                mapped_address(bytes(data[: dice.randrange(len(data) + 1)] if dice.random() < 0.3 else data), ID)
            except StunError as error:
                self.assertTrue(str(error))
