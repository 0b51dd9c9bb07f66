"""
Offers of real devices, read and answered.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sdp.audio import Audio, audio_of, audios_of
from pbx.sdp.mapping import DECODABLE, EVENTS, NARROW, answer_to_caller, onward
from pbx.sdp.offer_answer import Local, answered_direction, choose, choose_crypto, make_answer, make_offer
from pbx.sdp.session import SessionDescription
from tests.sdp.devices import OFFERS, offer_of

HERE = Local("192.0.2.100", 20_000)
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")

EXPECTED = {
    # Device: address, profile, direction, codecs and events read, what we would take ourselves.
    "Yealink T46": ("192.168.1.50:11798", "RTP/AVP", "sendrecv", "0 8 18 9 101", "0 8 101"),
    "Yealink T46, encryption optional": ("192.168.1.50:11800", "RTP/AVP", "sendrecv", "8 101", "8 101"),
    "Polycom VVX": ("10.0.0.41:2246", "RTP/AVP", "sendrecv", "115 102 9 0 8 18 127", "0 8 127"),
    "Polycom VVX, held": ("10.0.0.41:2246", "RTP/AVP", "sendonly", "0 127", "0 127"),
    "Cisco SPA504G": ("192.168.0.12:16454", "RTP/AVP", "sendrecv", "0 2 8 9 18 96 97 98 101", "0 8 101"),
    "Cisco 7960, held": ("0.0.0.0:23456", "RTP/AVP", "sendrecv", "0 8 18 101", "0 8 101"),
    "Cisco gateway": ("198.51.100.5:17500", "RTP/AVP", "sendrecv", "18 0 100 101", "0 101"),
    "Grandstream GXP": ("192.168.7.20:5004", "RTP/AVP", "sendrecv", "0 8 18 9 97 2 101", "0 8 101"),
    "Snom 760": ("192.168.5.31:57044", "RTP/AVP", "sendrecv", "9 0 8 3 99 112 18 101", "0 8 101"),
    "Fritz!Box": ("192.168.178.1:7078", "RTP/AVP", "sendrecv", "8 0 2 102 100 99 97 120 121 101", "8 0 101"),
    "baresip 1.0": ("172.17.0.2:20304", "RTP/AVP", "sendrecv", "96 0 8 97", "0 8 97"),
    "baresip 1.0, SRTP over IPv6": ("2001:db8::15:20306", "RTP/SAVP", "sendrecv", "0 8 97", "0 8 97"),
    "Linphone 5": ("192.168.1.33:7078", "RTP/AVPF", "sendrecv", "96 97 98 0 8 18 101 99 100", "0 8 100"),
    "Asterisk": ("203.0.113.7:14042", "RTP/AVP", "sendrecv", "0 8 101", "0 8 101"),
    "FreeSWITCH": ("203.0.113.9:24558", "RTP/AVP", "sendrecv", "102 0 8 103 101 13", "0 8 101"),
    "Teams through an SBC": (
        "52.112.0.11:50004",
        "RTP/SAVP",
        "sendrecv",
        "104 9 103 111 18 0 8 97 101 13 118",
        "0 8 101",
    ),
    "two streams, the second plain": ("192.168.1.70:12000", "RTP/SAVP", "sendrecv", "8", "8"),
    "Chrome": None,
}


def read(device: str) -> tuple[SessionDescription, Audio]:
    """
    A device's offer and its audio.
    """
    offer = SessionDescription.parse(offer_of(device))
    audio = audio_of(offer)
    assert audio is not None, device
    return offer, audio


class DeviceTests(SynchronousTestCase):
    """
    Each device's offer, from its bytes to our answer.
    """

    def test_read(self) -> None:
        """
        Address, profile, direction and formats of each device are what its maker meant.
        """
        self.assertEqual(set(EXPECTED), set(OFFERS))
        for device, expected in EXPECTED.items():
            if expected is None:
                continue
            _, audio = read(device)
            address, profile, direction, formats, taken = expected
            self.assertEqual(f"{audio.host}:{audio.port}", address, device)
            self.assertEqual((audio.profile, audio.direction), (profile, direction), device)
            self.assertEqual(" ".join(str(item.payload_type) for item in audio.formats), formats, device)
            chosen = choose(audio.formats, (*NARROW, EVENTS))
            self.assertEqual(" ".join(str(item.payload_type) for item in chosen), taken, device)

    def test_written_as_it_came(self) -> None:
        """
        Nothing of any device's description is lost: what was in the usual order comes out byte for byte.
        """
        for device in OFFERS:
            self.assertEqual(SessionDescription.parse(offer_of(device)).to_bytes(), offer_of(device), device)

    def test_answered(self) -> None:
        """
        Each is answered with its profile, a key where it has one, its other streams refused, and read again.
        """
        for device, expected in EXPECTED.items():
            if expected is None:
                continue
            offer, audio = read(device)
            accepted = choose_crypto(audio.cryptos, SUITES)
            self.assertEqual(accepted is not None, audio.is_secure, device)
            answer = make_answer(
                offer,
                HERE,
                choose(audio.formats, DECODABLE),
                session_id=1,
                version=1,
                direction=answered_direction(audio),
                cryptos=[accepted] if accepted is not None else [],
            )
            self.assertEqual(len(answer.media), len(offer.media), device)
            self.assertEqual(SessionDescription.parse(answer.to_bytes()), answer, device)
            ours = audio_of(answer)
            assert ours is not None
            self.assertEqual((ours.profile, len(ours.cryptos)), (audio.profile, int(audio.is_secure)), device)

    def test_onward_and_back(self) -> None:
        """
        What another phone is offered for each caller is small, and whatever codec that phone chooses can be answered.
        """
        for device, expected in EXPECTED.items():
            if expected is None:
                continue
            _, audio = read(device)
            offered = onward(audio.formats)
            body = make_offer(HERE, offered, session_id=1, version=1).to_bytes()
            # Of the 1,300 bytes of a whole INVITE.
            self.assertLess(len(body), 650, device)
            for item in offered:
                if item.is_sound:
                    answer = answer_to_caller(audio.formats, [item])
                    self.assertEqual(answer[0].payload_type, item.payload_type, device)
                    self.assertTrue(all(other.clock == item.clock for other in answer), device)

    def test_hold(self) -> None:
        """
        Polycom's session-level sendonly and the 0.0.0.0 of an old Cisco are holds, each answered in its way.
        """
        self.assertEqual(answered_direction(read("Polycom VVX, held")[1]), "recvonly")
        self.assertEqual(answered_direction(read("Cisco 7960, held")[1]), "inactive")

    def test_particulars(self) -> None:
        """
        Two rates of G.722.1 are two formats, G729a is G.729, Teams' key with an identifier is passed over.
        """
        polycom = read("Polycom VVX")[1].formats
        self.assertFalse(polycom[0].matches(polycom[1]))
        spa = read("Cisco SPA504G")[1]
        self.assertEqual((spa.formats[4].codec, spa.ptime), ("g729", 30))
        teams = read("Teams through an SBC")[1]
        accepted = choose_crypto(teams.cryptos, SUITES)
        assert accepted is not None
        self.assertEqual((accepted.tag, teams.rtcp_port), (2, 50_005))
        baresip = read("baresip 1.0, SRTP over IPv6")[1]
        self.assertEqual((baresip.rtcp_mux, baresip.rtcp_port), (True, 20_306))

    def test_browser(self) -> None:
        """
        A browser's stream is keyed by DTLS, which is not served: there is no audio, and every line is refused.
        """
        offer = SessionDescription.parse(offer_of("Chrome"))
        self.assertIsNone(audio_of(offer))
        answer = make_answer(offer, HERE, list(DECODABLE), session_id=1, version=1)
        self.assertEqual([line.port for line in answer.media], [0, 0])
        # Asked for by name it can be read.
        (audio,) = audios_of(offer, {"UDP/TLS/RTP/SAVPF"})
        self.assertEqual([item.codec for item in audio.formats][:3], ["opus", "red", "g722"])
        self.assertEqual(
            [item.codec for item in onward(audio.formats)],
            ["opus", "g722", "pcmu", "pcma", "telephone-event", "telephone-event"],
        )
