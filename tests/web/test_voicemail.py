"""
Tests of :mod:`pbx.web.voicemail`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.features.voicemail.mailboxes import Mailbox, Message
from pbx.web.voicemail import VoicemailResource
from tests.features.visitor import run
from tests.features.voicemail.contract import write_wav
from tests.features.voicemail.memory import MemoryMailboxes, MemoryMessages
from tests.web.client import Client, FakeAudit

WAV = {"Content-Type": "audio/wav"}


class Mails:
    """
    Every message has a mail that was sent.
    """

    async def of_messages(self, messages: list[str]) -> dict[str, dict[str, Any]]:
        """
        What became of it.
        """
        return {message: {"id": "m", "state": "sent", "reason": "", "attempts": 1} for message in messages}


class VoicemailCase(SynchronousTestCase):
    """
    The mailboxes of 1001 and 1002, over HTTP.
    """

    def setUp(self) -> None:
        """
        The resource.
        """
        self.audit = FakeAudit()
        self.mailboxes = MemoryMailboxes(Path(self.mktemp()), "1001", "1002")
        self.messages = MemoryMessages(self.mailboxes)
        directory = Directory([Extension("1001", "Ann"), Extension("1002", "Bob")])
        self.resource = VoicemailResource(self.mailboxes, self.messages, Mails(), directory, self.audit)
        self.client = Client(self.resource.routes())
        self.ask = self.client.ask

    def left(self) -> Message:
        """
        A message for 1001.
        """
        message = run(self.messages.begin(Mailbox("1001"), caller="1005", caller_name="Eve", call_id="c"))
        write_wav(message.path)
        run(self.messages.finish(message, 3.0))
        kept: Message = self.messages.kept[message.id]
        return kept


class MailboxTests(VoicemailCase):
    """
    Mailboxes and their greetings.
    """

    def test_shown(self) -> None:
        """
        Each mailbox is listed with its counts; there is no other.
        """
        self.left()
        found = self.ask("GET", "/api/voicemail").json["mailboxes"]
        self.assertEqual([(each["number"], each["new"]) for each in found], [("1001", 1), ("1002", 0)])
        self.assertEqual(self.ask("GET", "/api/voicemail/1001").json, found[0])
        self.assertEqual(self.ask("GET", "/api/voicemail/1999").status, 404)

    def test_changed(self) -> None:
        """
        What is named is changed, and null leaves it to the exchange again; the audit knows by whom.
        """
        answer = self.ask("PUT", "/api/voicemail/1001", {"quota": 5, "email": "ann@example.com", "attach": False})
        self.assertEqual((answer.status, answer.json["quota"], answer.json["attach"]), (200, 5, False))
        answer = self.ask("PUT", "/api/voicemail/1001", {"quota": None})
        self.assertEqual((answer.json["quota"], answer.json["email"]), (None, "ann@example.com"))
        self.assertEqual(self.audit.rows[0][:3], ("local:root", "change", "mailbox 1001"))
        self.assertEqual(self.audit.rows[1][3]["quota"], 5)

    def test_mistakes(self) -> None:
        """
        What can't be is refused by its field.
        """
        for body, field in (
            ({"quota": -1}, "quota"), ({"email": "nobody"}, "email"), ({"pin": "12"}, "pin"), ({"pin": "1234"}, "pin"),
            ({"owners": ["1999"]}, "owners"), ({"name": "a\u0000"}, "name"), ({"greetings": []}, "greetings"),
        ):
            answer = self.ask("PUT", "/api/voicemail/1001", body)
            self.assertEqual((answer.status, answer.json["field"]), (422, field), body)

    def test_pin(self) -> None:
        """
        A PIN is set and removed, and stands in no answer and in no audit record.
        """
        answer = self.ask("PUT", "/api/voicemail/1001", {"pin": "47113"})
        self.assertEqual((answer.json["has_pin"], self.mailboxes.pins), (True, {"1001": "47113"}))
        self.assertNotIn(b"47113", answer.content)
        self.assertNotIn("47113", repr(self.audit.rows))
        self.assertFalse(self.ask("PUT", "/api/voicemail/1001", {"pin": None}).json["has_pin"])

    def test_shared(self) -> None:
        """
        A mailbox of no extension needs owners that are there; it can be removed.
        """
        self.assertEqual(self.ask("PUT", "/api/voicemail/2000", {"name": "Sales"}).json["field"], "owners")
        self.assertEqual(self.ask("PUT", "/api/voicemail/..%2Fx", {"owners": ["1001"]}).status, 404)
        answer = self.ask("PUT", "/api/voicemail/2000", {"name": "Sales", "owners": ["1001", "1002"]})
        self.assertEqual((answer.status, answer.headers["location"]), (201, "/api/voicemail/2000"))
        self.assertEqual(self.ask("DELETE", "/api/voicemail/2000").status, 204)
        self.assertEqual(self.ask("GET", "/api/voicemail/2000").status, 404)

    def test_greetings(self) -> None:
        """
        A greeting is uploaded, heard and removed.
        """
        path = Path(self.mktemp())
        write_wav(path)
        greeting = "/api/voicemail/1001/greetings/busy"
        self.assertEqual(self.ask("GET", greeting).status, 404)
        self.assertEqual(self.ask("PUT", greeting, b"nonsense", WAV).status, 422)
        self.assertEqual(self.ask("PUT", greeting, path.read_bytes(), WAV).json["greetings"], ["busy"])
        answer = self.ask("GET", greeting)
        self.assertEqual((answer.headers["content-type"], answer.content), ("audio/wav", path.read_bytes()))
        self.assertEqual(self.ask("DELETE", greeting).status, 204)
        self.assertEqual(self.ask("DELETE", greeting).status, 404)
        self.assertEqual(self.ask("GET", "/api/voicemail/1001/greetings/draft-busy").status, 404)


class MessageTests(VoicemailCase):
    """
    Messages.
    """

    def test_shown(self) -> None:
        """
        A message is shown with what became of its mail, and its audio can be had.
        """
        message = self.left()
        path = f"/api/voicemail/1001/messages/{message.id}"
        (listed,) = self.ask("GET", "/api/voicemail/1001/messages").json["messages"]
        self.assertEqual(self.ask("GET", path).json, listed)
        self.assertEqual(
            {key: listed[key] for key in ("caller", "seconds", "folder", "read", "received")},
            {"caller": "1005", "seconds": 3.0, "folder": "new", "read": False,
             "received": "2026-03-02T09:01:00.000+00:00"},
        )
        self.assertEqual(listed["mail"]["state"], "sent")
        answer = self.ask("GET", listed["audio"])
        self.assertEqual((answer.headers["content-type"], answer.content), ("audio/wav", message.path.read_bytes()))
        message.path.unlink()
        self.assertEqual(self.ask("GET", listed["audio"]).status, 410)
        for other in ("/api/voicemail/1002/messages/" + message.id, path[:-1], path[:-1] + "x", path + "/.."):
            self.assertEqual(self.ask("GET", other).status, 404)

    def test_changed(self) -> None:
        """
        A message is moved, marked as read and as new, deleted and restored.
        """
        message = self.left()
        path = f"/api/voicemail/1001/messages/{message.id}"
        for body, folder, deleted in (
            ({"read": True}, "saved", False), ({"folder": "work"}, "work", False), ({"read": True}, "work", False),
            ({"read": False}, "new", False), ({"deleted": True}, "new", True),
            ({"deleted": False, "folder": "family"}, "family", False),
        ):
            answer = self.ask("PATCH", path, body)
            self.assertEqual((answer.status, answer.json["folder"], answer.json["deleted"]), (200, folder, deleted))
        self.assertEqual(self.ask("PATCH", path, {"folder": "inbox"}).json["field"], "folder")
        self.assertEqual(self.ask("GET", "/api/voicemail/1001/messages?folder=new").json["messages"], [])

    def test_deleted(self) -> None:
        """
        A message that is deleted can still be had back; deleted again it is gone.
        """
        message = self.left()
        path = f"/api/voicemail/1001/messages/{message.id}"
        self.assertEqual(self.ask("DELETE", path).status, 204)
        self.assertEqual(self.ask("GET", "/api/voicemail/1001/messages").json["messages"], [])
        self.assertEqual(len(self.ask("GET", "/api/voicemail/1001/messages?deleted=yes").json["messages"]), 1)
        self.assertEqual(self.ask("DELETE", path).status, 204)
        self.assertEqual(self.ask("GET", path).status, 404)
        self.assertEqual([row[1] for row in self.audit.rows], ["delete", "remove"])

    def test_forwarded(self) -> None:
        """
        A message is forwarded to another mailbox that takes messages.
        """
        message = self.left()
        path = f"/api/voicemail/1001/messages/{message.id}/forward"
        answer = self.ask("POST", path, {"to": "1002"})
        self.assertEqual((answer.status, answer.json["forwarded_by"]), (201, "1001"))
        self.assertEqual(self.ask("GET", answer.headers["location"]).status, 200)
        self.mailboxes.quota = 1
        answer = self.ask("POST", path, {"to": "1002"})
        self.assertEqual((answer.status, answer.json["detail"]), (409, "Mailbox 1002 is full."))
        self.mailboxes.kept["1002"] = evolve(self.mailboxes.kept["1002"], enabled=False)
        for to in ("1001", "1999", "1002"):
            self.assertEqual(self.ask("POST", path, {"to": to}).json["field"], "to")

    def test_database_away(self) -> None:
        """
        While the database is away it is said so.
        """
        self.messages.away = True
        answer = self.ask("GET", "/api/voicemail/1001/messages")
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "5"))
