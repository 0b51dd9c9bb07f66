"""
Tests for :mod:`pbx.web.first_admin` and :mod:`pbx.web.hashing`.
"""

from __future__ import annotations

from urllib.parse import urlencode

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pbx.store.passwords import hash_of
from pbx.web.first_admin import ADMINISTRATOR, LINK, VALID, FirstAdministrator, IStoredValues
from pbx.web.hashing import SlowHashes
from tests.web.client import Answer, Client, FakeAudit, FakeIdentity
from tests.web.fakes import MemoryValues

GOOD = {"name": "ada", "password": "four grey cats dance", "again": "four grey cats dance"}


class FirstAdministratorTests(SynchronousTestCase):
    """
    The link from the first start to its use.
    """

    def setUp(self) -> None:
        self.values = MemoryValues()
        self.now = 1000.0
        self.hashing: Deferred[None] | None = None
        self.audit = FakeAudit()
        self.first = FirstAdministrator(self.values, self.hashed, lambda: self.now, self.audit)
        self.client = Client(self.first.routes(), FakeIdentity(None))

    async def hashed(self, password: str) -> str:
        """
        Stand in for a slow hash.
        """
        if self.hashing is not None:
            await self.hashing
        return f"hash of {len(password)}"

    def offer(self) -> str | None:
        """
        Start once more.
        """
        return self.successResultOf(Deferred.fromCoroutine(self.first.offer()))

    def post(self, path: str, fields: dict[str, str]) -> Answer:
        """
        Send the form.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.client.ask("POST", path, urlencode(fields).encode(), headers)

    def test_stored_values(self) -> None:
        """
        The fake does what the page asks for.
        """
        verifyObject(IStoredValues, self.values)

    def test_used(self) -> None:
        """
        The link shows a form, the form makes the administrator, and then the link is gone.
        """
        path = self.offer() or ""
        page = self.client.ask("GET", path)
        self.assertEqual((page.status, page.headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        self.assertEqual(page.headers["referrer-policy"], "no-referrer")
        self.assertIn("Welcome, ada", self.post(path, GOOD).content.decode())
        self.assertIn('"name":"ada"', self.values.kept[ADMINISTRATOR])
        self.assertIn('"password_hash":"hash of 20"', self.values.kept[ADMINISTRATOR])
        self.assertEqual(self.client.ask("GET", path).status, 404)
        self.assertEqual(self.post(path, {**GOOD, "name": "eve"}).status, 404)
        self.assertNotIn("eve", self.values.kept[ADMINISTRATOR])
        self.assertIsNone(self.offer())
        self.assertEqual(self.audit.rows[0][:3], ("one-time link", "add", "administrator ada"))

    def test_token_is_not_stored(self) -> None:
        """
        Only the digest of the token is kept: who reads the database cannot use the link.
        """
        token = (self.offer() or "").removeprefix("/first/")
        self.assertGreaterEqual(len(token), 32)
        self.assertNotIn(token, self.values.kept[LINK])

    def test_each_start(self) -> None:
        """
        Each start makes a new link and ends the old one.
        """
        old, new = self.offer() or "", self.offer() or ""
        self.assertEqual(self.client.ask("GET", old).status, 404)
        self.assertEqual(self.client.ask("GET", new).status, 200)

    def test_guessed(self) -> None:
        """
        Another token opens nothing, and before the first start there is none.
        """
        self.assertEqual(self.client.ask("GET", "/first/x").status, 404)
        self.offer()
        self.assertEqual(self.client.ask("GET", "/first/x").status, 404)
        self.assertEqual(self.post("/first/x", GOOD).status, 404)

    def test_ended(self) -> None:
        """
        After 24 hours the link is gone.
        """
        path = self.offer() or ""
        self.now += VALID + 1
        self.assertEqual(self.client.ask("GET", path).status, 404)
        self.assertEqual(self.post(path, GOOD).status, 404)

    def test_refused(self) -> None:
        """
        A name or password that will not do, or another repetition, is said on the form; the link stays good.
        """
        path = self.offer() or ""
        for change, text in (
            ({"name": ""}, "The name must"),
            ({"password": "short", "again": "short"}, "The password has 5 characters"),
            ({"again": "another"}, "repetition differ"),
            ({"name": "cats"}, "The password contains cats"),
        ):
            answer = self.post(path, {**GOOD, **change})
            self.assertEqual(answer.status, 422)
            self.assertIn(text, answer.content.decode())
        self.assertEqual(self.post(path, GOOD).status, 200)

    def test_markup(self) -> None:
        """
        What was typed is shown as text, never as markup.
        """
        answer = self.post(self.offer() or "", {**GOOD, "name": '"><script>', "again": ""})
        self.assertNotIn("<script>", answer.content.decode())

    def test_two_at_once(self) -> None:
        """
        Of two who send the form at once, one becomes administrator.
        """
        path = self.offer() or ""
        self.hashing = Deferred()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.client.send("POST", path, urlencode(GOOD).encode(), headers)
        self.assertEqual(self.post(path, {**GOOD, "name": "eve"}).status, 404)
        self.hashing.callback(None)
        self.assertIn('"name":"ada"', self.values.kept[ADMINISTRATOR])

    def test_failed(self) -> None:
        """
        When storing fails the link can be used again.
        """
        path = self.offer() or ""
        self.hashing = Deferred()
        self.hashing.errback(RuntimeError("no memory"))
        self.assertEqual(self.post(path, GOOD).status, 500)
        self.flushLoggedErrors(RuntimeError)
        self.hashing = None
        self.assertEqual(self.post(path, GOOD).status, 200)


@implementer(IReactorFromThreads)
class Inline:
    """
    A reactor whose threads call back at once.
    """

    def callFromThread(self, call: object, *args: object, **kwargs: object) -> None:  # noqa: N802
        """
        Call.
        """
        call(*args, **kwargs)


class SlowHashesTests(SynchronousTestCase):
    """
    Password hashes.
    """

    def test_round_trip(self) -> None:
        """
        A hash fits its password and no other, is another each time, and is of the kind that extensions have.
        """
        threads = ThreadPool(1, 2)
        threads.callInThreadWithCallback = lambda done, call, *args, **kwargs: done(True, call(*args, **kwargs))
        hasher = SlowHashes(Inline(), threads)
        first, second = (
            self.successResultOf(Deferred.fromCoroutine(hasher.hash("four grey cats dance"))) for _ in range(2)
        )
        self.assertEqual(first.split("$")[:4], hash_of("another").split("$")[:4])
        self.assertNotEqual(first, second)
        for stored, password, fits in ((first, "four grey cats dance", True), (first, "x", False), ("x", "x", False)):
            verified = Deferred.fromCoroutine(hasher.verify(stored, password))
            self.assertEqual(self.successResultOf(verified), fits)
