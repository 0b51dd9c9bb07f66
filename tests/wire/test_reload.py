"""
The configuration is read again while people talk; with more of both it is ``tools/bench/reload``.
"""

from __future__ import annotations

import os
import re
import signal

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from tests.wire import reloads
from tests.wire.agent import answer_to
from tests.wire.exchange import PASSWORD
from tests.wire.process import eventually
from tests.wire.reloads import TlsLine
from tests.wire.scenario import Scenario
from tests.wire.sipp import credentials
from tests.wire.test_database_loss import ANN, BOB, LossTestCase

CALLS = 20
REGISTRATIONS = 100
GAP = 0.25
"""Seconds without audio that a reload may cost at the most, on a machine that has other things to do as well."""


class ReloadTests(LossTestCase):
    """
    Live calls and registrations over several reloads.
    """

    timeout = 120
    expected = "nothing was changed|reload: line|reload: api.ssl"

    async def lives(self) -> tuple[int, int]:
        """
        How many calls and registrations there are.
        """
        _, status = await self.api("GET", "/api/status")
        return status["calls"]["live"], status["registrations"]

    async def went_over(self, count: int) -> None:
        """
        Wait for the line of the log about so many reloads.
        """

        async def told() -> bool:
            return len([line for line in self.exchange.log() if "was read again for" in line]) >= count

        await eventually(told, 10, f"{count} reloads")

    async def test_live_calls(self) -> None:
        """
        Twenty calls and a hundred registrations live over reloads by SIGHUP, API and command, one of a bad file among
        them; audio has no gap, connections stay, new ones get the new certificate, and what changed counts at once.
        """
        self.exchange = exchange = self.new_exchange(reloads.FIRST, calls=CALLS + 5)
        callers, callees = [str(3000 + n) for n in range(CALLS)], [str(4000 + n) for n in range(REGISTRATIONS - 2)]
        await self.begin(*callers, *callees[:CALLS], "1005", "1006")
        for number in callees[CALLS:]:
            await deferToThread(exchange.add_extension, number)
        ann, bob = await self.agent("1005"), await self.agent("1006")
        rows = [(callee, "-", credentials(callee, PASSWORD)) for callee in callees]
        phones = Scenario("register", self.mktemp(), server=exchange.server, rows=rows, calls=len(rows), rate=50)
        self.assertEqual((await phones.outcome()).failed, 0)
        answering = Scenario("answer", self.mktemp(), calls=CALLS, port=phones.port)
        answering.start()
        self.addCleanup(answering.stop)
        pairs = [(callers[n], callees[n], credentials(callers[n], PASSWORD)) for n in range(CALLS)]
        calling = Scenario(
            "call", self.mktemp(), server=exchange.server, rows=pairs, calls=CALLS, rate=20, pause_ms=20_000
        )
        calling.start()
        self.addCleanup(calling.stop)
        dialog, hers, his = await self.talk(ann, bob)

        async def all_live() -> bool:
            return await self.lives() == (CALLS + 1, REGISTRATIONS)

        await eventually(all_live, 15, "all calls")
        sip = await deferToThread(TlsLine, exchange.host, exchange.tls_port)
        web = await deferToThread(TlsLine, exchange.host, exchange.api_port)
        hers.longest_gap = his.longest_gap = 0.0
        before = await deferToThread(reloads.counts, exchange)
        self.assertEqual(before[0].split()[0], "outside")

        reloads.change(exchange, reloads.second)
        await deferToThread(reloads.renew_certificate, exchange)
        os.kill(exchange.pid, signal.SIGHUP)
        await self.went_over(1)
        after = await deferToThread(reloads.counts, exchange)
        self.assertTrue(all(one != other for one, other in zip(before, after, strict=True)), (before, after))
        self.assertEqual((after[1].split()[0], after[3]), ("outside", "voicemail 3001"))

        good = exchange.config.read_text()
        reloads.change(exchange, reloads.bad)
        status, answer = await self.api("POST", "/api/reload")
        self.assertEqual(status, 422)
        self.assertEqual({each["field"] for each in answer["errors"]},
                         {"voicemail.no_answer_timeout", "sip_trunks[0].hots"})
        self.assertTrue(all(each["detail"].startswith("line ") for each in answer["errors"]))
        status, said, errors = await deferToThread(reloads.pbxctl, exchange, "reload")
        self.assertEqual((status, said), (1, ""))
        self.assertIn("sip_trunks[0].hots", errors)
        os.kill(exchange.pid, signal.SIGHUP)
        await self.logged("SIGHUP asked to reload; nothing was changed")
        self.assertEqual(await deferToThread(reloads.counts, exchange), after)

        exchange.config.write_text(good)
        status, answer = await self.api("POST", "/api/reload")
        self.assertEqual((status, answer), (200, {"changed": [], "more": 0, "waiting": [], "doubts": []}))
        reloads.change(exchange, reloads.third)
        status, said, _ = await deferToThread(reloads.pbxctl, exchange, "reload")
        self.assertEqual(status, 0)
        self.assertIn("star_codes.voicemail", said)
        self.assertEqual(await deferToThread(reloads.counts, exchange), before)

        self.assertEqual(await self.lives(), (CALLS + 1, REGISTRATIONS))
        self.assertEqual(await deferToThread(sip.sip), b"SIP/2.0 200 OK")
        self.assertEqual(await deferToThread(web.web), b"HTTP/1.1 200 OK")
        new = [await deferToThread(TlsLine, exchange.host, port) for port in (exchange.tls_port, exchange.api_port)]
        self.assertEqual(len({line.fingerprint for line in (sip, web)} | {line.fingerprint for line in new}), 2)
        self.assertNotEqual(new[0].fingerprint, sip.fingerprint)
        for line in (sip, web, *new):
            line.close()
        await hers.hears(BOB)
        await his.hears(ANN)
        self.assertLess(max(hers.longest_gap, his.longest_gap), GAP)
        self.assertEqual((await ann.hang_up(dialog)).status, 200)
        for scenario in (calling, answering):
            outcome = await scenario.outcome()
            self.assertEqual((outcome.successful, outcome.failed), (CALLS, 0), outcome.errors[:2000])
        records = await self.new_records(CALLS + 1)
        self.assertEqual({record["disposition"] for record in records}, {"answered"})
        await self.nothing_left(10)
        self.assertEqual((await self.lives())[1], REGISTRATIONS)

    async def test_what_phones_notice(self) -> None:
        """
        The lamp of a night switch has the number that is dialled now, lamps are limited as is decided now, and so it is
        decided whether an answer without qop is taken, and taken again.
        """
        conditions = [{"name": "Office", "switch": "1"}]
        self.exchange = self.new_exchange({"time_conditions": conditions})  # type: ignore[dict-item]
        await self.begin("1005", "1006")
        ann = await self.agent("1005")
        server = f"{self.exchange.host}:{self.exchange.sip_port}"

        async def lamp(number: str) -> int:
            uri = f"sip:{number}@{server}"
            headers = [("To", f"<{uri}>"), ("Event", "dialog"), ("Expires", "600")]
            return (await ann.authenticated("SUBSCRIBE", uri, headers)).status

        async def old_way() -> list[int]:
            headers = [("To", f"<sip:1005@{server}>"), ("From", f"<sip:1005@{server}>;tag=1"), ("Call-ID", "old"),
                       ("Contact", f"<{ann.contact}>"), ("Expires", "600")]
            first = await ann.request("REGISTER", f"sip:{server}", [*headers, ("CSeq", "1 REGISTER")])
            challenge = re.sub(', *qop="[^"]*"', "", first["www-authenticate"])
            credentials = answer_to(challenge, "1005", PASSWORD, "REGISTER", f"sip:{server}")
            found = []
            for n in (2, 3):
                again = [*headers, ("CSeq", f"{n} REGISTER"), ("Authorization", credentials)]
                found.append((await ann.request("REGISTER", f"sip:{server}", again)).status)
            return found

        self.assertEqual([await lamp("*281"), await lamp("*291")], [200, 404])
        self.assertEqual(await old_way(), [401, 401])
        reloads.change(self.exchange, lambda settings: settings.update(
            star_codes={"night_switch": "*29"}, blf={"max_subscriptions": 1},
            security={"allow_digest_without_qop": True},
        ))
        status, answer = await self.api("POST", "/api/reload")
        self.assertEqual((status, len(answer["changed"])), (200, 3), answer)
        self.assertEqual(await old_way(), [200, 200])

        async def is_over() -> bool:
            return any("terminated" in message["subscription-state"] for message in ann.received)

        await eventually(is_over, 5, "the end of the lamp")
        self.assertEqual([await lamp(number) for number in ("*281", "*291", "1006")], [404, 200, 503])

    async def test_many_at_once(self) -> None:
        """
        Reloads that are asked for together come one after the other, and what stands in the file last counts.
        """
        await self.begin()
        answers = []
        for seconds in range(61, 66):
            reloads.change(self.exchange, lambda settings, s=seconds: settings.update(media={"silence_timeout": s}))
            answers.append(self.api("POST", "/api/reload"))
        found = await gatherResults([Deferred.fromCoroutine(each) for each in answers])
        self.assertEqual({status for status, _ in found}, {200})
        self.assertEqual([change["after"] for _, answer in found for change in answer["changed"]][-1], 65)
        lines = await self.logged("reload the configuration")
        self.assertTrue(all("audit: local:" in line for line in lines), lines)
