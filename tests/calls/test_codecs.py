"""
What the two phones of a call are offered and answered, and what becomes of their packets on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from pbx.sip.message import Request
from tests.calls.case import Conversation, ExchangeCase
from tests.calls.exchange import ADDRESS
from tests.calls.phone import EVENTS, PCMA, PCMU, Phone
from tests.calls.stream_phone import StreamPhone

OPUS = "opus/48000/2"


def formats_of(body: bytes) -> list[str]:
    """
    The payload types of the audio line of a description.
    """
    return re.findall(r"m=audio \d+ \S+ (.*)", body.decode())[0].split()


class CodecTests(ExchangeCase):
    """
    Formats matched by name, payload types mapped per direction.
    """

    def packets(self, talk: Conversation, caller_type: int, callee_type: int) -> tuple[set[int], set[int]]:
        """
        Let both send packets of a payload type; the payload types that the caller and the callee received.
        """
        talk.caller.media.clear()
        talk.callee.media.clear()
        for n in range(5):
            talk.caller.speak(talk.answer.body, 1, first=n, payload_type=caller_type, ssrc=11)
            talk.callee.speak(talk.rung.body, 1, first=n, payload_type=callee_type, ssrc=12)
        return tuple({packet[1] & 0x7F for packet in phone.media} for phone in (talk.caller, talk.callee))

    def test_the_caller_gets_what_the_callee_chose(self) -> None:
        """
        The callee chose its one codec of several: the caller is answered exactly that, and telephone events.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert, answer=bert.sdp(formats=(PCMA, EVENTS)))
        self.assertEqual(formats_of(talk.rung.body), ["0", "8", "101", "9", "111", "110"])
        self.assertEqual(formats_of(talk.answer.body), ["8", "101"])
        self.assertEqual(self.packets(talk, 8, 8), ({8}, {8}))
        talk.hang_up(anna)
        self.assertEqual((self.record["codec"], self.record["media_path"]), ("PCMA", "relay"))

    def test_opus_and_g711(self) -> None:
        """
        A phone that has Opus only and one that has G.711 only hear each other, whichever of them calls.
        """
        anna, bert = self.pair()
        opus, law = ((96, OPUS), (97, "telephone-event/48000")), (PCMU, EVENTS)
        for caller, callee, one, other in ((anna, bert, opus, law), (anna, bert, law, opus)):
            talk = Conversation(caller, callee, body=caller.sdp(formats=one), answer=callee.sdp(formats=other))
            self.assertEqual(formats_of(talk.answer.body), [str(number) for number, _ in one])
            caller.media.clear()
            callee.media.clear()
            silence = {96: b"\x08\xff\xfe", 0: b"\xff" * 160}
            for n in range(20):
                for phone, to, (number, _) in ((caller, talk.answer, one[0]), (callee, talk.rung, other[0])):
                    phone.speak(to.body, 1, first=n, payload_type=number, payload=silence[number], ssrc=number)
            for phone, formats in ((caller, one), (callee, other)):
                self.assertGreater(len(phone.media), 15)
                self.assertEqual({packet[1] & 0x7F for packet in phone.media}, {formats[0][0]})
            talk.hang_up(caller)
            self.assertEqual(self.exchange.records.pop()["media_path"], "transcode")

    def test_converted_between_laws(self) -> None:
        """
        A caller that has µ-law only and a callee that has A-law only talk all the same.
        """
        anna, bert = self.pair()
        talk = Conversation(
            anna, bert, body=anna.sdp(formats=(PCMU, EVENTS)), answer=bert.sdp(formats=(PCMA, EVENTS))
        )
        # What we can convert to is offered after the caller's own.
        self.assertEqual(formats_of(talk.rung.body), ["0", "101", "8", "9", "111", "110"])
        self.assertEqual(formats_of(talk.answer.body), ["0", "101"])
        self.assertEqual(self.packets(talk, 0, 8), ({0}, {8}))
        # Silence of one law is silence of the other.
        anna.speak(talk.answer.body, 1, first=90, payload=b"\xff" * 160, ssrc=11)
        self.assertEqual(bert.media[-1][12:], b"\xd5" * 160)
        # Keys pass through untouched.
        anna.speak(talk.answer.body, 1, first=91, payload=b"\x05\x0a\x00\xa0", payload_type=101, ssrc=11)
        self.assertEqual((bert.media[-1][1] & 0x7F, bert.media[-1][12:]), (101, b"\x05\x0a\x00\xa0"))
        talk.hang_up(bert)
        self.assertEqual(self.record["media_path"], "transcode")

    def test_payload_types_are_mapped(self) -> None:
        """
        Opus and telephone events under different numbers on each side are rewritten in both directions.
        """
        anna, bert = self.pair()
        talk = Conversation(
            anna, bert,
            body=anna.sdp(formats=((111, OPUS), (100, "telephone-event/48000"), (101, "telephone-event/8000"), PCMU)),
            answer=bert.sdp(formats=((96, OPUS), (97, "telephone-event/48000"))),
        )
        self.assertEqual(formats_of(talk.rung.body)[:1], ["111"])
        self.assertEqual(formats_of(talk.answer.body), ["111", "100"])
        # To each phone go the numbers that it said it expects.
        self.assertEqual(self.packets(talk, 111, 111), ({111}, {96}))
        self.assertEqual(self.packets(talk, 100, 100), ({100}, {97}))
        # A phone that sends the numbers it said itself is understood too (it is common).
        self.assertEqual(self.packets(talk, 111, 96), ({111}, {96}))
        talk.hang_up(anna)
        self.assertEqual(self.record["codec"].lower(), "opus")

    def test_static_types_without_rtpmap(self) -> None:
        """
        An offer of bare ``0 8`` without any ``rtpmap`` is understood.
        """
        anna, bert = self.pair()
        body = b"\r\n".join(line for line in anna.sdp().split(b"\r\n") if not line.startswith(b"a=rtpmap:"))
        talk = Conversation(anna, bert, body=body)
        self.assertEqual(formats_of(talk.answer.body), ["0"])
        self.assertEqual(self.packets(talk, 0, 0), ({0}, {0}))
        talk.hang_up(anna)

    def test_codec_that_only_phones_have(self) -> None:
        """
        A codec that we know nothing of is passed through when both phones have it.
        """
        anna, bert = self.pair()
        talk = Conversation(
            anna, bert, body=anna.sdp(formats=((18, "G729/8000"),)), answer=bert.sdp(formats=((18, "G729/8000"),))
        )
        # We can't convert for this caller, so the callee is offered nothing that it lacks.
        self.assertEqual(formats_of(talk.rung.body), ["18"])
        self.assertEqual(self.packets(talk, 18, 18), ({18}, {18}))
        talk.hang_up(anna)

    def test_other_streams_are_refused_in_place(self) -> None:
        """
        Audio, video and a second audio: one audio is taken, the others have port 0 in their place.
        """
        anna, bert = self.pair()
        body = b"m=video 5000 RTP/AVP 34\r\nm=audio 5002 RTP/AVP 0\r\n"
        first, _, rest = anna.sdp().partition(b"m=audio")
        talk = Conversation(anna, bert, body=first + b"m=video 5004 RTP/AVP 34\r\nm=audio" + rest + body)
        lines = re.findall(r"m=(\w+) (\d+)", talk.answer.body.decode())
        self.assertEqual([(kind, port != "0") for kind, port in lines],
                         [("video", False), ("audio", True), ("video", False), ("audio", False)])
        self.assertEqual(re.findall(r"m=(\w+)", talk.rung.body.decode()), ["audio"])
        talk.hang_up(anna)

    def test_description_among_other_parts(self) -> None:
        """
        The description in a ``multipart/mixed`` body is found.
        """
        anna, bert = self.pair()
        body = (
            b"--b\r\nContent-Type: application/sdp\r\n\r\n" + anna.sdp()
            + b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b--\r\n"
        )
        request = anna.request("INVITE", f"sip:1002@{ADDRESS}", body=body)
        request.headers.set("Content-Type", "multipart/mixed;boundary=b")
        invite = anna.authenticated(request)
        (rung,) = bert.requests("INVITE")
        bert.reply(rung, 200, body=bert.sdp())
        answer = anna.last("INVITE")
        self.assertEqual(formats_of(answer.body), ["0", "101"])
        anna.acknowledge(invite, answer)
        anna.send(anna.within("BYE", invite, answer, cseq=9))

    def test_our_invite_is_small(self) -> None:
        """
        Our INVITE for a caller with a dozen formats and long names stays in one datagram of 1,300 bytes.
        """
        for number in ("1001", "1002"):
            extension = self.exchange.directory.extension(number)
            assert extension is not None
            self.exchange.directory.put(attrs.evolve(extension, name="Annabelle-Clementine Wolfeschlegelsteinhausen"))
        dozen = [(n, f"codec-{n}/{8000 * (1 + n % 2)}") for n in range(96, 108)]
        anna, bert = self.phone("1001"), self.phone("1002")
        for formats in ((PCMU, PCMA, EVENTS), (*dozen, PCMU, PCMA, EVENTS)):
            anna.call("1002", body=anna.sdp(formats=formats))
            rung = bert.requests("INVITE")[-1]
            self.assertLess(len(rung.to_bytes()), 1300)
            bert.reply(rung, 486)
            anna.acknowledge_refusal(rung, anna.last("INVITE"))

    def rung(self, name: str, formats: Sequence[tuple[int, str]], kind: type[Phone] = Phone) -> Request:
        """
        The INVITE of a caller with a name and formats, that a phone was sent, and has refused.
        """
        extension = self.exchange.directory.extension("1001")
        assert extension is not None
        self.exchange.directory.put(attrs.evolve(extension, name=name))
        anna, bert = self.phone("1001"), self.phone("1002", kind=kind)
        anna.call("1002", body=anna.sdp(formats=formats))
        rung = bert.requests("INVITE")[-1]
        bert.reply(rung, 486)
        self.network.advance(1)
        bert.register(expires=0)
        if isinstance(bert, StreamPhone):
            bert.close()
        return rung

    def test_long_names_and_many_formats(self) -> None:
        """
        The longest names and offers fit one datagram too: names are shortened first, then codecs are left out, and
        those that we can convert never are.
        """
        dozen = [(n, f"codec-{n}/{8000 * (1 + n % 2)}") for n in range(96, 108)]
        wordy = [(n, f"{'codec' * 14}-{n}/8000") for n in range(96, 108)]
        for name in ("A" * 100, "\u00dc" * 100, '"' * 100, "x"):
            for formats in ((PCMU, PCMA, EVENTS), (*dozen, PCMU, PCMA, EVENTS), (*wordy, PCMU, PCMA, EVENTS)):
                rung = self.rung(name, formats)
                self.assertLessEqual(len(rung.to_bytes()), 1300)
                self.assertTrue(name.startswith(rung.from_.display))
                identity, _, _ = (rung.headers.get("From") or "").rpartition(";tag=")
                self.assertEqual(rung.headers.get("P-Asserted-Identity"), identity)
                self.assertLessEqual({"0", "8", "101"}, set(formats_of(rung.body)))
                if formats[0] is PCMU:
                    self.assertGreater(len(rung.from_.display), 0)
                elif name == "x" and formats[0] is dozen[0]:
                    self.assertEqual((rung.from_.display, len(formats_of(rung.body))), ("x", 15))

    def test_long_name_over_tcp(self) -> None:
        """
        A connection takes it all.
        """
        rung = self.rung("\u00dc" * 300, (PCMU, PCMA, EVENTS), StreamPhone)
        self.assertEqual(rung.from_.display, "\u00dc" * 300)

    def test_formats_of_the_record(self) -> None:
        """
        The record has the codec and quality of each leg.
        """
        anna, bert = self.pair()
        talk = Conversation(anna, bert)
        talk.speak(50)
        (live,) = self.exchange.switchboard.list()
        self.assertEqual([leg["codec"] for leg in live["legs"]], ["PCMU", "PCMU"])
        self.assertGreater(live["mos"], 4)
        talk.hang_up(anna)
        legs = self.record["legs"]
        self.assertEqual([leg["codec"] for leg in legs], ["PCMU", "PCMU"])
        self.assertEqual([(leg["quality"]["packets_in"], leg["quality"]["packets_out"]) for leg in legs],
                         [(50, 50), (50, 50)])
