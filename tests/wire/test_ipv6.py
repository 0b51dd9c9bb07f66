"""
Phones with IPv6 addresses, among themselves and with those that have IPv4.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from tests.wire.exchange import PASSWORD
from tests.wire.lasting import LastingTestCase
from tests.wire.stream_agent import AddressedAgent, StreamAgent, offer
from tests.wire.talker import Talker

ANN, BOB = 0x11, 0x22
"""What the two ends of a call say."""

SIX, FOUR = "::1", "127.0.0.1"


class IPv6Tests(LastingTestCase):
    """
    An exchange that listens on the loopback addresses of both families.
    """

    settings: ClassVar[Any] = {"server": {"sip_host": [FOUR, SIX]}}

    async def at(self, number: str, address: str, kind: str = "udp") -> AddressedAgent:
        """
        A registered agent.
        """
        agent: Any
        server = (address, self.exchange.sip_port)
        if kind == "udp":
            agent = AddressedAgent(number, PASSWORD, server, address)
            agent.start()
        else:
            agent = StreamAgent(number, PASSWORD, server, address)
            await agent.connect(kind)
        self.addCleanup(agent.stop)
        self.assertEqual((await agent.register()).status, 200)
        return agent

    async def talk(self, caller: AddressedAgent, callee: AddressedAgent) -> None:
        """
        A call with audio both ways, in which each side sees its own family of addresses alone.
        """
        ann, bob = Talker(ANN, caller.address), Talker(BOB, callee.address)
        for talker in (ann, bob):
            self.addCleanup(talker.stop)
        callee.on_invite = lambda _: (200, "OK", offer(callee.address, bob.port))
        response, dialog = await caller.call(callee.user, offer(caller.address, ann.port))
        assert dialog is not None, response
        invite = next(one for one in reversed(callee.received) if one.method == "INVITE" and not one.status)
        for agent, message, talker in ((caller, response, ann), (callee, invite, bob)):
            version = 6 if ":" in agent.address else 4
            families = set(re.findall(rb"(?m)^[oc]=.*\bIN IP([46]) (\S+)", message.body))
            self.assertEqual(families, {(str(version).encode(), agent.address.encode())}, message.body)
            self.assertIn(f"@{agent.host}:{self.exchange.sip_port}", message.contact)
            talker.talk_to(*message.media()[:2])
        self.assertIn(f"{callee.host}:{self.exchange.sip_port};", invite["via"])
        await ann.hears(BOB)
        await bob.hears(ANN)
        self.assertNotIn(ANN, ann.heard)
        self.assertEqual((await caller.hang_up(dialog)).status, 200)
        await callee.dialogs[invite["call-id"]].ended
        (record,) = await self.new_records()
        self._calls_before.add(record["id"])
        self.assertEqual([leg["quality"]["loss_percent"] for leg in record["legs"]], [0, 0], record)

    async def test_calls(self) -> None:
        """
        Over UDP and TCP, with both phones on IPv6, and with one of them on IPv4.
        """
        await self.begin("1005", "1006", "1007", "1008")
        udp, tcp = await self.at("1005", SIX), await self.at("1006", SIX, "tcp")
        four, more = await self.at("1007", FOUR), await self.at("1008", SIX)
        _, answer = await self.api("GET", "/api/registrations")
        flows = {one["aor"]: (one["transport"], one["remote_host"]) for one in answer["registrations"]}
        self.assertEqual(
            flows, {"1005": ("UDP", SIX), "1006": ("TCP", SIX), "1007": ("UDP", FOUR), "1008": ("UDP", SIX)}
        )
        for caller, callee in ((udp, more), (udp, tcp), (tcp, udp), (four, udp), (tcp, four)):
            with self.subTest(caller=caller.user, callee=callee.user):
                await self.talk(caller, callee)
        await self.nothing_left()
