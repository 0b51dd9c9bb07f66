"""
People who hold, resume, transfer and hang up in any order over a bad network: in the end nothing is left, and every
record adds up.
"""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from tests.calls.case import ExchangeCase
from tests.calls.softphone import SoftCall, SoftPhone

NUMBERS = ("1001", "1002", "1003", "1004")

SEQUENCES = 100


class SequenceTests(ExchangeCase):
    """
    Four phones that do everything right.
    """

    within = 0.0

    def test_nothing_is_left_and_records_add_up(self) -> None:
        """
        After each of a hundred sequences no leg, port, timer or dialog is left, and each call has one record, whose
        times and legs agree with each other.
        """
        phones = [SoftPhone(self.network, number, f"10.7.0.{n + 1}") for n, number in enumerate(NUMBERS)]
        self.register(phones)
        self.idle = len(self.network.clock.getDelayedCalls())
        merged = 0
        for seed in range(SEQUENCES):
            with self.subTest(seed=seed):
                merged += self.sequence(phones, random.Random(seed))  # noqa: S311  # chance, no secret
        # Else nothing of what is meant to be tried was tried.
        self.assertGreater(merged, SEQUENCES // 4)
        for phone in phones:
            for stopped in phone.stop():
                stopped.addErrback(lambda failure: failure.raiseException())
        self.network.advance(1)

    def sequence(self, phones: list[SoftPhone], chance: random.Random) -> int:
        """
        One sequence; how many calls became part of another.
        """
        network, records = self.network, self.exchange.records
        self.register(phones)
        records.clear()
        begun = self.exchange.switchboard.began
        merges: list[Any] = []
        listener = lambda event: merges.append(event) if type(event).__name__ == "CallsMerged" else None  # noqa: E731
        self.exchange.switchboard.on_event(listener)
        for phone in phones:
            phone.rings = lambda call, phone=phone: network.clock.callLater(
                chance.uniform(0, 3), self.react, phone, call, chance.random()
            )
        network.loss, network.duplication, network.jitter = 0.05, 0.05, 0.05
        for _ in range(20):
            self.act(phones, chance)
            network.advance(chance.choice((0.0, 0.05, 0.5, 2.0, 5.0)))
        network.loss = network.duplication = network.jitter = 0.0
        network.advance(10)
        for phone in phones:
            for call in list(phone.calls):
                call.hang_up()
        network.advance(75)
        self.exchange.switchboard._listeners.remove(listener)
        self.assertEqual([phone.calls for phone in phones], [[]] * 4)
        self.assert_nothing_left()
        self.assertEqual(len(records) + len(merges), self.exchange.switchboard.began - begun)
        for record in records:
            self.assert_adds_up(record)
        return len(merges)

    def register(self, phones: list[SoftPhone]) -> None:
        """
        Register all phones.
        """
        registrations = [phone.register() for phone in phones]
        self.network.advance(33)
        self.assertEqual([registration.status for registration in registrations], [200] * 4)

    def react(self, phone: SoftPhone, call: SoftCall, mood: float) -> None:
        """
        What the person does whose phone rings: mostly it picks up.
        """
        if mood < 0.75:
            phone.pick_up(call)
        elif mood < 0.9:
            call.hang_up()

    def act(self, phones: list[SoftPhone], chance: random.Random) -> None:
        """
        Somebody does something.
        """
        phone = chance.choice(phones)
        up = [call for call in phone.calls if call.up]
        other = chance.choice([number for number in NUMBERS if number != phone.number])
        what = chance.random()
        if not phone.calls or (what < 0.2 and len(phone.calls) < 3):
            phone.call(other)
        elif not up or what < 0.3:
            chance.choice(phone.calls).hang_up()
        elif what < 0.5:
            call = chance.choice(up)
            phone.tasks.start(call.hold(on=not call.held), "hold")
        elif what < 0.75 or len(up) < 2:
            phone.tasks.start(chance.choice(up).refer(other), "transfer")
        else:
            one, two = chance.sample(up, 2)
            phone.tasks.start(one.refer(other, two), "transfer")

    def assert_adds_up(self, record: dict[str, Any]) -> None:
        """
        The times of a record and its legs.
        """
        def at(text: str | None) -> float:
            return datetime.fromisoformat(text or "").timestamp()

        began, ended = at(record["started"]), at(record["ended"])
        self.assertLess(abs(ended - began - record["duration"]), 0.01)
        if record["disposition"] == "answered":
            self.assertLess(abs(ended - at(record["answered"]) - record["billable"]), 0.01)
            self.assertTrue(any(leg["answered"] for leg in record["legs"]))
        else:
            self.assertEqual(record["billable"], 0)
        self.assertEqual(record["legs"][0]["party"], record["caller"])
        for leg in record["legs"]:
            self.assertIsNotNone(leg["ended"], record)
            self.assertLessEqual(at(leg["started"]), at(leg["ended"]))
            self.assertLessEqual(at(leg["ended"]), ended + 2.01)
            if leg["answered"] is not None:
                self.assertLessEqual(at(leg["started"]), at(leg["answered"]))
                self.assertLessEqual(at(leg["answered"]), at(leg["ended"]))
