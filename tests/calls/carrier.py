"""
Providers for tests in virtual time, and an exchange with trunks to them.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.plan import Plan, Site
from pbx.directory.trunk import Trunk
from pbx.sip.message import Request
from tests.calls.case import ExchangeCase
from tests.calls.phone import Phone, numbers

MOBILE = "+4917612345678"
"""A number beyond the house."""

MAIN = "+4930123456"
"""The house's own number."""


class Carrier(Phone):
    """
    A provider, or whoever it puts through: it does what it is told, and remembers what it was sent.
    """

    @property
    def invites(self) -> list[Request]:
        """
        The INVITEs that it was sent.
        """
        return self.requests("INVITE")

    def offer_call(
        self, called: str = MAIN, caller: str = MOBILE, *, headers: tuple[tuple[str, str], ...] = (),
        body: bytes | None = None, uri: str = "", name: str = "",
    ) -> Request:
        """
        Put a caller through to us; the INVITE.
        """
        invite = self.request(
            "INVITE", uri or f"sip:{called}@{self.domain}", to=f"<sip:{called}@{self.domain}>",
            body=self.sdp() if body is None else body, headers=headers,
        )
        shown = f'"{name}" ' if name else ""
        invite.headers.set("From", f"{shown}<sip:{caller}@{self.host}>;tag=c{next(numbers)}")
        self.send(invite)
        self.network.advance(0.01)
        return invite


class TrunkCase(ExchangeCase):
    """
    An exchange in Berlin with two trunks, A before B, and the phones 1001 and 1002.

    Attributes:
        trunks: How they differ from usual ones, by name.
        inbound: The ways in.
    """

    trunks: dict[str, dict[str, Any]] = {"A": {}, "B": {}}
    inbound: tuple[InboundRoute, ...] = (InboundRoute("main", Target("extension", "1001"), did=MAIN),)
    plan: dict[str, Any] = {}

    def setUp(self) -> None:
        """
        Start the exchange, and its providers.
        """
        hosts = {name: f"10.9.0.{place}" for place, name in enumerate(self.trunks, 1)}
        trunks = {
            name: Trunk(**{
                "name": name, "host": hosts[name], "port": 5060, "priority": place, "options_interval": 0, **options,
            })
            for place, (name, options) in enumerate(self.trunks.items(), 1)
        }
        site = Site(country="DE", area_code="30", time_zone="Europe/Berlin")
        plan = Plan(site=site, trunks=trunks, inbound=self.inbound, **self.plan)
        self.options = {"plan": plan, **self.options}
        super().setUp()
        self.carriers = {name: self.phone("0", kind=Carrier, at=host, register=False) for name, host in hosts.items()}
        for number in ("1001", "1002"):
            self.allow(number)

    def allow(self, number: str, **changed: Any) -> None:
        """
        Let an extension call beyond the house.
        """
        extension = self.exchange.directory.extension(number)
        assert extension is not None
        self.exchange.directory.put(evolve(extension, allow_external=True, **changed))

    @property
    def a(self) -> Carrier:
        """
        The first provider.
        """
        found: Carrier = self.carriers["A"]
        return found

    @property
    def b(self) -> Carrier:
        """
        The second.
        """
        found: Carrier = self.carriers["B"]
        return found

    def channels(self) -> dict[str, int]:
        """
        How many calls are over each trunk.
        """
        lines = self.exchange.lines
        found = {name: lines.line(name) for name in self.trunks}
        return {name: len(line.channels) for name, line in found.items() if line is not None}

    def assert_nothing_left(self) -> None:
        """
        Nor a channel.
        """
        super().assert_nothing_left()
        self.assertEqual(self.channels(), dict.fromkeys(self.trunks, 0))
