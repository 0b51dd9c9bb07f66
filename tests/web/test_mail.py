"""
Tests of :mod:`pbx.web.mail`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pbx.ops.mail import MailError, TestLetter
from pbx.store.mail import QueuedMail
from pbx.web.mail import MailResource
from tests.web.client import Client, FakeAudit

MOMENT = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
FAILED = QueuedMail(
    id="a1", message="v1", recipient="ann@example.com", subject="Voicemail", body="b", html=None, attachment=None,
    state="failed", reason="550 no such user", attempts=3, queued=MOMENT, due=MOMENT, node=None, claimed=None,
    finished=MOMENT,
)


class Mails:
    """
    Mails in a dict.
    """

    def __init__(self) -> None:
        self.kept = {"a1": FAILED}
        self.asked: list[tuple[object, ...]] = []

    async def list(self, *, state: str | None, message: str | None, limit: int) -> Sequence[QueuedMail]:
        """
        All.
        """
        self.asked.append((state, message, limit))
        return list(self.kept.values())

    async def get(self, mail: str) -> QueuedMail | None:
        """
        One.
        """
        return self.kept.get(mail)

    async def retry(self, mail: str) -> bool:
        """
        Queue it again.
        """
        if self.kept[mail].state != "failed":
            return False
        self.kept[mail] = evolve(self.kept[mail], state="queued")
        return True

    async def delete(self, mail: str) -> bool:
        """
        Forget it.
        """
        return self.kept[mail].state != "sending" and self.kept.pop(mail) is not None


class Sender:
    """
    Sends, or fails as told.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.error: MailError | None = None

    async def test(self, letter: TestLetter) -> None:
        """
        Send.
        """
        if self.error is not None:
            raise self.error
        self.sent.append(letter.recipient)


class MailTests(SynchronousTestCase):
    """
    What became of each mail.
    """

    def setUp(self) -> None:
        """
        The resource.
        """
        self.mails, self.sender, self.audit = Mails(), Sender(), FakeAudit()
        self.ask = Client(MailResource(self.mails, self.sender, self.audit).routes()).ask

    def test_shown(self) -> None:
        """
        A mail is shown with its state, its attempts and the reason.
        """
        (listed,) = self.ask("GET", "/api/mail?state=failed&limit=5").json["mails"]
        self.assertEqual(self.mails.asked, [("failed", None, 5)])
        self.assertEqual(self.ask("GET", "/api/mail/a1").json, listed)
        self.assertEqual((listed["state"], listed["attempts"], listed["reason"]), ("failed", 3, "550 no such user"))
        self.assertIsNone(listed["next"])
        self.assertEqual(self.ask("GET", "/api/mail/b2").status, 404)
        self.assertEqual(self.ask("GET", "/api/mail?state=lost").json["field"], "state")

    def test_retried(self) -> None:
        """
        A mail that failed is tried again; one that waits already is not.
        """
        answer = self.ask("POST", "/api/mail/a1/retry")
        self.assertEqual((answer.status, answer.json["state"]), (200, "queued"))
        self.assertEqual(answer.json["next"], "2026-03-02T09:00:00.000+00:00")
        self.assertEqual(self.ask("POST", "/api/mail/a1/retry").status, 409)
        self.assertEqual(self.audit.rows[0][1], "retry")

    def test_deleted(self) -> None:
        """
        A mail is forgotten, unless it is being sent.
        """
        self.mails.kept["a1"] = evolve(FAILED, state="sending")
        self.assertEqual(self.ask("DELETE", "/api/mail/a1").status, 409)
        self.mails.kept["a1"] = FAILED
        self.assertEqual(self.ask("DELETE", "/api/mail/a1").status, 204)
        self.assertEqual(self.ask("DELETE", "/api/mail/a1").status, 404)

    def test_test(self) -> None:
        """
        A test mail is sent at once, or the server's reason is told.
        """
        answer = self.ask("POST", "/api/mail/test", {"to": "ann@example.com"})
        self.assertEqual((answer.status, answer.json, self.sender.sent),
                         (200, {"to": "ann@example.com", "state": "sent"}, ["ann@example.com"]))
        self.sender.error = MailError("smtp.example.com:587: 535 wrong password")
        answer = self.ask("POST", "/api/mail/test", {"to": "ann@example.com"})
        self.assertEqual(answer.status, 502)
        self.assertIn("535 wrong password", answer.json["detail"])
        self.assertEqual(self.ask("POST", "/api/mail/test", {"to": "ann"}).json["field"], "to")
