"""
Transfer by real phones: who hears whom afterwards, and who is told what.

baresip 1.0 transfers blind, but hangs up when that fails, and knows no attended transfer: that is done by SIPp, or a
handset of our own, with baresip as the parties that are heard.
"""

from __future__ import annotations

from tests.wire.agent import Dialog
from tests.wire.ears import MUSIC, ListeningTestCase, listen, score, shipped
from tests.wire.exchange import PASSWORD
from tests.wire.handset import Handset
from tests.wire.process import eventually
from tests.wire.scenario import Scenario
from tests.wire.sipp import credentials


class TransferTests(ListeningTestCase):
    """
    1006 gives calls away.
    """

    extensions = ("1005", "1006", "1007", "1008")

    async def refer(self, phone: Handset, dialog: Dialog, target: str) -> list[tuple[str, str]]:
        """
        Send a REFER; what the NOTIFYs say until the last, each with the state of the subscription.
        """
        headers = (("Refer-To", f"<{target}>"), ("Referred-By", f"<sip:{phone.user}@{self.exchange.host}>"))
        self.assertEqual((await phone.within(dialog, "REFER", headers=headers)).status, 202)

        async def told() -> list[tuple[str, str]] | None:
            notes = phone.came("NOTIFY")
            said = [(one.body.decode().strip(), one["subscription-state"].split(";")[0]) for one in notes]
            return said if said and said[-1][1] == "terminated" else None

        return await eventually(told, 5, "the last NOTIFY") or []

    async def test_blind(self) -> None:
        """
        1005 calls 1006, which sends it to 1007: those two talk, and 1006 is told of it and out of it.
        """
        caller, transferor, target = [await self.phone(number) for number in ("1005", "1006", "1007")]
        await self.connect(caller, transferor)
        await transferor.command("transfer", f"sip:1007@{self.exchange.server}")
        await target.event("CALL_ESTABLISHED")
        self.assertEqual((await transferor.event("CALL_CLOSED")).param, "Call transfered")
        await self.assert_talking(caller, target, transferor.said, shipped("music/default"))
        _, live = await self.api("GET", "/api/calls")
        self.assertEqual([[leg["party"] for leg in call["legs"]] for call in live["calls"]], [["1005", "1007"]])
        await caller.hang_up()
        await target.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "caller"))
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1005", "1006", "1007"])
        await self.nothing_left()

    async def test_failing(self) -> None:
        """
        1006 sends 1005 to nowhere: it is told so, and the two go on talking.
        """
        caller, transferor = await self.phone("1005"), await self.handset("1006")
        await caller.dial("1006")
        await caller.event("CALL_ESTABLISHED")
        (dialog,) = transferor.dialogs.values()
        said = await self.refer(transferor, dialog, f"sip:7777@{self.exchange.server}")
        self.assertEqual(said[0], ("SIP/2.0 100 Trying", "active"))
        self.assertRegex(said[-1][0], "^SIP/2.0 404 ")
        await self.assert_talking(caller, transferor, shipped("music/default"))
        await caller.hang_up()
        await self.new_records()
        await self.nothing_left()

    async def test_called_back(self) -> None:
        """
        1006 sends 1005 to 1007 and hangs up at once; 1007 refuses. 1006 is called back, and talks to 1005 again.
        """
        status, answer = await self.api("PATCH", "/api/extensions/1007/handling", {"voicemail": False})
        self.assertEqual(status, 200, answer)
        caller, transferor = await self.phone("1005"), await self.handset("1006")
        target = await self.phone("1007", answer="manual")
        await caller.dial("1006")
        await caller.event("CALL_ESTABLISHED")
        (dialog,) = transferor.dialogs.values()
        refer = (("Refer-To", f"<sip:1007@{self.exchange.server}>"),)
        self.assertEqual((await transferor.within(dialog, "REFER", headers=refer)).status, 202)
        self.assertEqual((await transferor.hang_up(dialog)).status, 200)
        await target.event("CALL_INCOMING")
        await target.hang_up()
        await target.event("CALL_CLOSED")
        await self.assert_talking(caller, transferor, shipped("music/default"))
        self.assertEqual(len(transferor.came("INVITE")), 2)
        await caller.hang_up()
        (record,) = await self.new_records()
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1005", "1006", "1007", "1006"])
        await self.nothing_left()

    async def test_other_codec(self) -> None:
        """
        1005 knows nothing but PCMU, and 1007, to which it is sent, nothing but PCMA: they hear each other all the same.
        """
        caller, transferor = await self.phone("1005", codecs="PCMU/8000/1"), await self.phone("1006")
        target = await self.phone("1007", codecs="PCMA/8000/1")
        await self.connect(caller, transferor)
        await transferor.command("transfer", f"sip:1007@{self.exchange.server}")
        await target.event("CALL_ESTABLISHED")
        await self.assert_talking(caller, target, transferor.said)
        _, live = await self.api("GET", "/api/calls")
        self.assertEqual([call["media_path"] for call in live["calls"]], ["transcode"])
        await target.hang_up()
        await caller.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual([leg["codec"] for leg in record["legs"]], ["PCMU", "PCMU", "PCMA"])
        await self.nothing_left()

    async def test_attended(self) -> None:
        """
        SIPp calls 1005, holds it, calls 1007 and joins the two: they hear each other; one record has all four legs.
        """
        one, other = await self.phone("1005"), await self.phone("1007")
        row = ("1006", "1005", credentials("1006", PASSWORD), "1007")
        transferor = Scenario(
            "attended", self.mktemp(), server=self.exchange.server, rows=[row], pause_ms=300,
            # The Call-ID stands in Refer-To, where an @ would have to be escaped.
            options=["-cid_str", "attended-%u-%p"],
        )
        outcome = await transferor.outcome(20)
        self.assertEqual((outcome.successful, outcome.failed, outcome.resent_to_it), (1, 0, 0), outcome.errors)
        await self.assert_talking(one, other, shipped("music/default"))
        await one.hang_up()
        await other.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], len(record["legs"])), ("answered", 4), record)
        self.assertEqual(sorted(leg["party"] for leg in record["legs"]), ["1005", "1006", "1006", "1007"])
        await self.nothing_left()

    async def test_by_the_operator(self) -> None:
        """
        The API sends 1005 on to 1007, and later to 1008; who of them knows UPDATE is told each time whom it talks to.
        """
        caller, transferor = await self.handset("1005"), await self.phone("1006")
        target, last = await self.phone("1007"), await self.phone("1008")
        dialog = await caller.dial("1006")
        _, live = await self.api("GET", "/api/calls")
        path = f"/api/calls/{live['calls'][0]['id']}/transfer"
        for by, to, others in ((transferor, target, [last]), (target, last, [transferor])):
            status, answer = await self.api("POST", path, {"by": by.name, "to": to.name})
            self.assertEqual(status, 204, answer)
            await to.event("CALL_ESTABLISHED")
            await by.event("CALL_CLOSED")
            await self.assert_talking(caller, to, by.said, *(one.said for one in others))
        shown = [update["p-asserted-identity"] for update in caller.came("UPDATE")]
        self.assertEqual(
            shown, [f'"User {number}" <sip:{number}@{self.exchange.host}>' for number in ("1007", "1008")]
        )
        await caller.hang_up(dialog)
        (record,) = await self.new_records()
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1005", "1006", "1007", "1008"])
        await self.nothing_left()

    async def test_update(self) -> None:
        """
        SIPp calls 1005, which the API takes out for 1007: by UPDATE SIPp is told so, holds, and resumes.
        """
        first, target = await self.phone("1005"), await self.phone("1007")
        row = ("1006", "1005", credentials("1006", PASSWORD))
        caller = Scenario("update", self.mktemp(), server=self.exchange.server, rows=[row], pause_ms=5500)
        caller.start()
        self.addCleanup(caller.stop)
        await first.event("CALL_ESTABLISHED")
        _, live = await self.api("GET", "/api/calls")
        path = f"/api/calls/{live['calls'][0]['id']}/transfer"
        self.assertEqual((await self.api("POST", path, {"by": "1005", "to": "1007"}))[0], 204)
        await target.event("CALL_ESTABLISHED")
        music, best = shipped("music/default"), 0.0
        for _ in range(4):
            # It holds half a second after it was told of 1007, and for long enough to be listened to.
            (piece,) = await listen(target, seconds=MUSIC)
            best = max(best, score(piece, music))
            if best >= 0.8:
                break
        self.assertGreaterEqual(best, 0.8, "1007 hears the music")
        outcome = await caller.outcome(20)
        self.assertEqual((outcome.successful, outcome.failed, outcome.resent_to_it), (1, 0, 0), outcome.errors)
        await target.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual([leg["party"] for leg in record["legs"]], ["1006", "1005", "1007"])
        await self.nothing_left()

    async def test_to_voicemail(self) -> None:
        """
        The API sends 1005 to the mailbox of 1008, which does not ring, and 1005 hears where it is.
        """
        caller, transferor, owner = [await self.phone(number) for number in ("1005", "1006", "1008")]
        await self.connect(caller, transferor)
        _, live = await self.api("GET", "/api/calls")
        path = f"/api/calls/{live['calls'][0]['id']}/transfer"
        status, answer = await self.api("POST", path, {"by": "1006", "voicemail": "1008"})
        self.assertEqual(status, 204, answer)
        await transferor.event("CALL_CLOSED")
        await self.assert_prompt(caller, shipped("en/vm-greeting-start"))
        self.assertNotIn("CALL_INCOMING", {event.type for event in owner.events})
        await caller.hang_up()
        await self.new_records()
        await self.nothing_left()
