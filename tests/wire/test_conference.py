"""
Three real phones in a conference: each hears the other two, and not itself.
"""

from __future__ import annotations

from tests.wire.case import ExchangeTestCase


class ConferenceTests(ExchangeTestCase):
    """
    1005, 1006 and 1007 in room 800.
    """

    extensions = ("1005", "1006", "1007")

    async def test_three(self) -> None:
        """
        Everybody hears the others' voices and not its own; the room is listed by the API; nothing is left.
        """
        status, _ = await self.api("POST", "/api/conferences", {"number": "800", "name": "Board"})
        self.assertEqual(status, 201)
        phones = [await self.phone(number) for number in ("1005", "1006", "1007")]
        for phone in phones:
            await phone.dial("800")
            await phone.event("CALL_ESTABLISHED")
        for phone in phones:
            for other in phones:
                if other is not phone:
                    # Two voices of the same strength: each makes up 0.7 of what is heard.
                    await phone.hears(other.said, least=0.6, within=15)
        for phone in phones:
            self.assertLess(phone.heard(phone.said).score, 0.25, "it hears itself")
        _, room = await self.api("GET", "/api/conferences/800")
        self.assertEqual(len(room["live"]["members"]), 3, room)
        for phone in phones:
            await phone.hang_up()
        for record in await self.new_records(3):
            self.assertEqual((record["callee"], record["disposition"]), ("800", "answered"))
        await self.nothing_left()
