"""
What was made over the API and is there after a restart: trunks with their passwords, routes, rates, night switches.
"""

from __future__ import annotations

import signal

from twisted.internet.threads import deferToThread

from tests.wire.lasting import LastingTestCase, asked
from tests.wire.process import eventually

SECRET = "KeepThis2Yourself!"


class KeptPlanTests(LastingTestCase):
    """
    An exchange that is killed and started again.
    """

    #: The password that nobody can read, and the trunk, which has no provider.
    expected = "The password of trunk provider can't be read|Trunk provider|trunk provider"

    async def state(self) -> dict[str, object]:
        """
        What it knows.
        """
        found: dict[str, object] = {}
        for what in ("trunks", "outbound-routes", "inbound-routes", "time-conditions"):
            _, answer = await self.api("GET", f"/api/{what}")
            found |= {name: each for name, each in answer.items() if name != "total"}
        for trunk in found["trunks"]:  # type: ignore[attr-defined]
            del trunk["state"]
        for condition in found["time_conditions"]:  # type: ignore[attr-defined]
            del condition["now"]["reason"]
        _, found["rates"] = await self.api("GET", "/api/trunks/provider/rates")
        _, found["permissions"] = await self.api("GET", "/api/extensions/1005/permissions")
        return found

    async def make(self) -> None:
        """
        Make one of each.
        """
        trunk = {"name": "provider", "host": "127.0.0.1", "port": 9, "username": "493012345", "password": SECRET}
        hours = [{"start": "00:00", "end": "24:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}]
        target = {"kind": "extension", "target": "1005"}
        for path, body in (
            ("trunks", trunk),
            ("time-conditions", {"name": "office", "hours": hours, "switch": "1"}),
            ("outbound-routes", {"name": "abroad", "patterns": ["00."], "trunks": ["provider"]}),
            ("inbound-routes", {"name": "main", "did": "+493012345", "destination": target, "time": "office"}),
        ):
            status, answer = await self.api("POST", f"/api/{path}", body)
            self.assertEqual(status, 201, answer)
        for path, body in (
            ("time-conditions/office/switch", {"position": "night"}),
            ("extensions/1005/permissions", {"classes": ["local"], "spend_per_day": "1.50"}),
        ):
            status, answer = await self.api("PUT", f"/api/{path}", body)
            self.assertEqual(status, 200, answer)

    async def test_restart(self) -> None:
        """
        All of it is there again, also when the exchange was killed; the password is nowhere in plain text. With another
        key the trunk is left out, and everything else is as it was.
        """
        await self.begin("1005")
        await self.make()
        before = await self.state()
        dsn = f"postgresql://pbx@/pbx_system?host={self.exchange.postgres}"

        async def written() -> bool:
            return await deferToThread(asked, dsn, "SELECT position FROM night_switch") == [("night",)]

        await eventually(written, 5, "the night switch in the database")
        for number in (signal.SIGTERM, signal.SIGKILL):
            await self.end(number)
            await self.start()
            self.assertEqual(await self.state(), before)
        rows = await deferToThread(asked, dsn, "SELECT plan::text FROM plan")
        self.assertEqual(len(rows), 4)
        logged = "".join([*self.exchange.log(), self.exchange.output.read_text()])
        self.assertIn("add trunk provider", logged)
        self.assertNotIn(SECRET, f"{rows}{before}{logged}")
        _, answer = await self.api("GET", "/api/trunks/provider")
        self.assertEqual(answer["password_set"], True)
        self.assertNotIn("password", str(answer["state"]["reason"]))

        key = self.exchange.data / "secret.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        await self.end()
        key.unlink()
        await self.start()
        _, answer = await self.api("GET", "/api/trunks/provider")
        self.assertEqual(answer["state"]["health"], "down")
        self.assertIn("password can't be read", answer["state"]["reason"])
        _, answer = await self.api("GET", "/api/alerts")
        self.assertIn(("trunk_password", "provider"), [(each["kind"], each["subject"]) for each in answer["alerts"]])
        after = await self.state()
        self.assertEqual({**after, "trunks": None}, {**before, "trunks": None})
        _, answer = await self.api("PUT", "/api/trunks/provider", {"password": SECRET})
        self.assertTrue(answer["password_set"])
        _, answer = await self.api("GET", "/api/alerts")
        self.assertNotIn("trunk_password", [each["kind"] for each in answer["alerts"]])
