"""
The quality in the call record is true.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.wire.agent import Message, sdp
from tests.wire.case import ExchangeTestCase
from tests.wire.process import Child

RTT = 0.120
SECONDS = 16.0


class QualityTests(ExchangeTestCase):
    """
    A stream with known loss, jitter and round trip, to a phone whose stream is perfect.
    """

    async def _generator(self, *options: str) -> tuple[Child, int]:
        child = Child([sys.executable, "-m", "tests.wire.rtp_generator", *options])
        self.addCleanup(child.stop)
        return child, json.loads(await child.line("rtp"))["rtp"]

    def _send(self, child: Child, answer: Message) -> None:
        host, port, rtcp = answer.media()
        child.write(json.dumps({"send": {"host": host, "port": port, "rtcp_port": rtcp, "seconds": SECONDS}}) + "\n")

    async def _report(self, child: Child) -> dict[str, Any]:
        return dict(json.loads(await child.line("jitter_ms", SECONDS + 10)))

    async def test_loss_jitter_round_trip(self) -> None:
        """
        5 % loss within half a percent, jitter within 15 % of the reference, the round trip within 5 ms; the other
        leg, which is perfect on its way in, says what its phone reports of the stream it got.
        """
        bad, bad_port = await self._generator(
            "--loss", "0.05", "--jitter", "0.02", "--rtt", str(RTT), "--seed", "11"
        )
        good, good_port = await self._generator("--rtt", "0.03", "--seed", "12")
        invites: list[Message] = []

        def answering(request: Message) -> tuple[int, str, bytes]:
            invites.append(request)
            return 200, "OK", sdp("127.0.0.1", good_port)

        callee = await self.agent("1006", answering)
        caller = await self.agent("1005")
        answer, dialog = await caller.call("1006", sdp("127.0.0.1", bad_port))
        assert dialog is not None, answer.first
        self._send(bad, answer)
        self._send(good, invites[0])
        sent, other = await self._report(bad), await self._report(good)
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        await callee.dialogs[invites[0]["call-id"]].ended
        (record,) = await self.new_records()
        legs = {leg["direction"]: leg["quality"] for leg in record["legs"]}
        facts = f"caller {legs['in']}\nsent {sent}\ncallee {legs['out']}\nsent {other}"
        self.assertEqual(legs["in"]["packets_in"], sent["sent"], facts)
        self.assertApproximates(legs["in"]["loss_percent"], 5.0, 0.5, facts)
        self.assertApproximates(legs["in"]["loss_percent"], sent["loss_percent"], 0.1, facts)
        self.assertApproximates(legs["in"]["jitter_ms"], sent["jitter_ms"], 0.15 * sent["jitter_ms"], facts)
        for leg in legs.values():
            self.assertIsNotNone(leg["rtt_ms"], facts)
        self.assertApproximates(legs["in"]["rtt_ms"], 1000 * RTT, 5, facts)
        self.assertApproximates(legs["out"]["rtt_ms"], 30, 5, facts)
        self.assertEqual((legs["out"]["packets_in"], legs["out"]["lost_in"]), (other["sent"], 0), facts)
        # The holes of the caller's stream reach the callee as holes.
        self.assertEqual(other["received_lost"], sent["lost"], facts)
        self.assertGreater(other["rtcp_received"], 0)
        await self.nothing_left()
