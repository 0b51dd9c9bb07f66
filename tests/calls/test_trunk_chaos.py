"""
Trunks through whatever may happen, by chance: in the end all is well again, and nobody was flooded.
"""

from __future__ import annotations

from random import Random
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from pbx.calls.registration import LONGEST_WAIT
from tests.calls.lines import NAME, LinesCase
from tests.calls.provider import STALE, Answer, Provider

SEEDS = 12
"""How often; forty more found nothing else."""

SAID: tuple[Answer, ...] = (
    200, 401, (401, STALE), 403, 404, 408, 423, (423, (("Min-Expires", "130"),)), 500, 503,
    (503, (("Retry-After", "20"),)), None, None,
)
"""What a registrar may say."""


class ChaosTests(LinesCase):
    """
    Two machines of a provider's, three trunks.
    """

    def trouble(self, chance: Random) -> None:
        """
        Something happens.
        """
        provider = chance.choice(self.providers)
        what = chance.randrange(9)
        if what == 0:
            provider.always["REGISTER"] = chance.choice(SAID)
        elif what == 1:
            provider.always["OPTIONS"] = chance.choice((200, 503, None))
        elif what == 2:
            provider.script["REGISTER"] = [chance.choice(SAID) for _ in range(chance.randrange(4))]
        elif what == 3:
            for connection in list(provider.connections):
                transport: Any = connection.transport
                transport.loseConnection()
        elif what == 4:
            self.lines.address_changed()
        elif what == 5:
            self.zone.down = TimeoutError("away") if chance.random() < 0.5 else None
        elif what == 6:
            trunks = [chance.choice((
                trunk, evolve(trunk, priority=chance.randrange(1, 100)),
                evolve(trunk, register_expires=chance.choice((60, 120, 600))),
                evolve(trunk, enabled=chance.random() < 0.8),
            )) for trunk in self.all]
            self.use(*chance.sample(trunks, chance.randrange(len(trunks) + 1)))
        elif what == 7:
            self.network.unreachable.symmetric_difference_update({provider.address})
        else:
            provider.always.clear()

    def test_ends_well(self) -> None:
        """
        When all trouble is over, each trunk is up, its registrar knows it once, and no alert is open.
        """
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                self.run_one(Random(seed))  # noqa: S311  # dice, not keys

    def run_one(self, chance: Random) -> None:
        """
        One life of some trunks.
        """
        self.tearDown()
        self.setUp()
        for address in ("192.0.2.1", "192.0.2.2"):
            self.provider(address)
        self.names("192.0.2.1", "192.0.2.2")
        self.chance = chance.random()
        self.all = [
            self.trunk(options_interval=5, register_expires=120, host="sip.provider.example"),
            self.trunk(name="TCP", transport="tcp", username="second", options_interval=30, register_expires=120),
            self.trunk(name="plain", username="third", register_expires=60),
        ]
        self.start(*self.all)
        for _ in range(chance.randrange(5, 40)):
            self.trouble(chance)
            before = sum(map(count, self.providers))
            pause = chance.choice((0.001, 0.1, 3.0, 70.0))
            self.wait(pause)
            self.assertLess(sum(map(count, self.providers)) - before, 60 + 3 * pause)
        self.network.unreachable.clear()
        self.zone.down = None
        for provider in self.providers:
            provider.always.clear()
            provider.script.clear()
        self.use(*self.all)
        # The longest pause, and for how long it is believed that a name does not exist.
        self.wait(1.2 * LONGEST_WAIT + 60)
        self.assertEqual([(self.health(name), self.reason(name)) for name in (NAME, "TCP", "plain")], [("up", "")] * 3)
        self.assertEqual(self.alerts.open, {})
        for provider in self.providers:
            # What could not be taken back runs out.
            provider.bindings.clear()
        self.wait(130)
        users = [uri.partition("@")[0] for provider in self.providers for uri in provider.bindings]
        self.assertEqual(sorted(users), ["sip:account", "sip:second", "sip:third"])
        done: Deferred[Any] = Deferred.fromCoroutine(self.lines.stop())
        self.wait(2)
        self.successResultOf(done)
        self.assertEqual([uri for provider in self.providers for uri in provider.bindings], [])


def count(provider: Provider) -> int:
    """
    How many messages a machine has heard.
    """
    return len(provider.heard)
