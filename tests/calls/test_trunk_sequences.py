"""
The same with two trunks: calls go out, come in, are forwarded out and sent on, while trunks go down and come back.
"""

from __future__ import annotations

import random
from typing import Any

from attrs import evolve

from pbx.directory.handling import FollowMe, Handling
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.plan import Plan, Site
from pbx.directory.trunk import Trunk
from tests.calls import test_sequences
from tests.calls.carrier import MAIN, MOBILE
from tests.calls.softphone import SoftPhone
from tests.calls.test_sequences import HANDLINGS, NUMBERS, PLACES

MENU, ON_CALL = "+4930123457", "+4930123458"

PLAN = Plan(
    site=Site(country="DE", area_code="30"),
    trunks={
        "A": Trunk("A", "10.9.0.1", options_interval=0, caller_id=MAIN, max_channels=3, pass_hold=True),
        "B": Trunk("B", "10.9.0.2", options_interval=0, caller_id=MAIN, priority=2, session_timers=False),
    },
    inbound=(
        InboundRoute("main", Target("extension", "1001"), did=MAIN),
        InboundRoute("menu", Target("menu", "500"), did=MENU, classes=("mobile",)),
        InboundRoute("on call", Target("external", MOBILE), did=ON_CALL, classes=("mobile",)),
    ),
)


class TrunkSequenceTests(test_sequences.SequenceTests):
    """
    Four phones, and two providers.
    """

    sequences = 40
    stops = 10
    elsewhere = (*PLACES, "017612345678", "030999888", "+442079460000")
    handlings = (
        *HANDLINGS,
        Handling(forward_always=MOBILE),
        Handling(forward_busy=MOBILE, forward_no_answer="030999888", no_answer_timeout=2),
        Handling(simultaneous=(MOBILE,)),
        Handling(follow_me=(FollowMe(MOBILE, 1, 3, confirm=True), FollowMe("1002", 1, 2))),
    )

    def begin(self) -> None:
        """
        Start an exchange with trunks, and two providers.
        """
        self.options = {"plan": PLAN}
        super().begin()
        for number in NUMBERS:
            extension = self.exchange.directory.extension(number)
            assert extension is not None
            self.exchange.directory.put(evolve(extension, allow_external=True))
        if not hasattr(self, "carriers"):
            self.carriers = [SoftPhone(self.network, MOBILE, f"10.9.0.{n}") for n in (1, 2)]
            self.idle = len(self.network.clock.getDelayedCalls())

    def start(self, **options: Any) -> None:
        """
        With the plan.
        """
        super().start(**{"plan": PLAN, **options})

    def tearDown(self) -> None:
        """
        The providers end as well.
        """
        for carrier in self.carriers:
            carrier.stop()
        self.network.advance(1)
        super().tearDown()

    def let_ring(self, phones: list[SoftPhone], chance: random.Random) -> None:
        """
        Whom the providers reach picks up as well, or not.
        """
        super().let_ring([*phones, *self.carriers], chance)

    def let_go(self, phones: list[SoftPhone]) -> None:
        """
        They hang up too, and both trunks are up again.
        """
        super().let_go([*phones, *self.carriers])
        for name in "AB":
            self.exchange.lines.line(name).set("up")

    def act(self, phones: list[SoftPhone], chance: random.Random) -> None:
        """
        Somebody calls in, hangs up or holds out there, a trunk goes down or comes back; or somebody in the house acts.
        """
        carrier, what = chance.choice(self.carriers), chance.random()
        up = [call for call in carrier.calls if call.up]
        if what < 0.1:
            carrier.number = chance.choice((MOBILE, "+442079460000", "1002", "anonymous"))
            carrier.call(chance.choice((MAIN, MAIN, MENU, ON_CALL, "1003")))
        elif what < 0.15:
            line = self.exchange.lines.line(chance.choice("AB"))
            line.set(chance.choice(("down", "up", "degraded")))
        elif what < 0.2 and carrier.calls:
            chance.choice(carrier.calls).hang_up()
        elif what < 0.25 and up:
            call = chance.choice(up)
            carrier.tasks.start(call.hold(on=not call.held), "hold")
        elif what < 0.27 and up:
            carrier.tasks.start(chance.choice(up).refer("1002"), "transfer")
        else:
            super().act(phones, chance)

    def assert_nothing_left(self) -> None:
        """
        Nor a channel.
        """
        super().assert_nothing_left()
        for name in "AB":
            line = self.exchange.lines.line(name)
            self.assertEqual(len(line.channels), 0)

    def assert_consistent(self) -> None:
        """
        The channels of the trunks are those of the legs that there are.
        """
        super().assert_consistent()
        legs = {leg for call in self.exchange.switchboard.calls.values() for leg in call.legs if leg.beyond is not None}
        channels = {leg for name in "AB" for leg in self.exchange.lines.line(name).channels}
        self.assertEqual(legs, channels)
