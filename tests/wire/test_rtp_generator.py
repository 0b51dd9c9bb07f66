"""
Tests for :mod:`tests.wire.rtp_generator`.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.wire.process import Child
from tests.wire.rtp_generator import PTIME, Reference, departures, mulaw


class PatternTests(SynchronousTestCase):
    """
    The pattern of departure.
    """

    def test_loss_and_jitter(self) -> None:
        """
        One packet in twenty is missing, and the jitter comes near the wished one; the same seed gives the same.
        """
        plan = departures(60, 0.05, 0.020, 7)
        reference = Reference()
        values = []
        for at, number in plan:
            reference.arrived(number, number * 160, at)
            values.append(reference.jitter / 8)
        self.assertApproximates(100 * reference.lost / (reference.lost + reference.packets), 5, 0.1)
        self.assertApproximates(sum(values[500:]) / len(values[500:]), 20, 3)
        self.assertEqual(plan, departures(60, 0.05, 0.020, 7))
        self.assertNotEqual(plan, departures(60, 0.05, 0.020, 8))

    def test_untouched(self) -> None:
        """
        Without loss and jitter the packets leave every 20 ms.
        """
        self.assertEqual(departures(1, 0, 0, 1), [(number * PTIME, number) for number in range(50)])

    def test_mulaw(self) -> None:
        """
        Silence and the ends of the range are encoded as in ITU-T G.711 table 2a.
        """
        self.assertEqual(mulaw(np.array([0, 32767, -32768, 8, -8])).hex(), "ff8000fe7e")


class PairTests(TestCase):
    """
    Two generators that send to each other.
    """

    timeout = 30

    async def test_pair(self) -> None:
        """
        What one leaves out and delays the other counts as lost and as jitter.
        """
        command = [sys.executable, "-m", "tests.wire.rtp_generator"]
        bad = Child([*command, "--loss", "0.05", "--jitter", "0.02", "--seed", "3"])
        good = Child(command)
        ports = []
        for one in (bad, good):
            self.addCleanup(one.stop)
            ports.append(json.loads(await one.line("rtp")))
        for one, remote in ((bad, ports[1]), (good, ports[0])):
            order = {"host": "127.0.0.1", "port": remote["rtp"], "rtcp_port": remote["rtcp"], "seconds": 4}
            one.write(json.dumps({"send": order}) + "\n")
        sent, heard = [json.loads(await one.line("jitter_ms")) for one in (bad, good)]
        self.assertEqual((sent["sent"], sent["lost"]), (heard["received"], heard["received_lost"]))
        self.assertApproximates(sent["loss_percent"], 5, 0.5)
        self.assertApproximates(heard["received_jitter_ms"], sent["jitter_ms"], 2)
        self.assertEqual(heard["lost"], 0)
        self.assertGreater(heard["rtcp_received"], 0)
