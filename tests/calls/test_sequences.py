"""
People who call, hold, resume, transfer, pick up, go to places and hang up in any order over a bad network: in the end
nothing is left, and every record adds up.
"""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from pbx.calls.destination import Branch
from pbx.calls.events import CallsMerged
from pbx.calls.leg import LegState
from pbx.directory.decision import Destination
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.places import Menu, Places, RingGroup, Room
from pbx.features.presence import Presence
from tests.calls.case import ExchangeCase
from tests.calls.phone import EVENTS, PCMA, PCMU
from tests.calls.scripted import Scripted
from tests.calls.softphone import BOTH, SoftCall, SoftPhone

NUMBERS = ("1001", "1002", "1003", "1004")

PLACES = ("500", "600", "800")

SEQUENCES = 100
STOPS = 20

HANDLINGS = (
    Handling(),
    Handling(voicemail=False),
    Handling(forward_busy="1001", forward_no_answer="800", no_answer_timeout=2),
    Handling(forward_no_answer="600", no_answer_timeout=1),
    Handling(forward_always="1004"),
    Handling(dnd=True, forward_busy="500"),
    Handling(simultaneous=("1003",)),
    Handling(follow_me=(FollowMe("1001", 1), FollowMe("1002", 1, 2))),
)
"""What an extension may want."""


async def room(visit: Any) -> None:
    """
    Stay for ever.
    """
    (await visit.answer()).hold_music("tone:beep")
    await Deferred()


async def menu(visit: Any) -> Destination:
    """
    Play something, take a key, send on.
    """
    terminal = await visit.answer()
    key = await terminal.play(["vm-goodbye"], stop="123456") or await terminal.digit(3)
    if key in ("", "1", "2", "3"):
        return Destination("extension", f"100{key or 4}")
    return Destination(*{"4": ("conference", "800"), "5": ("ring_group", "600")}.get(key, ("pickup", "1001")))


async def group(visit: Any) -> Destination | None:
    """
    Ring two; then another; then the mailbox.
    """
    visit.early()
    rung = await visit.ring([Branch("1001"), Branch("1002", 0.5, 2, confirm)], 3)
    if not rung.answered:
        rung = await visit.ring([Branch("1003")], 2)
    return None if rung.answered else Destination("voicemail", "1003")


async def mailbox(visit: Any) -> None:
    """
    Play something, and let go.
    """
    terminal = await visit.answer()
    await terminal.play(["vm-goodbye"])
    if await terminal.digit(2) == "1":
        raise RuntimeError("out of order")


async def confirm(terminal: Any) -> bool:
    """
    Whoever presses a key in time takes the call.
    """
    return bool(await terminal.play(["vm-goodbye"], stop="123456") or await terminal.digit(1))


class SequenceTests(ExchangeCase):
    """
    Four phones that do everything right.

    Attributes:
        sequences: How many there are.
        stops: In how many the exchange is stopped.
        elsewhere: What is dialled besides extensions.
        handlings: What an extension may want.
    """

    within = 0.0
    sequences = SEQUENCES
    stops = STOPS
    elsewhere: tuple[str, ...] = PLACES
    handlings: tuple[Handling, ...] = HANDLINGS

    def setUp(self) -> None:
        """
        The places, and those who pick up for each other.
        """
        super().setUp()
        self.merges = 0
        self.exchange.stop()
        self.network.advance(0.1)
        self.begin()

    def begin(self) -> None:
        """
        Start an exchange with places.
        """
        kinds = {"conference": room, "menu": menu, "ring_group": group, "voicemail": mailbox}
        self.start(features={
            "places": {kind: Scripted(work) for kind, work in kinds.items()},  # type: ignore[arg-type]  # None is one
            "numbers": Places([Menu("500", "Menu"), RingGroup("600", "Group"), Room("800", "Room")]),
            "star_codes": {"**": "pickup", "*8": "pickup_group"}, "confirm": lambda caller, number: confirm,
        })

    def handle(self, chance: random.Random) -> None:
        """
        Let the extensions want something, mostly nothing.
        """
        for number in NUMBERS:
            extension = self.exchange.directory.extension(number)
            assert extension is not None
            wanted = chance.choice(self.handlings) if chance.random() < 0.4 else Handling(voicemail=False)
            self.exchange.directory.put(evolve(extension, handling=evolve(wanted, pickup_group="all")))

    def test_nothing_is_left_and_records_add_up(self) -> None:
        """
        After each of a hundred sequences no leg, port, timer or dialog is left, and each call has one record, whose
        times and legs agree with each other.
        """
        phones = [SoftPhone(self.network, number, f"10.7.0.{n + 1}") for n, number in enumerate(NUMBERS)]
        self.register(phones)
        self.idle = len(self.network.clock.getDelayedCalls())
        self.presence = Presence(self.exchange.directory, self.exchange.location, self.exchange.wall)
        self.exchange.switchboard.on_event(self.presence.event)
        self.exchange.switchboard.on_event(self.count_merges)
        for seed in range(self.sequences):
            with self.subTest(seed=seed):
                self.sequence(phones, random.Random(seed))  # noqa: S311  # chance, no secret
        # Else nothing of what is meant to be tried was tried.
        self.assertGreater(self.merges, self.sequences // 4)
        for phone in phones:
            for stopped in phone.stop():
                stopped.addErrback(lambda failure: failure.raiseException())
        self.network.advance(1)

    def test_stopping_in_the_middle(self) -> None:
        """
        The exchange can be stopped at any time: it hangs up, keeps no call, port or timer, and loses no record.
        """
        for seed in range(self.stops):
            with self.subTest(seed=seed):
                chance = random.Random(seed)  # noqa: S311
                phones = [SoftPhone(self.network, number, f"10.7.{seed}.{n + 1}") for n, number in enumerate(NUMBERS)]
                self.register(phones)
                self.handle(chance)
                self.merges = 0
                self.exchange.switchboard.on_event(self.count_merges)
                self.let_ring(phones, chance)
                for _ in range(15):
                    self.act(phones, chance)
                    self.network.advance(chance.choice((0.0, 0.05, 0.5, 2.0)))
                exchange = self.exchange
                exchange.stop()
                self.assertEqual({name: n for name, n in exchange.left().items() if n}, {})
                self.assertEqual(exchange.engine.pool.in_use, 0)
                self.assertEqual(len(exchange.records) + self.merges, exchange.switchboard.began)
                self.let_go(phones)
                self.network.advance(75)
                for phone in phones:
                    phone.stop()
                self.network.advance(1)
                self.flushLoggedErrors(RuntimeError)
                self.assertEqual(self.network.clock.getDelayedCalls(), [])
                self.begin()

    def count_merges(self, event: Any) -> None:
        """
        Count the calls that became part of another.
        """
        self.merges += isinstance(event, CallsMerged)

    def let_ring(self, phones: list[SoftPhone], chance: random.Random) -> None:
        """
        Have somebody near each phone.
        """
        for phone in phones:
            phone.formats = chance.choice((BOTH, BOTH, (PCMA,), (PCMU, EVENTS)))
            phone.rings = lambda call, phone=phone: self.network.clock.callLater(
                chance.uniform(0, 3), self.react, phone, call, chance.random()
            )

    def sequence(self, phones: list[SoftPhone], chance: random.Random) -> None:
        """
        One sequence.
        """
        network, records = self.network, self.exchange.records
        self.register(phones)
        self.handle(chance)
        records.clear()
        begun = self.exchange.switchboard.began
        before = self.merges
        self.let_ring(phones, chance)
        network.loss, network.duplication, network.jitter = 0.05, 0.05, 0.05
        for _ in range(20):
            self.act(phones, chance)
            network.advance(chance.choice((0.0, 0.05, 0.5, 2.0, 5.0)))
            self.assert_consistent()
        network.loss = network.duplication = network.jitter = 0.0
        network.advance(10)
        if chance.random() < 0.3:
            # As when the exchange stops.
            for each in list(self.exchange.switchboard.calls.values()):
                each.hang_up()
        self.let_go(phones)
        network.advance(75)
        self.flushLoggedErrors(RuntimeError)
        self.assertEqual([phone.calls for phone in phones], [[]] * 4)
        self.assert_nothing_left()
        self.assertEqual([line for number in NUMBERS for line in self.presence._lines.get(number, ())], [])
        self.assertEqual(self.presence._calls, {})
        self.assertEqual(len(records) + self.merges - before, self.exchange.switchboard.began - begun)
        for record in records:
            self.assert_adds_up(record)

    def let_go(self, phones: list[SoftPhone]) -> None:
        """
        Let everybody hang up.
        """
        for phone in phones:
            for call in list(phone.calls):
                call.hang_up()

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
        if chance.random() < 0.07:
            self.operate(chance)
        phone = chance.choice(phones)
        up = [call for call in phone.calls if call.up]
        other = chance.choice([*(number for number in NUMBERS if number != phone.number), *self.elsewhere])
        what = chance.random()
        if not phone.calls or (what < 0.2 and len(phone.calls) < 3):
            self.call(phones, phone, other, chance)
        elif up and what < 0.3:
            phone.tasks.start(chance.choice(up).press(chance.choice("123456")), "press")
        elif not up or what < 0.4:
            chance.choice(phone.calls).hang_up()
        elif what < 0.55:
            call = chance.choice(up)
            phone.tasks.start(call.hold(on=not call.held), "hold")
        elif what < 0.75 or len(up) < 2:
            phone.tasks.start(chance.choice(up).refer(other), "transfer")
        else:
            one, two = chance.sample(up, 2)
            phone.tasks.start(one.refer(other, two), "transfer")

    def operate(self, chance: random.Random) -> None:
        """
        The operator, or a program, does something with calls.
        """
        switchboard = self.exchange.switchboard
        calls = list(switchboard.calls)
        if not calls:
            return
        call, what = chance.choice(calls), chance.random()
        parties = [leg.party for leg in switchboard.calls[call].legs]
        if what < 0.2:
            switchboard.hang_up(call)
        elif what < 0.5:
            switchboard.transfer(call, chance.choice(parties), chance.choice((*NUMBERS, *self.elsewhere)))
        elif what < 0.7:
            switchboard.transfer_to_voicemail(call, chance.choice(parties), "1002")
        else:
            switchboard.join(call, chance.choice(calls), chance.choice(parties))

    def call(self, phones: list[SoftPhone], phone: SoftPhone, other: str, chance: random.Random) -> None:
        """
        Somebody dials, or picks up what rings elsewhere.
        """
        how = chance.random()
        rings = [call for each in phones for call in each.calls if call.incoming is not None and not call.up]
        if how < 0.7 or not rings:
            headers = (("Privacy", "id"),) if how < 0.1 else (("Require", "100rel"),) if how < 0.2 else ()
            phone.call(other, headers)
        elif how < 0.85:
            phone.call(chance.choice(("*8", "**1001", "**1002", "**1003", "**1004")))
        else:
            rung = chance.choice(rings).incoming
            assert rung is not None
            value = f"{rung.request.call_id};to-tag={rung.tag};from-tag={rung.request.from_tag};early-only"
            phone.call(phone.number, (("Replaces", value),))

    def assert_consistent(self) -> None:
        """
        Each port belongs to a leg of a call, no leg has ended or is in two, and who talks hears nothing else.
        """
        calls = list(self.exchange.switchboard.calls.values())
        legs = [leg for call in calls for leg in call.legs]
        self.assertEqual(len(legs), len(set(legs)))
        self.assertEqual([leg for leg in legs if leg.state is LegState.ENDED], [])
        self.assertEqual(self.exchange.engine.sessions, len([leg for leg in legs if leg.audio is not None]))
        for call in calls:
            self.assertEqual({leg.call for leg in call.legs}, {call.id})
            self.assertEqual(len({leg.number for leg in call.legs}), len(call.legs))
            if call.joint is not None:
                self.assertEqual((call.near, call.far), (call.joint.near, call.joint.far))
                self.assertFalse(call.near.has_terminal or call.far.has_terminal)
                self.assertIsNone(call.journey)

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
        self.assertEqual(record["legs"][0]["started"], record["started"])
        for leg in record["legs"]:
            self.assertIsNotNone(leg["ended"], record)
            self.assertLessEqual(at(leg["started"]), at(leg["ended"]))
            self.assertLessEqual(at(leg["ended"]), ended + 2.01)
            if leg["answered"] is not None:
                self.assertLessEqual(at(leg["started"]), at(leg["answered"]))
                self.assertLessEqual(at(leg["answered"]), at(leg["ended"]))
