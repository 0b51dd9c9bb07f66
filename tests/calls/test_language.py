"""
In which language callers hear prompts.
"""

from __future__ import annotations

from typing import Any

from pbx.calls.tools import CallSettings
from pbx.directory.decision import Destination
from tests.calls.scripted import VisitCase, forever


class LanguageTests(VisitCase):
    """
    A house whose language is German.
    """

    options = {"calls": CallSettings(language="de")}

    async def note(self, visit: Any) -> None:
        """
        See what is spoken, and stay.
        """
        terminal = await visit.answer()
        self.spoken.append((visit.language, terminal.language))
        await forever(visit)

    def setUp(self) -> None:
        super().setUp()
        self.spoken: list[tuple[str, str]] = []

    def test_of_the_house(self) -> None:
        """
        Callers hear what the configuration says.
        """
        self.serve(self.note)
        anna, _, _ = self.trio()
        self.leave(anna, self.enter(anna))
        self.assertEqual(self.spoken, [("de", "de")])

    def test_chosen(self) -> None:
        """
        What a caller has chosen at a menu holds as long as it is there, also where it is sent by whom it spoke to.
        """
        async def menu(visit: Any) -> Destination:
            await visit.answer()
            visit.language = "fr"
            return Destination("extension", "1002")

        self.serve(menu, voicemail=self.note)
        anna, bert, _ = self.trio()
        invite = self.enter(anna)
        bert.reply(bert.requests("INVITE")[0], 200, body=bert.sdp())
        self.network.advance(0.5)
        (call,) = self.exchange.switchboard.calls
        self.assertTrue(self.exchange.switchboard.transfer_to_voicemail(call, "1002", "1003"))
        self.network.advance(3)
        self.leave(anna, invite)
        self.assertEqual(self.spoken, [("fr", "fr")])
