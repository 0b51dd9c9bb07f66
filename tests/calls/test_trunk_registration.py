"""
Tests for :mod:`pbx.calls.registration` and :mod:`pbx.calls.register`: what a registrar may say, and what follows.
"""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import frozen

from pbx.calls.register import LONGEST_EXPIRES, LONGEST_WAIT, MOST_ROUTES, PATIENCE
from pbx.calls.registration import PING
from pbx.sip.digest import Credentials
from tests.calls.lines import HERE, NAME, LinesCase
from tests.calls.provider import ACCOUNT, STALE, Answer

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Row:
    """
    One thing that a registrar may say, and what follows.

    Attributes:
        script: Its answers in order; what comes after them is served as it should be.
        sent: REGISTERs within the first 20 seconds.
        health: How the trunk is after the first second.
        reason: What the reason says then.
        refresh: After how many seconds it is refreshed, where that was granted.
        challenge: How it asks.
        always: What it says each time.
    """

    script: tuple[Answer, ...] = ()
    sent: int = 2
    health: str = "up"
    reason: str = ""
    refresh: float | None = None
    challenge: Mapping[str, Any] = MappingProxyType({})
    always: Answer | type = object


def contact(expires: int) -> tuple[tuple[str, str], ...]:
    """
    A Contact that is not as ours was, as gateways on the way make it.
    """
    return (("Contact", f"<sip:{ACCOUNT}@203.0.113.7:1024>;expires={expires}"),)


TWO = (("Contact", "<sip:other@192.0.2.99>;expires=20"), ("Contact", "<sip:third@192.0.2.98>;expires=30"))

# Of 600 seconds the last minute is left, less a twentieth (chance is one half): 540 * 0.95 = 513.
TABLE: dict[str, Row] = {
    "200": Row((200,), sent=1, refresh=513),
    "200 for a shorter time, said by the Contact": Row(((200, contact(120)),), sent=1, refresh=57),
    "200 for a shorter time, said by Expires": Row(((200, (("Expires", "120"),)),), sent=1, refresh=57),
    "200 where Contact and Expires differ": Row(((200, (*contact(100), ("Expires", "3600"))),), sent=1, refresh=47.5),
    "200 for a longer time": Row(((200, contact(3600)),), sent=1, refresh=3363),
    "200 that says nothing": Row(((200, (("X", "y"),)),), sent=1, refresh=513),
    "200 with the Contacts of others": Row(((200, TWO),), sent=1, refresh=513),
    "200 that can't be read": Row(
        ((200, (("Contact", f"<sip:{ACCOUNT}@203.0.113.7>;expires=soon"), ("Expires", "x"))),), sent=1, refresh=513
    ),
    "200 for next to nothing": Row(always=(200, contact(1)), sent=4),
    "200 for nothing": Row(((200, contact(0)),), sent=1, health="degraded", reason="for 0 seconds"),
    "401 MD5": Row(challenge={"algorithm": "MD5"}, refresh=513),
    "401 SHA-256": Row(challenge={"algorithm": "SHA-256"}),
    "401 SHA-512-256": Row(challenge={"algorithm": "SHA-512-256"}),
    "401 without qop": Row(challenge={"qop": None}),
    "401 auth-int": Row(challenge={"qop": "auth-int"}),
    "407": Row(((407, (("Proxy-Authenticate", 'Digest realm="p", nonce="x", qop="auth"'),)),), sent=3),
    "401 stale": Row(((401, ()), (401, STALE)), sent=3),
    "401 stale for ever": Row(
        always=(401, (("WWW-Authenticate", 'Digest realm="provider", nonce="n", stale=true'),)), sent=5,
        health="degraded", reason="401",
    ),
    "401 again": Row(always=401, sent=2, health="degraded", reason="the user name or the password is wrong"),
    "401 by an unknown algorithm": Row(challenge={"algorithm": "X"}, sent=1, health="degraded", reason="401"),
    "403": Row((403,), sent=1, health="degraded", reason="192.0.2.1:5060: 403 Forbidden"),
    "404": Row((404,), sent=1, health="degraded", reason="404 Not Found"),
    "423": Row(((423, (("Min-Expires", "1800"),)),), sent=3, refresh=1740 * 0.95),
    "423 twice": Row(((423, (("Min-Expires", "700"),)), (423, (("Min-Expires", "800"),))), sent=4, refresh=740 * 0.95),
    "423 without end": Row(tuple((423, (("Min-Expires", str(700 + n)),)) for n in range(9)), sent=4, health="degraded",
                           reason="423"),
    "423 that asks for less": Row(((423, (("Min-Expires", "60"),)),), sent=1, health="degraded", reason="423"),
    "423 that asks for nonsense": Row(((423, (("Min-Expires", str(LONGEST_EXPIRES + 1)),)),), sent=1,
                                      health="degraded", reason="423"),
    "423 without Min-Expires": Row((423,), sent=1, health="degraded", reason="423"),
    "408": Row((408,), sent=3, health="down", reason="408"),
    "500": Row((500,), sent=3, health="down", reason="500"),
    "503": Row((503,), sent=3, health="down", reason="503"),
    "503 with Retry-After": Row(((503, (("Retry-After", "12 (soon);duration=60"),)),), sent=3, health="down",
                                reason="503"),
    "603": Row((603,), sent=1, health="degraded", reason="603"),
}


class AnswersTests(LinesCase):
    """
    Each row of the table.
    """

    def run_row(self, name: str) -> None:
        """
        Go through one row.
        """
        row = TABLE[name]
        provider = self.provider()
        provider.script["REGISTER"] = list(row.script)
        provider.challenge = dict(row.challenge)
        if row.always is not object:
            provider.always["REGISTER"] = row.always  # type: ignore[assignment]  # object stands for none
        self.start(self.trunk(), wait=1)
        self.assertEqual(self.health(), row.health)
        self.assertIn(row.reason, self.reason())
        self.wait(19)
        self.assertEqual(len(provider.requests()), row.sent)
        provider.forget()
        if row.refresh is not None:
            self.wait(row.refresh - 20 - 0.5)
            self.assertEqual(provider.requests(), [])
            self.wait(1)
            self.assertNotEqual(provider.requests(), [])
            self.assertEqual(self.health(), "up")


def _add(number: int, name: str) -> None:
    def test(self: AnswersTests) -> None:
        self.run_row(name)

    test.__doc__ = name
    setattr(AnswersTests, f"test_{number:02}", test)


for _number, _name in enumerate(TABLE):
    _add(_number, _name)


class RegisterTests(LinesCase):
    """
    What is sent.
    """

    def test_request(self) -> None:
        """
        The account at the domain, to the provider, with a Contact that can be told again (RFC 3261 10.2).
        """
        provider = self.provider()
        line = self.start(self.trunk(from_domain="provider.example", register_expires=300))
        first, second = provider.requests()
        for request in (first, second):
            self.assertEqual(request.uri, "sip:192.0.2.1")
            self.assertEqual(str(request.from_.uri), f"sip:{ACCOUNT}@provider.example")
            self.assertEqual(request.headers.get("To"), f"<sip:{ACCOUNT}@provider.example>")
            self.assertEqual((request.expires, request.contacts[0].param("expires")), (300, "300"))
            self.assertEqual(str(request.contacts[0].uri), f"sip:{ACCOUNT}@{HERE}:5060;line={line.mark}")
            self.assertEqual(request.option_tags("Supported"), ["path"])
        self.assertEqual(second.cseq.number, first.cseq.number + 1)
        self.assertEqual((second.call_id, second.from_tag), (first.call_id, first.from_tag))
        self.assertEqual((self.health(), self.reason()), ("up", ""))

    def test_names(self) -> None:
        """
        The digest user, the Contact's user and the port may be others; what a URI can't hold is escaped.
        """
        provider = self.provider(port=5080)
        line = self.start(self.trunk(port=5080, username="a@b", auth_username="digest user", contact_user="desk#1"))
        request = provider.requests()[-1]
        self.assertEqual(request.uri, "sip:192.0.2.1:5080")
        self.assertEqual(str(request.to.uri), "sip:a%40b@192.0.2.1")
        self.assertEqual(str(request.contacts[0].uri), f"sip:desk%231@{HERE}:5060;line={line.mark}")
        self.assertEqual(Credentials.parse(request.headers.get("Authorization") or "").username, "digest user")
        self.assertEqual(self.health(), "up")

    def test_goes_on(self) -> None:
        """
        Refreshes have the same Call-ID, tag and Contact, a CSeq that counts up, and prove themselves at once.
        """
        provider = self.provider()
        self.start(self.trunk(register_expires=60))
        self.wait(300)
        requests = provider.requests()
        self.assertGreater(len(requests), 9)
        self.assertEqual(len({(r.call_id, r.from_tag, str(r.contacts[0].uri)) for r in requests}), 1)
        first = requests[0].cseq.number
        self.assertEqual([r.cseq.number for r in requests], list(range(first, first + len(requests))))
        # Only the first was challenged: the nonce is used, and counted, for as long as it is taken.
        counts = [Credentials.parse(r.headers.get("Authorization") or "").count for r in requests[1:]]
        self.assertEqual(counts, list(range(1, len(requests))))

    def test_next_start(self) -> None:
        """
        The mark in the Contact is another for each trunk.
        """
        self.provider()
        self.start(self.trunk(), self.trunk(name="Two", username="other"))
        self.assertNotEqual(self.line().mark, self.line("Two").mark)

    def test_service_route(self) -> None:
        """
        A Service-Route is kept for our INVITEs (RFC 3608); one that can't be read is none.
        """
        provider = self.provider()
        route = "<sip:edge1.provider.example;lr>, <sip:core.provider.example;lr>"
        provider.script["REGISTER"] = [401, (200, (("Service-Route", route), ("Path", "<sip:p;lr>")))]
        line = self.start(self.trunk(register_expires=60))
        self.assertEqual(line.routes, ("<sip:edge1.provider.example;lr>", "<sip:core.provider.example;lr>"))
        provider.script["REGISTER"] = [(200, (("Service-Route", ", ".join(["<sip:x.example;lr>"] * 9)),))]
        self.wait(31)
        self.assertEqual(len(line.routes), MOST_ROUTES)
        provider.script["REGISTER"] = [(200, (("Service-Route", "<sip:"),))]
        self.wait(31)
        self.assertEqual(line.routes, ())
        self.assertEqual(self.health(), "up")

    def test_does_not_register(self) -> None:
        """
        A trunk that has no account, is not to register, or is off, sends nothing.
        """
        provider = self.provider()
        self.start(self.trunk(username=""), self.trunk(name="B", register=False), self.trunk(name="C", enabled=False))
        self.wait(60)
        self.assertEqual(provider.heard, [])
        self.assertEqual((self.health(), self.health("B"), self.health("C")), ("up", "up", "down"))
        self.assertEqual(self.reason("C"), "it is switched off")


class KeptTests(LinesCase):
    """
    How it is kept, and how it comes back.
    """

    def test_retried_for_ever(self) -> None:
        """
        After 5 seconds, then twice as long each time, at the most five minutes; an hour later it still tries.
        """
        provider = self.provider()
        provider.always["REGISTER"] = 500
        self.start(self.trunk())
        self.wait(3600)
        times = provider.times()
        pauses = [round(later - sooner) for sooner, later in pairwise(times)]
        self.assertEqual(pauses[:8], [5, 10, 20, 40, 80, 160, 300, 300])
        self.assertEqual(set(pauses[6:]), {300})
        del provider.always["REGISTER"]
        self.wait(301)
        self.assertEqual(self.health(), "up")

    def test_begins_anew(self) -> None:
        """
        What was waited before counts no more once it has succeeded.
        """
        provider = self.provider()
        for _ in range(2):
            provider.script["REGISTER"] = [500, 500]
            if self.plan.trunks:
                self.lines.address_changed()
            else:
                self.start(self.trunk())
            self.wait(16)
            self.assertEqual(self.health(), "up")
            self.assertEqual(len(self.said("REGISTER", "after 2 failures")), 1)
            self.logged.clear()

    def test_another_address(self) -> None:
        """
        When our address outside is another, the registrar is told at once, long before the registration would end: the
        Contact names the new one, and calls to it are recognised.
        """
        provider = self.provider()
        self.transport.on_external_change(self.lines.address_changed)
        self.transport.rename("203.0.113.1", ("10.0.0.0/8",))
        self.start(self.trunk())
        self.assertIn("@203.0.113.1:5060", provider.requests()[-1].headers.get("Contact") or "")
        count = len(provider.requests())
        self.transport.rename("203.0.113.2", ("10.0.0.0/8",))
        self.wait(0.5)
        told = provider.requests()[count:]
        self.assertTrue(told)
        for request in told:
            self.assertIn("@203.0.113.2:5060", request.headers.get("Contact") or "")
            self.assertEqual(request.top_via.host, "203.0.113.2")
        self.assertEqual(self.health(), "up")
        contact = told[-1].contacts[0].uri
        self.assertEqual(self.recognised("198.51.100.99", uri=str(contact)), NAME)

    def test_refused_is_asked_less_often(self) -> None:
        """
        Whoever said no is not asked five times a minute: many block for that.
        """
        provider = self.provider()
        provider.always["REGISTER"] = 403
        self.start(self.trunk())
        self.wait(1000)
        times = provider.times()
        pauses = [round(later - sooner) for sooner, later in pairwise(times)]
        self.assertEqual(pauses, [30, 60, 120, 240, 300])

    def test_chance(self) -> None:
        """
        Pauses differ by chance, so that many trunks do not ask in the same moment.
        """
        self.chance = 0.0
        provider = self.provider()
        provider.script["REGISTER"] = [500]
        self.start(self.trunk())
        self.wait(10)
        first, second, *_ = provider.times()
        self.assertEqual(round(second - first, 1), 4.0)

    def test_retry_after(self) -> None:
        """
        Retry-After is obeyed, but not for longer than an hour.
        """
        provider = self.provider()
        provider.script["REGISTER"] = [(503, (("Retry-After", "100"),)), (503, (("Retry-After", "999999"),))]
        self.start(self.trunk())
        self.wait(99)
        self.assertEqual(len(provider.requests()), 1)
        self.wait(2)
        self.assertEqual(len(provider.requests()), 2)
        self.wait(LONGEST_WAIT - 2)
        self.assertEqual(len(provider.requests()), 2)
        self.wait(4)
        self.assertEqual(self.health(), "up")

    def test_silence(self) -> None:
        """
        A registrar that says nothing is given up soon, and asked again.
        """
        provider = self.provider()
        provider.always["REGISTER"] = None
        self.start(self.trunk())
        self.assertEqual((self.health(), self.reason()), ("degraded", "it is not registered yet"))
        self.wait(PATIENCE)
        self.assertEqual(self.health(), "down")
        self.assertEqual(self.reason(), "it is not registered: 192.0.2.1:5060: no answer within 8 s")
        del provider.always["REGISTER"]
        self.wait(6)
        self.assertEqual(self.health(), "up")

    def test_connection_refused(self) -> None:
        """
        A connection that does not come about is a failure like others.
        """
        provider = self.provider()
        provider.refuse()
        self.start(self.trunk(transport="tcp"))
        self.assertEqual(self.health(), "down")
        self.assertIn("refused", self.reason())
        provider.accept()
        self.wait(6)
        self.assertEqual(self.health(), "up")

    def test_no_such_name(self) -> None:
        """
        A name that leads nowhere is looked up again each time.
        """
        self.start(self.trunk(host="sip.provider.example"))
        self.assertEqual(self.health(), "down")
        self.assertIn("sip.provider.example has no address", self.reason())
        self.provider()
        self.names("192.0.2.1")
        # That there was none is remembered for a minute.
        self.wait(90)
        self.assertEqual(self.health(), "up")

    def test_no_name_server(self) -> None:
        """
        No name server is the same, until one is there.
        """
        self.zone.down = TimeoutError("away")
        self.start(self.trunk(host="sip.provider.example"))
        self.assertEqual(self.health(), "down")
        self.assertIn("cannot be looked up", self.reason())
        self.zone.down = None
        self.provider()
        self.names("192.0.2.1")
        self.wait(6)
        self.assertEqual(self.health(), "up")

    def test_refresh_fails(self) -> None:
        """
        A registration that could not be refreshed holds until it runs out: degraded, then down.
        """
        provider = self.provider()
        self.start(self.trunk(register_expires=120))
        provider.always["REGISTER"] = 500
        self.wait(58)
        self.assertEqual(self.health(), "degraded")
        self.assertIn("its registration is being renewed: 192.0.2.1:5060: 500", self.reason())
        self.wait(63)
        self.assertEqual(self.health(), "down")
        del provider.always["REGISTER"]
        self.wait(100)
        self.assertEqual(self.health(), "up")
        self.assertEqual([after for _, _, after in self.changes], ["up", "degraded", "down", "up"])

    def test_nonce_runs_out(self) -> None:
        """
        A refresh whose nonce is no good any more is asked once more and answers, whether stale is said or not.
        """
        for more in ({"stale": True}, {}):
            with self.subTest(more=more):
                provider = self.provider(f"192.0.2.{len(self.providers) + 1}")
                name = f"trunk {len(self.providers)}"
                if len(self.providers) == 1:
                    self.start(self.trunk(name=name, host=provider.address, register_expires=60))
                else:
                    self.use(self.trunk(name=name, host=provider.address, register_expires=60))
                    self.wait(0.1)
                provider.nonces.clear()
                provider.challenge = more
                provider.forget()
                self.wait(30)
                self.assertEqual(len(provider.requests()), 2)
                self.assertEqual(self.health(name), "up")

    def test_pings(self) -> None:
        """
        An empty line each 25 seconds keeps the mapping of a NAT open, while it is registered.
        """
        provider = self.provider()
        self.start(self.trunk())
        self.wait(PING * 4)
        self.assertEqual(provider.pings, 4)
        provider.always["REGISTER"] = None
        self.wait(700)
        pings = provider.pings
        self.wait(100)
        self.assertEqual(provider.pings, pings)


class LogTests(LinesCase):
    """
    What the operator finds with grep.
    """

    def test_lines(self) -> None:
        """
        Success, failure with its reason, and recovery, each with REGISTER and the provider's host; never a secret.
        """
        provider = self.provider()
        self.names("192.0.2.1")
        provider.script["REGISTER"] = [403]
        self.start(self.trunk(host="sip.provider.example", register_expires=60))
        (failed,) = self.said("REGISTER", "sip.provider.example")
        self.assertIn("403 Forbidden; next try in 30 s", failed)
        self.wait(31)
        registered = self.said("REGISTER", "sip.provider.example")[-1]
        self.assertIn(f"for trunk {NAME!r}: registered with udp:10.0.0.1:5060>192.0.2.1:5060 as account", registered)
        self.assertIn("after 1 failures", registered)
        count = len(self.said("REGISTER"))
        self.wait(300)
        self.assertEqual(len(self.said("REGISTER")), count)
        # Once an hour a refresh is told too, so that the log of any day shows it.
        self.wait(3600)
        self.assertEqual(len(self.said("REGISTER", "registered with")), count)
        self.assertEqual([text for _, text in self.logged if "s3cret" in text or "nonce" in text], [])
