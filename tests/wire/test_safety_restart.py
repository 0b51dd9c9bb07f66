"""
What keeps a house safe outlives a restart: what was spent today, who is alerted, and whom the emergency centre calls
back; and each alert is mailed once.
"""

from __future__ import annotations

import ssl
import urllib.request
from typing import Any
from urllib.parse import quote

from aiosmtpd.controller import Controller
from twisted.internet.threads import deferToThread

from tests.ops.post import Post
from tests.wire.agent import Agent, sdp
from tests.wire.messages import with_mail
from tests.wire.ports import free_ports
from tests.wire.process import eventually
from tests.wire.trunks import TrunkTestCase, trunk

CALLBACK = "+493012345999"


class SafetyRestartTests(TrunkTestCase):
    """
    1001 calls beyond the house, and for help; then the exchange is stopped and started again.
    """

    timeout = 90
    extensions = ("1001",)
    faults = ("mergency", "EMERGENCY", "toll_limit")

    async def begin_house(self) -> Agent:
        """
        An exchange with a provider, prices and a mail server; the phone of 1001.
        """
        self.post, port = Post(), free_ports()
        controller = Controller(self.post, hostname="127.0.0.1", port=port)  # type: ignore[no-untyped-call]
        controller.start()  # type: ignore[no-untyped-call]
        self.addCleanup(controller.stop)
        provider = self.carrier("take")
        await self.begin(
            trunk("provider", provider.server), limits={"spend_per_day": 100}, alerts={"mail": ["ann@example.com"]},
            emergency={"numbers": ["112"], "callback": CALLBACK, "mail": ["guard@example.com"]}, **with_mail(port),
        )
        await deferToThread(self.put_rates, "prefix,rate,increments\n49,10,3600/60\n")
        return await self.agent("1001")

    def put_rates(self, text: str) -> None:
        """
        Load the prices of the provider.
        """
        context = ssl.create_default_context(cafile=str(self.exchange.certificate))
        request = urllib.request.Request(
            f"https://localhost:{self.exchange.api_port}/api/trunks/provider/rates", text.encode(),
            {"Content-Type": "text/csv"}, method="PUT",
        )
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:  # noqa: S310 - likewise
            self.assertEqual(answer.status, 200)

    async def called(self, phone: Agent, number: str) -> int:
        """
        The status of a call, which is hung up when it was answered.
        """
        response, dialog = await phone.call(number, sdp("127.0.0.1", 9000))
        if dialog is not None:
            await phone.hang_up(dialog)
        return response.status

    async def alerts(self) -> list[dict[str, Any]]:
        """
        What the API says is open.
        """
        return (await self.api("GET", "/api/alerts"))[1]["alerts"]  # type: ignore[no-any-return]

    async def test_restart(self) -> None:
        """
        The spend of the day stays used, alerts stay open, a call back still rings 1001, and nobody gets a mail twice.
        """
        phone = await self.begin_house()
        self.assertEqual(await self.called(phone, "030987654"), 200)
        self.assertEqual(await self.called(phone, "030987654"), 403)
        self.assertEqual(await self.called(phone, "112"), 200)
        await self.new_records(3)
        before = await self.alerts()
        self.assertEqual([alert["kind"] for alert in before], ["emergency", "toll_limit"])

        async def mailed() -> bool:
            return len(self.post.mails) >= 3

        await eventually(mailed, 10, "the mails")
        await deferToThread(self.exchange.restart)
        self.assertEqual(await self.alerts(), before)
        _, used = await self.api("GET", "/api/usage")
        (mine,) = used["usage"]
        self.assertEqual((mine["payer"], mine["calls"], mine["spent"]), ("1001", 0, "600"))
        self.assertEqual((await phone.register()).status, 200)
        self.assertEqual(await self.called(phone, "030987654"), 403)
        path = f"/api/route?from={quote('+4930110')}&number={quote(CALLBACK)}&trunk=provider"
        tree = (await self.api("GET", path))[1]["tree"]
        self.assertEqual((tree["kind"], tree["target"]), ("extension", "1001"), tree)
        self.assertEqual(
            sorted((mail["To"], mail["Subject"].partition(": ")[2][:12]) for mail in self.post.mails),
            [
                ("ann@example.com", "1001 was ref"), ("ann@example.com", "EMERGENCY: 1"),
                ("guard@example.com", "EMERGENCY: 1"),
            ],
        )
