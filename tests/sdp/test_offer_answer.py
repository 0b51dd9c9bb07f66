"""
Tests for :mod:`pbx.sdp.offer_answer`.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pbx.sdp.audio import Audio, Crypto, Format, audio_of
from pbx.sdp.offer_answer import (
    Local,
    answered_direction,
    choose,
    choose_crypto,
    make_answer,
    make_offer,
    revised,
    unchanged,
)
from pbx.sdp.session import SessionDescription

HERE = Local("192.0.2.100", 20_000)
PCMU, PCMA, EVENTS = Format(0, "PCMU"), Format(8, "PCMA"), Format(101, "telephone-event", fmtp="0-16")
KEY = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))


def offer_of(*lines: str) -> SessionDescription:
    """
    An offer with these lines below its head.
    """
    head = ["v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"]
    return SessionDescription.parse("\r\n".join([*head, *lines, ""]).encode())


class MakeOfferTests(SynchronousTestCase):
    """
    What we offer.
    """

    def test_bytes(self) -> None:
        """
        An offer is small, and says all of its formats.
        """
        self.assertEqual(
            make_offer(HERE, [PCMU, PCMA, EVENTS], session_id=7, version=1).to_bytes(),
            b"v=0\r\no=- 7 1 IN IP4 192.0.2.100\r\ns=-\r\nc=IN IP4 192.0.2.100\r\nt=0 0\r\n"
            b"m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
            b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
        )

    def test_read_as_it_was_meant(self) -> None:
        """
        Keys, RTCP, direction and an IPv6 address arrive at the other side.
        """
        local = Local("2001:db8::1", 20_000, rtcp_mux=True, rtcp_port=30_000, ptime=None)
        offer = make_offer(
            local, [PCMU], session_id=7, version=1, direction="sendonly", profile="RTP/SAVP", cryptos=[KEY]
        )
        self.assertEqual(
            audio_of(SessionDescription.parse(offer.to_bytes())),
            Audio(
                "2001:db8::1", 20_000, (PCMU,), "sendonly", "RTP/SAVP", 30_000, rtcp_mux=True, cryptos=(KEY,)
            ),
        )
        self.assertIn(b"o=- 7 1 IN IP6 2001:db8::1\r\n", offer.to_bytes())

    def test_rtcp_where_it_is_expected(self) -> None:
        """
        The port after that of RTP goes without saying.
        """
        for port, said in ((None, None), (20_001, None), (20_002, "20002"), (20_000, "20000")):
            offer = make_offer(attrs.evolve(HERE, rtcp_port=port), [PCMU], session_id=7, version=1)
            self.assertEqual(offer.media[0].attribute("rtcp"), said)

    def test_media_lines_keep_their_places(self) -> None:
        """
        A later offer has all lines of the description before it, the audio where it was.
        """
        before = make_answer(
            offer_of("m=video 5000 RTP/AVP 99 98", "m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"),
            HERE,
            [PCMU],
            session_id=7,
            version=1,
        )
        offer = make_offer(HERE, [PCMA], session_id=7, version=2, previous=before)
        self.assertEqual(
            [(line.kind, line.port, line.formats) for line in offer.media],
            [("video", 0, ("99",)), ("audio", 20_000, ("8",)), ("audio", 0, ("0",))],
        )

    def test_audio_that_was_refused_is_offered_again_in_place(self) -> None:
        """
        A refused audio line is taken up again; without one a line is added at the end.
        """
        for lines, ports in (
            (("m=video 5000 RTP/AVP 99", "m=audio 4000 RTP/AVP 0"), [0, 20_000]),
            (("m=video 5000 RTP/AVP 99",), [0, 20_000]),
            ((), [20_000]),
        ):
            refused = make_answer(offer_of(*lines), HERE, [], session_id=7, version=1)
            offer = make_offer(HERE, [PCMU], session_id=7, version=2, previous=refused)
            self.assertEqual([line.port for line in offer.media], ports)

    def test_misuse(self) -> None:
        """
        An offer of nothing, of a profile unknown, of SRTP without a key or in no direction is our mistake.
        """
        for formats, extra in (
            ([], {}),
            ([PCMU], {"profile": "UDP/TLS/RTP/SAVPF"}),
            ([PCMU], {"profile": "RTP/SAVP"}),
            ([PCMU], {"direction": "both"}),
        ):
            self.assertRaises(ValueError, make_offer, HERE, formats, session_id=7, version=1, **extra)


class MakeAnswerTests(SynchronousTestCase):
    """
    What we answer.
    """

    def answer(self, offer: SessionDescription, **extra: object) -> SessionDescription:
        """
        Our answer with PCMU and its own defaults.
        """
        local = extra.pop("local", HERE)
        return make_answer(offer, local, extra.pop("formats", [PCMU]), session_id=7, version=1, **extra)

    def test_one_audio_taken_the_others_refused_in_place(self) -> None:
        """
        The answer has as many lines as the offer, in its order, with its kinds and profiles.
        """
        answer = self.answer(
            offer_of(
                "m=image 5000 udptl t38",
                "m=audio 0 RTP/AVP 0",
                "m=audio 4000 RTP/AVPF 0 8",
                "m=audio 4002 RTP/AVP 0",
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            )
        )
        self.assertEqual(
            [(line.kind, line.port, line.profile) for line in answer.media],
            [
                ("image", 0, "udptl"),
                ("audio", 0, "RTP/AVP"),
                ("audio", 20_000, "RTP/AVPF"),
                ("audio", 0, "RTP/AVP"),
                ("application", 0, "UDP/DTLS/SCTP"),
            ],
        )
        self.assertEqual(answer.media[0].formats, ("t38",))
        self.assertEqual(SessionDescription.parse(answer.to_bytes()), answer)

    def test_the_stream_asked_for(self) -> None:
        """
        Of a secure and a plain stream the second can be taken.
        """
        offer = offer_of("m=audio 4000 RTP/SAVP 0", f"a=crypto:{KEY}", "m=audio 4002 RTP/AVP 0")
        plain = audio_of(offer, {"RTP/AVP"})
        self.assertEqual([line.port for line in self.answer(offer, audio=plain).media], [0, 20_000])
        self.assertEqual([line.port for line in self.answer(offer, cryptos=[KEY]).media], [20_000, 0])

    def test_nothing_in_common(self) -> None:
        """
        Without formats, or without audio, everything is refused.
        """
        self.assertEqual(self.answer(offer_of("m=audio 4000 RTP/AVP 18"), formats=[]).media[0].port, 0)
        self.assertEqual(self.answer(offer_of("m=video 4000 RTP/AVP 99")).media[0].port, 0)
        self.assertEqual(self.answer(offer_of()).media, ())

    def test_keys_answered_where_keys_were_offered(self) -> None:
        """
        SAVP is answered SAVP, AVP with keys AVP with a key; anything else is our mistake.
        """
        for profile in ("RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"):
            offer = offer_of(f"m=audio 4000 {profile} 0", f"a=crypto:{KEY}")
            media = self.answer(offer, cryptos=[KEY]).media[0]
            self.assertEqual((media.profile, media.attribute("crypto")), (profile, str(KEY)))
        self.assertRaises(ValueError, self.answer, offer_of("m=audio 4000 RTP/SAVP 0"))
        self.assertRaises(ValueError, self.answer, offer_of("m=audio 4000 RTP/AVP 0"), cryptos=[KEY])
        self.assertIsNone(self.answer(offer).media[0].attribute("crypto"))

    def test_rtcp_mux_only_where_offered(self) -> None:
        """
        RTCP shares the port when both sides can.
        """
        local = attrs.evolve(HERE, rtcp_mux=True)
        muxed, plain = offer_of("m=audio 4000 RTP/AVP 0", "a=rtcp-mux"), offer_of("m=audio 4000 RTP/AVP 0")
        self.assertEqual(self.answer(muxed, local=local).media[0].attribute("rtcp-mux"), "")
        self.assertIsNone(self.answer(plain, local=local).media[0].attribute("rtcp-mux"))
        self.assertIsNone(self.answer(muxed).media[0].attribute("rtcp-mux"))


class ChooseTests(SynchronousTestCase):
    """
    What is taken of an offer.
    """

    def test_offerers_order_and_payload_types(self) -> None:
        """
        The offer's order and numbers count, not ours; telephone events both know are answered.
        """
        offered = [Format(9, "G722"), PCMA, Format(110, "PCMU"), Format(96, "telephone-event", fmtp="0-15,66")]
        self.assertEqual(
            choose(offered, [PCMU, PCMA, EVENTS]),
            [PCMA, Format(110, "PCMU"), Format(96, "telephone-event", fmtp="0-15")],
        )

    def test_events_of_the_codecs_clock(self) -> None:
        """
        Telephone events of another clock rate than the codec's are not taken.
        """
        wide = Format(102, "telephone-event", 48_000)
        opus = Format(96, "opus", 48_000, 2)
        self.assertEqual(choose([opus, wide, EVENTS], [opus, wide, EVENTS])[1].payload_type, 102)
        self.assertEqual(len(choose([opus, wide, EVENTS], [opus, wide, EVENTS])), 2)
        self.assertEqual(choose([PCMU, wide], [PCMU, wide]), [PCMU])

    def test_nothing_in_common(self) -> None:
        """
        Telephone events alone are no call.
        """
        self.assertEqual(choose([Format(18, "G729"), EVENTS], [PCMU, EVENTS]), [])
        self.assertEqual(choose([], [PCMU]), [])

    def test_keys(self) -> None:
        """
        The first key of the peer's order that we can use is accepted.
        """
        other = attrs.evolve(KEY, tag=2, suite="AES_CM_128_HMAC_SHA1_32")
        bare = attrs.evolve(KEY, tag=3, params=("UNENCRYPTED_SRTP",))
        named = attrs.evolve(KEY, tag=4, mki=1, mki_length=4)
        suites = (KEY.suite, other.suite)
        self.assertEqual(choose_crypto([bare, named, other, KEY], suites), other)
        self.assertEqual(choose_crypto([bare, named, other, KEY], suites[:1]), KEY)
        self.assertIsNone(choose_crypto([bare, named], suites))


class AnsweredDirectionTests(SynchronousTestCase):
    """
    Which way, seen from us.
    """

    def test_table(self) -> None:
        """
        RFC 3264 6.1, all sixteen of it: we never do more than was offered, nor more than we want.
        """
        table = {
            "sendrecv": {"sendrecv": "sendrecv", "sendonly": "sendonly", "recvonly": "recvonly"},
            "sendonly": {"sendrecv": "recvonly", "sendonly": "inactive", "recvonly": "recvonly"},
            "recvonly": {"sendrecv": "sendonly", "sendonly": "sendonly", "recvonly": "inactive"},
            "inactive": {"sendrecv": "inactive", "sendonly": "inactive", "recvonly": "inactive"},
        }
        for offered, row in table.items():
            for wanted, expected in {**row, "inactive": "inactive"}.items():
                self.assertEqual(answered_direction(offered, wanted), expected, (offered, wanted))
            self.assertEqual(answered_direction(offered), row["sendrecv"])

    def test_hold_by_address(self) -> None:
        """
        An address that is none is inactive, whatever the direction says.
        """
        for direction in ("sendrecv", "sendonly", "inactive"):
            held = Audio("0.0.0.0", 4000, direction=direction, held_by_address=True)  # noqa: S104  # no socket
            self.assertEqual(answered_direction(held), "inactive")
            flowing = attrs.evolve(held, held_by_address=False)
            self.assertEqual(answered_direction(flowing), answered_direction(direction))


class RevisedTests(SynchronousTestCase):
    """
    The same description again, or the next version of it.
    """

    def test_unchanged_goes_out_as_it_was(self) -> None:
        """
        A new description that says the same is the previous one, byte for byte.
        """
        first = make_offer(HERE, [PCMU, EVENTS], session_id=7, version=3)
        again = make_offer(HERE, [PCMU, EVENTS], session_id=9, version=9)
        self.assertIs(revised(first, again), first)
        self.assertIs(revised(None, first), first)

    def test_version_never_goes_back(self) -> None:
        """
        After an offer that was refused the next description has a version above that of the refused one.
        """
        first = make_offer(HERE, [PCMU], session_id=7, version=1)
        refused = revised(first, make_offer(HERE, [PCMA], session_id=7, version=1))
        again = revised(first, make_offer(HERE, [EVENTS], session_id=7, version=1), int(refused.origin.version))
        self.assertEqual((refused.origin.version, again.origin.version), ("2", "3"))

    def test_changed_has_the_next_version(self) -> None:
        """
        Each change raises the version by one and keeps the session's identifier.
        """
        first = make_offer(HERE, [PCMU, EVENTS], session_id=7, version=3)
        for other in (
            make_offer(HERE, [PCMU], session_id=9, version=9),
            make_offer(HERE, [PCMU, EVENTS], direction="sendonly", session_id=9, version=9),
            make_offer(attrs.evolve(HERE, port=20_002), [PCMU, EVENTS], session_id=9, version=9),
            make_offer(attrs.evolve(HERE, host="192.0.2.101"), [PCMU, EVENTS], session_id=9, version=9),
        ):
            sent = revised(first, other)
            self.assertEqual((sent.origin.session_id, sent.origin.version), ("7", "4"))
            self.assertEqual(sent.media, other.media)

    def test_a_peers_version_is_not_asked(self) -> None:
        """
        A session refresh with a raised version and another name is unchanged; another key or session direction is not.
        """
        before = offer_of("m=audio 4000 RTP/SAVP 0", f"a=crypto:{KEY}")
        refresh = SessionDescription.parse(before.to_bytes().replace(b"- 1 2", b"- 1 3").replace(b"s=-", b"s=x"))
        self.assertTrue(unchanged(before, refresh))
        rekeyed = attrs.evolve(KEY, key_salt=bytes(30))
        self.assertFalse(unchanged(before, offer_of("m=audio 4000 RTP/SAVP 0", f"a=crypto:{rekeyed}")))
        self.assertFalse(unchanged(before, attrs.evolve(before, attributes=(("sendonly", None),))))
