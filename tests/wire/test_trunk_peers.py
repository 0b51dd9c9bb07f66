"""
Two exchanges of ours with a trunk between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from tests.wire.baresip import Phone
from tests.wire.exchange import PASSWORD, Exchange
from tests.wire.ports import free_ports
from tests.wire.process import eventually
from tests.wire.trunks import TrunkTestCase, inbound, trunk


class PeerTests(TrunkTestCase):
    """
    1001 of one house calls 1002 of the other, and back.
    """

    timeout = 60
    faults = ("ours",)

    async def _talk(self, caller: Phone, callee: Phone, dialled: str, calls: int) -> None:
        await caller.dial(dialled)
        await callee.event("CALL_ESTABLISHED", count=calls)
        await caller.event("CALL_ESTABLISHED", count=calls)
        await self.assert_talking(caller, callee)
        await callee.hang_up()
        await caller.event("CALL_CLOSED", count=calls)

    async def _both_ways(self, other: Exchange, there: str, back: str, transport: str = "udp", **more: Any) -> None:
        """
        Calls both ways; what is dialled here, and there.
        """
        ann = await self.phone("1001", transport, **more)
        bob = await self.phone("1002", transport, exchange=other, **more)
        await self._talk(ann, bob, there, 1)
        await self._talk(bob, ann, back, 2)
        records = await self.new_records(2)
        self.assertEqual([record["disposition"] for record in records], ["answered", "answered"])
        await self.nothing_left()

    async def test_by_address(self) -> None:
        """
        Each knows the other by its address; neither registers.
        """
        here, there = free_ports(2), free_ports(2)
        routes = [{"name": "other", "patterns": ["5.", "6."]}]
        other = await self.begin(
            trunk("first", f"127.0.0.1:{here}", number_format="as-is"), first=False, sip_port=there,
            extensions=("1002",), inbound_routes=[inbound("1002", "55502")], outbound_routes=routes,
        )
        await self.begin(
            trunk("second", f"127.0.0.1:{there}", number_format="as-is"), sip_port=here,
            extensions=("1001",), inbound_routes=[inbound("1001", "55501")], outbound_routes=routes,
        )
        await self._both_ways(other, "55502", "55501")
        records = await self.new_records(2)
        found = [(record["direction"], record["trunk"]) for record in records]
        self.assertEqual(found, [("outbound", "second"), ("inbound", "second")])

    async def test_registered(self) -> None:
        """
        The other registers with ours as an extension, over TLS with SRTP: not before it can trust our certificate. Its
        calls are that extension's.
        """
        trusted = Path(self.mktemp()).absolute()  # noqa: ASYNC240 - a name alone
        ours = await self.begin(extensions=("1001", "1005"))
        other = await self.begin(
            trunk(
                "ours", f"127.0.0.1:{ours.tls_port}", transport="tls", srtp="required", username="1005",
                password=PASSWORD, number_format="as-is",
            ),
            first=False, extensions=("1002",), environment={"SSL_CERT_FILE": str(trusted)},
            inbound_routes=[inbound("1002", "1005")],
            outbound_routes=[{"name": "ours", "patterns": ["10XX"], "callers": ["1002"]}],
        )

        async def mistrusted() -> bool:
            _, answer = await deferToThread(other.api, "GET", "/api/trunks")
            return "certificate" in answer["trunks"][0]["state"]["reason"]

        await eventually(mistrusted, 10, "no trust in the certificate")
        trusted.write_bytes(ours.certificate.read_bytes())

        async def registered() -> bool:
            return "1005" in str((await self.api("GET", "/api/registrations"))[1])

        await eventually(registered, 20, "1005 registered")
        self.assertEqual(ours.api("GET", "/api/trunks")[1]["trunks"], [])
        await self._both_ways(other, "1005", "1001", "tls", media_encryption="srtp-mand")
