"""
Tests for :mod:`pbx.media.srtp`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.media.srtp import MAX_PACKET, SUITES, Opener, Protector, answered_key, offered_keys
from pbx.rtp.packet import Packet
from pbx.sdp.audio import Crypto

KEY = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de4139") + bytes.fromhex("0ec675ad498afeebb6960b3aabe6")


class SRTPTests(SynchronousTestCase):
    """
    Contexts of one direction.
    """

    def test_golden(self) -> None:
        """
        The packet of libsrtp's own validation vector (AES_CM_128_HMAC_SHA1_80).
        """
        crypto = Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)
        plain = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
        protected = Protector(crypto).rtp(plain) or b""
        self.assertEqual(
            protected.hex(),
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
        )
        self.assertEqual(Opener(crypto).rtp(protected), plain)

    def test_both_suites(self) -> None:
        """
        RTP and RTCP of both suites come out as they went in; the tags are of 10 and 4 bytes.
        """
        for suite, tag in (("AES_CM_128_HMAC_SHA1_80", 10), ("AES_CM_128_HMAC_SHA1_32", 4)):
            crypto = Crypto(1, suite, KEY)
            protector, opener = Protector(crypto), Opener(crypto)
            packet = Packet(0, 1, 160, 7, b"voice").to_bytes()
            protected = protector.rtp(packet) or b""
            self.assertEqual(len(protected), len(packet) + tag)
            self.assertEqual(opener.rtp(protected), packet)
            report = bytes.fromhex("80c9000100000007")
            self.assertEqual(opener.rtcp(protector.rtcp(report) or b""), report)

    def test_forged_and_replayed(self) -> None:
        """
        A changed packet, one under another key, one that came before, and garbage give None.
        """
        crypto = Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)
        protected = Protector(crypto).rtp(Packet(0, 1, 160, 7, b"voice").to_bytes()) or b""
        opener = Opener(crypto)
        self.assertIsNone(opener.rtp(protected[:-1] + bytes([protected[-1] ^ 1])))
        self.assertIsNone(Opener(Crypto(1, crypto.suite, KEY[::-1])).rtp(protected))
        self.assertIsNotNone(opener.rtp(protected))
        self.assertIsNone(opener.rtp(protected))
        for garbage in (b"", b"\x80", bytes(2000)):
            self.assertIsNone(opener.rtp(garbage))
            self.assertIsNone(opener.rtcp(garbage))

    def test_doubled_and_overtaken(self) -> None:
        """
        A packet that the network doubled or delayed on the leg before is protected all the same.
        """
        protector = Protector(Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY))
        for sequence in (10, 11, 11, 9, 12):
            self.assertIsNotNone(protector.rtp(Packet(0, sequence, 160 * sequence, 7, b"voice").to_bytes()))

    def test_too_long(self) -> None:
        """
        A packet that there is no room for is not sent, and nothing is raised.
        """
        self.assertIsNone(Protector(Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)).rtp(b"\x80" + bytes(MAX_PACKET)))

    def test_keys(self) -> None:
        """
        An offer has a new key for each suite; an answer takes the first line that can be used, with its tag.
        """
        keys = offered_keys()
        self.assertEqual([key.suite for key in keys], list(SUITES))
        self.assertEqual(len({key.key_salt for key in keys} | {key.key_salt for key in offered_keys()}), 4)
        lines = [
            Crypto(1, "AEAD_AES_256_GCM", bytes(44)),
            Crypto(2, "AES_CM_128_HMAC_SHA1_80", KEY, ("UNENCRYPTED_SRTP",)),
            Crypto(3, "AES_CM_128_HMAC_SHA1_32", KEY),
        ]
        (answer,) = answered_key(lines)
        self.assertEqual((answer.tag, answer.suite), (3, "AES_CM_128_HMAC_SHA1_32"))
        self.assertNotEqual(answer.key_salt, KEY)
        self.assertEqual(answered_key(lines[:2]), ())
        self.assertRaises(ValueError, Opener, lines[0])
