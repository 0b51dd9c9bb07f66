"""
Tests for :mod:`pbx.sdp.audio`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sdp import audio
from pbx.sdp.audio import Audio, Crypto, Format, audio_of, audios_of
from pbx.sdp.session import SDPError, SessionDescription

KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
SUITE = "AES_CM_128_HMAC_SHA1_80"


def description(*lines: str, connection: str = "c=IN IP4 192.0.2.1") -> SessionDescription:
    """
    A description of these lines below the usual ones.
    """
    head = ["v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", *([connection] if connection else []), "t=0 0"]
    return SessionDescription.parse("\r\n".join([*head, *lines, ""]).encode())


def audio_in(*lines: str, connection: str = "c=IN IP4 192.0.2.1") -> Audio:
    """
    The audio of such a description.
    """
    found = audio_of(description(*lines, connection=connection))
    assert found is not None
    return found


class FormatTests(SynchronousTestCase):
    """
    One way to fill packets.
    """

    def test_matched_by_name_clock_and_channels(self) -> None:
        """
        Case and payload type do not matter; clock rate and channels do.
        """
        opus = Format(96, "opus", 48_000, 2, "useinbandfec=1")
        self.assertTrue(opus.matches(Format(111, "OPUS", 48_000, 2, "minptime=10;stereo=0")))
        self.assertFalse(opus.matches(Format(96, "opus", 48_000, 1, "useinbandfec=1")))
        self.assertFalse(opus.matches(Format(96, "opus", 16_000, 2, "useinbandfec=1")))
        self.assertFalse(opus.matches(Format(96, "speex", 48_000, 2)))
        self.assertFalse(Format(101, "telephone-event", 8_000).matches(Format(101, "telephone-event", 48_000)))

    def test_matched_by_parameters_that_change_the_bits(self) -> None:
        """
        Two layouts of AMR and two rates of G.722.1 are two formats; silence suppression of G.729 is not.
        """
        amr = Format(97, "AMR", 8_000, 1, "octet-align=1; mode-set=0,2,4,7")
        self.assertTrue(amr.matches(Format(98, "amr", 8_000, 1, "mode-set=0,2,4,7;Octet-Align=1;max-red=0")))
        self.assertTrue(amr.matches(Format(98, "amr", 8_000, 1, "octet-align=1")))
        self.assertFalse(amr.matches(Format(98, "amr", 8_000, 1, "octet-align=1; mode-set=7")))
        self.assertFalse(amr.matches(Format(98, "AMR", 8_000, 1, "mode-set=0,2,4,7")))
        self.assertTrue(Format(98, "AMR", 8_000).matches(Format(98, "AMR", 8_000, 1, "octet-align=0")))
        siren = Format(115, "G7221", 16_000, 1, "bitrate=32000")
        self.assertFalse(siren.matches(Format(102, "G7221", 16_000, 1, "bitrate=24000")))
        self.assertTrue(Format(18, "G729", 8_000, 1, "annexb=yes").matches(Format(18, "G729", 8_000, 1, "annexb=no")))
        self.assertTrue(Format(18, "G729a").matches(Format(18, "G729")))

    def test_what_is_sound(self) -> None:
        """
        Telephone events and comfort noise go beside a codec and are none.
        """
        self.assertTrue(Format(101, "Telephone-Event").is_telephone_event)
        self.assertFalse(Format(101, "telephone-event").is_sound)
        self.assertFalse(Format(13, "CN").is_sound)
        self.assertTrue(Format(0, "PCMU").is_sound)
        self.assertFalse(Format(0, "PCMU").is_telephone_event)

    def test_rtpmap(self) -> None:
        """
        Channels are written when there is more than one.
        """
        self.assertEqual(Format(96, "opus", 48_000, 2).rtpmap, "96 opus/48000/2")
        self.assertEqual(Format(0, "PCMU").rtpmap, "0 PCMU/8000")

    def test_answered(self) -> None:
        """
        The answer has the offer's payload type and name, and the parameters of both.
        """
        self.assertEqual(
            Format(110, "G729a", fmtp="annexb=yes").answered_by(Format(18, "G729", fmtp="annexb=no")),
            Format(110, "G729a", fmtp="annexb=no"),
        )


class AudioTests(SynchronousTestCase):
    """
    What a description says of its sound.
    """

    def test_static_types_need_no_rtpmap(self) -> None:
        """
        Types 0 to 18 are known by number; a dynamic one without rtpmap is passed over, and so is what is no type.
        """
        found = audio_in("m=audio 4000 RTP/AVP 0 8 9 18 13 10 101 96 19 x 128 0", "a=rtpmap:101 telephone-event/8000")
        self.assertEqual(
            found.formats,
            (
                Format(0, "PCMU"),
                Format(8, "PCMA"),
                Format(9, "G722"),
                Format(18, "G729"),
                Format(13, "CN"),
                Format(10, "L16", 44_100, 2),
                Format(101, "telephone-event"),
            ),
        )

    def test_static_types(self) -> None:
        """
        The table is that of RFC 3551 6, with the type 2 of before it.
        """
        table = (
            "0 PCMU/8000, 2 G726-32/8000, 3 GSM/8000, 4 G723/8000, 5 DVI4/8000, 6 DVI4/16000, 7 LPC/8000, 8 PCMA/8000, "
            "9 G722/8000, 10 L16/44100/2, 11 L16/44100, 12 QCELP/8000, 13 CN/8000, 14 MPA/90000, 15 G728/8000, "
            "16 DVI4/11025, 17 DVI4/22050, 18 G729/8000"
        )
        found = audio_in("m=audio 4000 RTP/AVP " + " ".join(str(number) for number in range(35)))
        self.assertEqual(", ".join(item.rtpmap for item in found.formats), table)

    def test_rtpmaps(self) -> None:
        """
        An rtpmap counts even for a static type; one that can't be read counts as none.
        """
        found = audio_in(
            "m=audio 4000 RTP/AVP 0 8 96 97 98 99",
            "a=rtpmap:0 PCMU/16000",
            "a=rtpmap:8 nonsense",
            "a=rtpmap:96 opus/48000/2",
            "a=fmtp:96 useinbandfec=1; maxaveragebitrate=64000",
            "a=rtpmap:97 L16/0",
            "a=rtpmap:98 L16/384001",
            "a=rtpmap:99 " + "x" * (audio.MAX_NAME + 1) + "/8000",
            "a=rtpmap",
            "a=fmtp",
        )
        self.assertEqual(
            found.formats,
            (
                Format(0, "PCMU", 16_000),
                Format(8, "PCMA"),
                Format(96, "opus", 48_000, 2, "useinbandfec=1; maxaveragebitrate=64000"),
            ),
        )

    def test_limit(self) -> None:
        """
        Of a very long list of formats the first are taken.
        """
        numbers = " ".join(str(number) for number in range(128))
        lines = [f"a=rtpmap:{number} codec{number}/8000" for number in range(128)]
        found = audio_in(f"m=audio 4000 RTP/AVP {numbers}", *lines)
        self.assertEqual([item.payload_type for item in found.formats], list(range(audio.MAX_AUDIO_FORMATS)))

    def test_direction(self) -> None:
        """
        The media's direction counts before the session's, and without either it is sendrecv.
        """
        line = "m=audio 4000 RTP/AVP 0"
        self.assertEqual(audio_in(line).direction, "sendrecv")
        self.assertEqual(audio_in("a=sendonly", line).direction, "sendonly")
        self.assertEqual(audio_in("a=sendonly", line, "a=inactive").direction, "inactive")
        self.assertEqual(audio_in(line, "a=recvonly").direction, "recvonly")
        only_sends = audio_in(line, "a=sendonly")
        self.assertEqual((only_sends.sends, only_sends.receives), (True, False))

    def test_addresses(self) -> None:
        """
        The media's c= line counts before the session's; IPv6 is read; an address that is none means hold.
        """
        line = "m=audio 4000 RTP/AVP 0"
        self.assertEqual(audio_in(line).host, "192.0.2.1")
        self.assertEqual(audio_in(line, "c=IN IP4 192.0.2.9").host, "192.0.2.9")
        self.assertEqual(audio_in(line, "c=IN IP4 192.0.2.9", connection="").host, "192.0.2.9")
        self.assertEqual(audio_in(line, connection="c=IN IP6 2001:db8::2").host, "2001:db8::2")
        for address in ("IP4 0.0.0.0", "IP6 ::", "IP4 hold.invalid"):
            held = audio_in(line, connection=f"c=IN {address}")
            self.assertTrue(held.held_by_address)
            self.assertFalse(held.receives)
        self.assertFalse(audio_in(line).held_by_address)

    def test_addresses_we_do_not_send_to(self) -> None:
        """
        No address, a name, a group and everyone are refused.
        """
        line = "m=audio 4000 RTP/AVP 0"
        self.assertRaises(SDPError, audio_in, line, connection="")
        for address in ("IP4 phone.example.com", "IP4 224.2.1.1/127", "IP6 ff02::1", "IP4 255.255.255.255", "IP4 1.2"):
            self.assertRaises(SDPError, audio_in, line, connection=f"c=IN {address}")

    def test_first_audio_that_is_not_refused(self) -> None:
        """
        Video, refused audio and profiles that are not served are passed over; the index tells which was taken.
        """
        lines = (
            "m=video 5000 RTP/AVP 99",
            "m=audio 0 RTP/AVP 0",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "m=audio 6000 RTP/SAVP 0",
            "m=audio 6002 RTP/AVP 0",
        )
        self.assertEqual((audio_in(*lines).index, audio_in(*lines).port), (3, 6000))
        self.assertEqual([found.port for found in audios_of(description(*lines))], [6000, 6002])
        plain = audio_of(description(*lines), audio.PLAIN_PROFILES)
        assert plain is not None
        self.assertEqual(plain.port, 6002)
        self.assertIsNone(audio_of(description(*lines[:3])))

    def test_rtcp(self) -> None:
        """
        RTCP goes to the next port unless said otherwise, and to another address only if that is one host's.
        """
        line = "m=audio 4000 RTP/AVP 0"
        for said, host, port in (
            ("a=x", "192.0.2.1", 4001),
            ("a=rtcp:5000", "192.0.2.1", 5000),
            ("a=rtcp:5000 IN IP4 192.0.2.8", "192.0.2.8", 5000),
            ("a=rtcp:9 IN IP4 0.0.0.0", "192.0.2.1", 9),
            ("a=rtcp:5000 IN IP4 224.0.0.1", "192.0.2.1", 5000),
            ("a=rtcp:5000 IN IP4 host.example", "192.0.2.1", 5000),
            ("a=rtcp:99999", "192.0.2.1", 4001),
            ("a=rtcp", "192.0.2.1", 4001),
        ):
            found = audio_in(line, said)
            self.assertEqual((found.rtcp_host, found.rtcp_port), (host, port), said)
        self.assertEqual(audio_in("m=audio 65535 RTP/AVP 0").rtcp_port, 65_535)
        self.assertFalse(audio_in(line).rtcp_mux)
        self.assertTrue(audio_in(line, "a=rtcp-mux").rtcp_mux)
        self.assertEqual(Audio("192.0.2.1", 4000).rtcp_port, 4001)
        self.assertEqual(Audio("192.0.2.1", 65_535).rtcp_port, 65_535)
        self.assertEqual(audio_in(line, "a=rtcp:65535").rtcp_port, 65_535)
        self.assertEqual(audio_in(line, "a=rtcp:000080").rtcp_port, 4001)
        self.assertEqual(Audio("192.0.2.1", 4000).rtcp_host, "192.0.2.1")

    def test_defaults(self) -> None:
        """
        What is not said is the usual: plain RTP both ways, no key identifier.
        """
        found = Audio("192.0.2.1", 4000)
        self.assertEqual(found, audio_in("m=audio 4000 RTP/AVP 99"))
        self.assertFalse(found.rtcp_mux)
        self.assertFalse(found.held_by_address)
        self.assertEqual(found.index, 0)
        self.assertEqual((Crypto(1, SUITE, b"").mki, Crypto(1, SUITE, b"").mki_length), (0, 0))

    def test_ptime(self) -> None:
        """
        Milliseconds in a packet, if they are sensible.
        """
        line = "m=audio 4000 RTP/AVP 0"
        self.assertIsNone(audio_in(line).ptime)
        for value, expected in (("20", 20), ("30.0", 30), (" 10", 10), ("0", None), ("-5", None), ("x", None)):
            self.assertEqual(audio_in(line, f"a=ptime:{value}").ptime, expected)
        self.assertIsNone(audio_in(line, "a=ptime").ptime)

    def test_profiles_told_apart(self) -> None:
        """
        The profile is kept as written; keys make RTP/AVP secure as well.
        """
        for profile, secure in (("AVP", False), ("AVPF", False), ("SAVP", True), ("SAVPF", True)):
            found = audio_in(f"m=audio 4000 RTP/{profile} 0")
            self.assertEqual((found.profile, found.is_secure), (f"RTP/{profile}", secure))
        self.assertTrue(audio_in("m=audio 4000 RTP/AVP 0", f"a=crypto:1 {SUITE} inline:{KEY}").is_secure)


class CryptoTests(SynchronousTestCase):
    """
    Keys in the description.
    """

    def test_plain(self) -> None:
        """
        Tag, suite and the thirty bytes of key and salt are read and written.
        """
        found = Crypto.parse(f"1 {SUITE} inline:{KEY}")
        self.assertEqual((found.tag, found.suite, len(found.key_salt)), (1, SUITE, 30))
        self.assertTrue(found.is_usable)
        self.assertEqual(str(found), f"1 {SUITE} inline:{KEY}")
        self.assertEqual(Crypto.parse(str(found)), found)

    def test_lifetime_and_identifier(self) -> None:
        """
        A lifetime is read over; a master key identifier is kept and makes the key one that we don't use.
        """
        self.assertEqual(Crypto.parse(f"1 {SUITE} inline:{KEY}|2^20"), Crypto.parse(f"1 {SUITE} inline:{KEY}"))
        found = Crypto.parse(f"2 {SUITE} inline:{KEY}|2^31|1:4")
        self.assertEqual((found.mki, found.mki_length), (1, 4))
        self.assertFalse(found.is_usable)
        self.assertEqual(Crypto.parse(f"2 {SUITE} inline:{KEY}|1:4"), found)
        self.assertEqual(Crypto.parse(str(found)), found)

    def test_session_parameters(self) -> None:
        """
        Those that must be heeded make the key one that we don't use.
        """
        self.assertTrue(Crypto.parse(f"1 {SUITE} inline:{KEY} WSH=64 -x").is_usable)
        found = Crypto.parse(f"1 {SUITE} inline:{KEY} UNENCRYPTED_SRTCP")
        self.assertFalse(found.is_usable)
        self.assertEqual(Crypto.parse(str(found)), found)

    def test_never_shown(self) -> None:
        """
        The key is neither in the representation nor in an error.
        """
        found = Crypto.parse(f"1 {SUITE} inline:{KEY}")
        self.assertNotIn(repr(found.key_salt)[2:10], repr(Audio("192.0.2.1", 4000, cryptos=(found,))))
        self.assertNotIn("key_salt", repr(found))
        error = self.assertRaises(SDPError, Crypto.parse, f"1 {SUITE} inline:{KEY}AAAA")
        self.assertNotIn(KEY, str(error))

    def test_refused(self) -> None:
        """
        What RFC 4568 does not have is an error here, and a line passed over in a description.
        """
        bad = (
            "",
            f"x {SUITE} inline:{KEY}",
            f"1 {SUITE}",
            f"1 {SUITE} inline:",
            f"1 {SUITE} inline:{KEY[:-4]}",
            f"1 {SUITE} inline:=={KEY}",
            f"1 {SUITE} inline:{KEY}|2^20|x:y",
            f"1 {SUITE} inline:{KEY}|2^20|1:999",
            f"1 {SUITE} inline:{KEY};inline:{KEY}",
        )
        for line in bad:
            self.assertRaises(SDPError, Crypto.parse, line)
        lines = [f"a=crypto:{line}" for line in (*bad, f"7 {SUITE} inline:{KEY}")]
        found = audio_in("m=audio 4000 RTP/SAVP 0", "a=crypto", *lines)
        self.assertEqual([crypto.tag for crypto in found.cryptos], [7])

    def test_other_suites(self) -> None:
        """
        Keys of other lengths are read with their suites, with or without padding.
        """
        for padding in ("==", ""):
            found = Crypto.parse(f"1 AES_256_CM_HMAC_SHA1_80 inline:{'A' * 62}{padding}")
            self.assertEqual(len(found.key_salt), 46)
        for suite, length in (
            ("AES_CM_128_HMAC_SHA1_80", 30),
            ("AES_CM_128_HMAC_SHA1_32", 30),
            ("F8_128_HMAC_SHA1_80", 30),
            ("AES_192_CM_HMAC_SHA1_80", 38),
            ("AES_192_CM_HMAC_SHA1_32", 38),
            ("AES_256_CM_HMAC_SHA1_80", 46),
            ("AES_256_CM_HMAC_SHA1_32", 46),
            ("AEAD_AES_128_GCM", 28),
            ("AEAD_AES_256_GCM", 44),
            ("OF_TOMORROW", 12),
        ):
            crypto = Crypto(1, suite, bytes(length))
            self.assertEqual(Crypto.parse(str(crypto)), crypto)
        self.assertRaises(SDPError, Crypto.parse, f"1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}")

    def test_limit(self) -> None:
        """
        Sixteen keys are read, no more.
        """
        lines = [f"a=crypto:{tag} {SUITE} inline:{KEY}" for tag in range(1, 30)]
        self.assertEqual(len(audio_in("m=audio 4000 RTP/SAVP 0", *lines).cryptos), audio.MAX_CRYPTOS)
