"""
Tests for :mod:`pbx.web.extensions`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.directory.extension import Extension
from pbx.store.database import Duplicate
from pbx.store.extensions import UnknownExtensionError
from pbx.web.extensions import ExtensionGoneError, Extensions, IExtensions
from pbx.web.site import KeptExtensions
from tests.web.client import Client, FakeAudit
from tests.web.fakes import MemoryExtensions

MANUAL = {
    "number": "1005",
    "name": "John Doe",
    "email": "john.doe@company.com",
    "password": "SecurePassword123!",
    "allow_external": True,
    "is_admin": False,
}
"""The body of the operations manual."""

SHOWN = {**{key: value for key, value in MANUAL.items() if key != "password"}, "enabled": True}


class ExtensionsTests(SynchronousTestCase):
    """
    Adding, reading, changing and removing extensions.
    """

    def setUp(self) -> None:
        self.extensions = MemoryExtensions()
        self.audit = FakeAudit()
        self.client = Client(Extensions(self.extensions, self.audit).routes())

    def refused(self, method: str, path: str, body: Any) -> dict[str, str]:
        """
        The fields that are not accepted, and why.
        """
        answer = self.client.ask(method, path, body)
        self.assertEqual(answer.status, 422, answer.content)
        return {each["field"]: each["detail"] for each in answer.json["errors"]}

    def test_fake(self) -> None:
        """
        The fake does what the resource asks for.
        """
        verifyObject(IExtensions, self.extensions)

    def test_add(self) -> None:
        """
        The manual's request adds the extension; the answer says where it is and never the password.
        """
        answer = self.client.ask("POST", "/api/extensions", MANUAL)
        self.assertEqual((answer.status, answer.json), (201, SHOWN))
        self.assertEqual(answer.headers["location"], "/api/extensions/1005")
        self.assertEqual(self.extensions.passwords, {"1005": "SecurePassword123!"})
        self.assertEqual(self.extensions.kept["1005"], Extension("1005", "John Doe", "john.doe@company.com", True))

    def test_removed_meanwhile(self) -> None:
        """
        An extension that somebody else removes while it is being changed is 404, and nothing is recorded.
        """
        self.client.ask("POST", "/api/extensions", MANUAL)
        get = self.extensions.get

        async def get_and_lose(number: str) -> Extension | None:
            found = await get(number)
            await self.extensions.remove(number)
            return found

        self.extensions.get = get_and_lose  # type: ignore[method-assign]
        self.assertEqual(self.client.ask("PUT", "/api/extensions/1005", {"name": "Jim"}).status, 404)
        self.assertEqual(len(self.audit.rows), 1)

    def test_stored(self) -> None:
        """
        The store's word for it is understood.
        """
        class Gone:
            async def update(self, number: str, **changes: object) -> None:
                raise UnknownExtensionError(number)

        kept = KeptExtensions(Gone())  # type: ignore[arg-type]
        verifyObject(IExtensions, kept)
        gone = Deferred.fromCoroutine(kept.update(Extension("1005", "John"), None))
        self.failureResultOf(gone, ExtensionGoneError)

    def test_number_of_a_place(self) -> None:
        """
        The number of a ring group, a menu or a room is taken as well, and the answer says so.
        """
        class Stored:
            constraint = "number_of_place"

            async def add(self, *values: Any, **named: Any) -> Extension:
                raise Duplicate("taken", self.constraint)

        kept = KeptExtensions(Stored())  # type: ignore[arg-type]
        verifyObject(IExtensions, kept)
        client = Client(Extensions(kept, self.audit).routes())
        answer = client.ask("POST", "/api/extensions", MANUAL)
        self.assertEqual((answer.status, answer.json["field"]), (409, "number"))
        self.assertIn("ring group", answer.json["detail"])
        self.patch(Stored, "constraint", "extension_pkey")
        answer = client.ask("POST", "/api/extensions", MANUAL)
        self.assertIn("There is an extension 1005 already", answer.json["detail"])

    def test_audit(self) -> None:
        """
        Every change is recorded with who made it, before and after, and without a password.
        """
        self.client.ask("POST", "/api/extensions", MANUAL)
        self.client.ask("PUT", "/api/extensions/1005", {"name": "Jim", "password": "AnotherPassw123!"})
        self.client.ask("DELETE", "/api/extensions/1005")
        after = {**SHOWN, "name": "Jim"}
        self.assertEqual(
            self.audit.rows,
            [
                ("local:root", "add", "extension 1005", None, SHOWN),
                ("local:root", "change", "extension 1005", SHOWN, {**after, "password": "changed"}),
                ("local:root", "remove", "extension 1005", after, None),
            ],
        )

    def test_read(self) -> None:
        """
        All or one can be read, without digests.
        """
        self.extensions.kept["1005"] = Extension("1005", "John", digests={"MD5": "0123456789abcdef"})
        for path in ("/api/extensions", "/api/extensions/1005"):
            answer = self.client.ask("GET", path)
            self.assertEqual(answer.status, 200)
            self.assertNotIn(b"0123", answer.content)
            self.assertIn(b"John", answer.content)
        self.assertEqual(self.client.ask("GET", "/api/extensions").json["extensions"][0]["number"], "1005")

    def test_duplicate(self) -> None:
        """
        A number that is taken is 409 about the number.
        """
        self.client.ask("POST", "/api/extensions", MANUAL)
        answer = self.client.ask("POST", "/api/extensions", {**MANUAL, "name": "Other"})
        self.assertEqual((answer.status, answer.json["field"]), (409, "number"))
        self.assertEqual(self.extensions.kept["1005"].name, "John Doe")

    def test_wrong_fields(self) -> None:
        """
        Everything that is wrong with a body is said at once, and nothing is added.
        """
        body = {"number": "10a", "name": "", "email": "nobody", "password": 5, "allow_external": "yes", "is_boss": True}
        fields = self.refused("POST", "/api/extensions", body)
        self.assertEqual(set(fields), set(body))
        self.assertEqual(fields["email"], "found 'nobody'; allowed is an email address, or null")
        self.assertEqual(set(self.refused("POST", "/api/extensions", {})), {"number", "name", "password"})
        for number in ("1", "1" * 16, "1005\n", "*72", "\u0661\u0660\u0660\u0665"):
            self.assertIn("number", self.refused("POST", "/api/extensions", {**MANUAL, "number": number}))
        self.assertIn("name", self.refused("POST", "/api/extensions", {**MANUAL, "name": "a\r\nb"}))
        self.assertEqual(self.extensions.kept, {})

    def test_passwords(self) -> None:
        """
        A password that is short, common, or holds the number or the name is refused, and never repeated.
        """
        for password in ("Short1!", "Password1234", "tower-1005-bridge", "bright-john-tower"):
            body = {**MANUAL, "password": password}
            answer = self.client.ask("POST", "/api/extensions", body)
            self.assertEqual((answer.status, answer.json["field"]), (422, "password"))
            self.assertNotIn(password.encode(), answer.content)
        self.assertNotIn("987654321", str(self.refused("POST", "/api/extensions", {**MANUAL, "password": 987654321})))

    def test_change(self) -> None:
        """
        A change keeps what it leaves out; the password too.
        """
        self.client.ask("POST", "/api/extensions", MANUAL)
        answer = self.client.ask("PUT", "/api/extensions/1005", {"enabled": False, "email": None})
        self.assertEqual((answer.status, answer.json), (200, {**SHOWN, "enabled": False, "email": None}))
        self.assertEqual(self.extensions.passwords["1005"], "SecurePassword123!")
        self.client.ask("PUT", "/api/extensions/1005", {**MANUAL, "password": "AnotherPassw123!"})
        self.assertEqual(self.extensions.passwords["1005"], "AnotherPassw123!")

    def test_change_refused(self) -> None:
        """
        The number cannot be changed, and a new password must do for the name as it will be.
        """
        self.client.ask("POST", "/api/extensions", MANUAL)
        path = "/api/extensions/1005"
        self.assertIn("number", self.refused("PUT", path, {"number": "1006"}))
        self.assertIn("password", self.refused("PUT", path, {"name": "Waldo", "password": "where-is-waldo-now"}))
        self.assertNotIn("12345", str(self.refused("PUT", path, {"password": 12345})))
        self.assertEqual(self.extensions.kept["1005"].name, "John Doe")

    def test_missing(self) -> None:
        """
        An extension that is not there is 404, whatever is asked of it.
        """
        for number in ("1005", "%00", "a'b"):
            for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
                answer = self.client.ask(method, f"/api/extensions/{number}", body)
                self.assertEqual((answer.status, answer.headers["content-type"]), (404, "application/problem+json"))

    def test_remove(self) -> None:
        """
        Removing answers 204 without a body.
        """
        self.client.ask("POST", "/api/extensions", MANUAL)
        answer = self.client.ask("DELETE", "/api/extensions/1005")
        self.assertEqual((answer.status, answer.content), (204, b""))
        self.assertNotIn("content-type", answer.headers)
        self.assertEqual(self.extensions.kept, {})
