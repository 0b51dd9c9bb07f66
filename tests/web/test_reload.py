"""
Tests for :mod:`pbx.web.reload`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pbx.ops.reload import Change, Report
from pbx.ops.settings import SettingsError
from pbx.ops.strict import Mistake
from pbx.web.reload import LISTED, IReloading, Reload
from tests.web.client import Client, FakeAudit

CHANGED = Report(
    (Change("media.tones", "us", "de"), Change("sip_trunks[One].password", secret=True)),
    (Change("server.sip_port", 5060, 5070, reason="sockets"),),
)


@implementer(IReloading)
class FakeReloading:
    """
    Gives what it was told to, or raises it.
    """

    def __init__(self) -> None:
        self.answer: Report | SettingsError = CHANGED
        self.actors: list[str] = []

    async def reload(self, actor: str) -> Report:
        """
        The answer.
        """
        self.actors.append(actor)
        if isinstance(self.answer, SettingsError):
            raise self.answer
        return self.answer


def refused() -> SettingsError:
    """
    A file with two mistakes, one of which has no line.
    """
    mistakes = [Mistake("media.tones", "found 'xx'; allowed is a country"), Mistake("api.ssl", "pbx.crt: is not there")]
    return SettingsError(Path("/etc/pbx/config.yml"), mistakes, {"media.tones": 12})


class ReloadTests(SynchronousTestCase):
    """
    Reloading over the API.
    """

    def setUp(self) -> None:
        self.reloading, self.audit = FakeReloading(), FakeAudit()
        self.client = Client(Reload(self.reloading, self.audit).routes())

    def test_interface(self) -> None:
        """
        The fake is what the resource asks for.
        """
        verifyObject(IReloading, self.reloading)

    def test_good(self) -> None:
        """
        What is different is answered, and audited with who asked; secrets are in neither.
        """
        answer = self.client.ask("POST", "/api/reload")
        self.assertEqual(answer.status, 200)
        tones, password = answer.json["changed"]
        self.assertEqual((tones["key"], tones["before"], tones["after"]), ("media.tones", "us", "de"))
        self.assertEqual((password["secret"], password["text"]), (True, "sip_trunks[One].password: changed"))
        (waits,) = answer.json["waiting"]
        self.assertEqual((waits["key"], waits["reason"]), ("server.sip_port", "sockets"))
        self.assertEqual(self.reloading.actors, ["local:root"])
        ((actor, action, subject, before, after),) = self.audit.rows
        self.assertEqual((actor, action, subject), ("local:root", "reload", "the configuration"))
        self.assertEqual((before["media.tones"], after["media.tones"]), ("us", "de"))
        self.assertNotEqual(before["sip_trunks[One].password"], after["sip_trunks[One].password"])
        self.assertNotIn("server.sip_port", after)

    def test_many(self) -> None:
        """
        Of very many changes the audit record lists some and counts the others.
        """
        self.reloading.answer = Report(tuple(Change(f"a[{n}]", 1, 2) for n in range(LISTED + 5)), more=3)
        answer = self.client.ask("POST", "/api/reload").json
        self.assertEqual((len(answer["changed"]), answer["more"]), (LISTED + 5, 3))
        ((*_, before, after),) = self.audit.rows
        self.assertEqual((len(before), len(after), after["more"]), (LISTED, LISTED + 1, 8))

    def test_bad(self) -> None:
        """
        Every mistake is answered with its line, and nothing is audited, since nothing was changed.
        """
        self.reloading.answer = refused()
        answer = self.client.ask("POST", "/api/reload")
        self.assertEqual((answer.status, answer.headers["content-type"]), (422, "application/problem+json"))
        self.assertEqual(answer.json["detail"], "/etc/pbx/config.yml has 2 mistakes; nothing was changed.")
        self.assertEqual(answer.json["errors"], [
            {"field": "media.tones", "detail": "line 12: found 'xx'; allowed is a country"},
            {"field": "api.ssl", "detail": "pbx.crt: is not there"},
        ])
        self.assertEqual(self.audit.rows, [])
