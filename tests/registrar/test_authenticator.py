"""
Who is challenged, who is let in, and what counts as a failure.
"""

from __future__ import annotations

from twisted.logger import LogLevel

from pbx.registrar.authenticator import AuthenticatorSettings
from pbx.sip.digest import Challenge
from pbx.transport.settings import TransportSettings
from tests.calls.case import ExchangeCase
from tests.calls.exchange import ADDRESS, REALM
from tests.calls.phone import Phone
from tests.calls.stream_phone import StreamPhone


class ChallengeTests(ExchangeCase):
    """
    What a challenge offers.
    """

    def challenges(self, phone: Phone) -> list[Challenge]:
        """
        What a REGISTER without credentials is asked.
        """
        phone.send(phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>"))
        self.network.advance(0.01)
        return [Challenge.parse(value) for value in phone.last().headers.get_all("WWW-Authenticate")]

    def test_md5_alone(self) -> None:
        """
        By default MD5 alone is offered, since some phones give up when anything else is.
        """
        (challenge,) = self.challenges(self.phone("1001", register=False))
        self.assertEqual((challenge.realm, challenge.algorithm, challenge.qop), (REALM, "MD5", "auth"))
        self.assertFalse(challenge.stale)

    def test_nonces_differ(self) -> None:
        """
        Each challenge has a nonce of its own.
        """
        phone = self.phone("1001", register=False)
        self.assertNotEqual(self.challenges(phone)[0].nonce, self.challenges(phone)[0].nonce)


class Sha256Tests(ExchangeCase):
    """
    SHA-256 before MD5 (RFC 8760).
    """

    options = {"authenticator": AuthenticatorSettings(algorithms=("SHA-256", "MD5"))}

    def test_either_is_taken(self) -> None:
        """
        Both are offered in order of preference, and a phone may answer either.
        """
        phone = self.phone("1001", register=False)
        for wanted in ("SHA-256", "MD5"):
            with self.subTest(algorithm=wanted):
                request = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
                phone.send(request)
                self.network.advance(0.01)
                challenge = phone.last()
                offered = challenge.headers.get_all("WWW-Authenticate")
                self.assertEqual([Challenge.parse(value).algorithm for value in offered], ["SHA-256", "MD5"])
                challenge.headers.set(
                    "WWW-Authenticate", next(v for v in offered if Challenge.parse(v).algorithm == wanted)
                )
                phone.send(phone.credentials(request, challenge))
                self.network.advance(0.01)
                self.assertEqual(phone.last().status, 200)


class FormTests(ExchangeCase):
    """
    Which forms of an answer are taken.
    """

    def answered(self, qop: str) -> int:
        """
        The status that a REGISTER gets which is right but for its ``qop``.
        """
        phone = self.phone("1001", register=False)
        request = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
        phone.send(request)
        self.network.advance(0.01)
        again = phone.credentials(request, phone.last())
        value = again.headers.get("Authorization")
        again.headers.set("Authorization", value.replace("qop=auth", qop))
        phone.send(again)
        self.network.advance(0.01)
        return int(phone.last().status)

    def test_another_qop(self) -> None:
        """
        Who answers with a qop that was not offered is asked again, and nobody has to look into the log.
        """
        for qop in ("qop=bogus", 'qop="auth,auth-int"', "qop=auth-int", 'qop=""'):
            with self.subTest(qop=qop):
                self.assertEqual(self.answered(qop), 401)
        self.assertEqual(self.lines_of(LogLevel.warn), [])
        self.assertEqual(self.answered("qop=AUTH"), 200)

    def test_without_qop(self) -> None:
        """
        The form of RFC 2069 is not taken unless the operator allows it.
        """
        self.assertEqual(refreshed(self), [401, 401])

    def lines_of(self, least: LogLevel) -> list[str]:
        """
        What was logged at that level or above.
        """
        return [line for level, line in self.lines if level >= least]


class WithoutQopTests(ExchangeCase):
    """
    Phones of RFC 2069, where the operator allows them.
    """

    options = {"authenticator": AuthenticatorSettings(without_qop=True)}

    def test_refresh(self) -> None:
        """
        Such a phone sends the same answer again as long as it keeps its nonce, and stays registered.
        """
        self.assertEqual(refreshed(self), [200, 200])


def refreshed(case: ExchangeCase) -> list[int]:
    """
    The statuses of two REGISTERs that are answered without qop and with the same nonce.
    """
    phone = case.phone("1001", register=False)
    first = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>", cseq=1)
    phone.send(first)
    case.network.advance(0.01)
    challenge = phone.last()
    challenge.headers.set("WWW-Authenticate", challenge.headers.get("WWW-Authenticate").replace(', qop="auth"', ""))
    statuses = []
    for cseq in (2, 3):
        request = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>", cseq=cseq)
        phone.send(phone.credentials(request, challenge))
        case.network.advance(0.01)
        statuses.append(phone.last().status)
    return statuses


class CrowdTests(ExchangeCase):
    """
    Strangers that take all connections.
    """

    options = {"transport": TransportSettings(sip_hosts=(ADDRESS,), max_connections=3)}

    def test_crowd(self) -> None:
        """
        Strangers whose OPTIONS was answered make room for a phone; a phone that proved who it is does not.
        """
        desk = self.phone("1001", kind=StreamPhone)
        crowd = [self.phone("1002", register=False, kind=StreamPhone) for _ in range(2)]
        for stranger in crowd:
            stranger.send(stranger.request("OPTIONS", f"sip:{ADDRESS}"))
            self.network.advance(0.02)
            self.assertEqual(stranger.last().status, 200)
        late = self.phone("1003", kind=StreamPhone)
        self.assertEqual([phone.line.open for phone in (desk, *crowd, late)], [True, False, True, True])
        for phone in (desk, crowd[1], late):
            phone.close()


class FailureTests(ExchangeCase):
    """
    The guard is told of wrong digests against fresh nonces, and of nothing else.
    """

    def guess(self, phone: Phone, user: str = "1001", secret: str = "a guess") -> int:  # noqa: S107  # a wrong one
        """
        One REGISTER with a password; its status.
        """
        request = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:{user}@{ADDRESS}>")
        phone.send(request)
        self.network.advance(0.01)
        phone.send(phone.credentials(request, phone.last(), user=user, secret=secret))
        self.network.advance(0.01)
        return phone.last().status if phone.received else 0

    @property
    def failures(self) -> int:
        """
        What was counted so far.
        """
        return self.exchange.authenticator.failures

    def test_what_counts(self) -> None:
        """
        A wrong password counts once; requests without credentials, stale nonces and keep-alives never do.
        """
        phone = self.phone("1001", register=False)
        for _ in range(20):
            phone.send(phone.request("REGISTER", f"sip:{ADDRESS}"))
            phone.send_bytes(b"\r\n\r\n")
            phone.send_bytes(b"nonsense")
        self.network.advance(0.01)
        self.assertEqual(self.failures, 0)
        request = phone.request("REGISTER", f"sip:{ADDRESS}", to=f"<sip:1001@{ADDRESS}>")
        challenge = phone.last("REGISTER")
        self.network.advance(3600)
        for _ in range(20):
            phone.send(phone.credentials(request, challenge, secret="a guess"))
        self.network.advance(0.01)
        self.assertEqual(self.failures, 0)
        self.guess(phone)
        self.assertEqual(self.failures, 1)
        self.assertEqual(self.exchange.guard.blocks(), [])

    def test_a_guessed_user_is_refused(self) -> None:
        """
        After ten wrong passwords a user is refused from that address, with the right one too, for a quarter of an hour.

        Nothing tells the guesser that it came to that.
        """
        self.phone("1002", at="10.8.0.2")
        phone = self.phone("1001", register=False, at="10.8.0.1")
        self.assertEqual([self.guess(phone) for _ in range(10)], [401] * 10)
        self.assertEqual(len(self.logged("IP blocked: 10.8.0.1 as user 1001")), 1)
        self.assertEqual(self.guess(phone, secret=phone.secret), 401)
        # It is neither told apart nor logged any more.
        self.assertEqual(len(self.logged("authentication failed")), 10)
        # Another user from there, and that user from elsewhere, are let in.
        self.assertEqual(self.guess(phone, "1003", "secret of 1003"), 200)
        self.assertEqual(self.phone("1001", register=False, at="10.8.0.3").register().status, 200)
        self.network.advance(901)
        self.assertEqual(self.guess(phone, secret=phone.secret), 200)

    def test_five_users_block_an_address(self) -> None:
        """
        Wrong passwords for five users from an address where nobody is registered block it wholly.
        """
        phone = self.phone("1001", register=False)
        self.assertEqual([self.guess(phone, f"100{n}") for n in range(1, 6)], [401] * 5)
        self.assertEqual(len(self.logged(f"IP blocked: {phone.address} for")), 1)
        phone.received.clear()
        phone.send(phone.request("OPTIONS", f"sip:{ADDRESS}"))
        self.network.advance(0.1)
        self.assertEqual(phone.received, [])

    def test_an_office_is_not_blocked(self) -> None:
        """
        Where a phone is registered, others with old passwords do not shut it out.
        """
        good = self.phone("1009")
        bad = Phone(self.network, "1001", good.address, port=5070)
        self.assertEqual([self.guess(bad, f"100{n}") for n in range(1, 9)], [401] * 8)
        self.assertEqual(self.logged("IP blocked"), [])
        self.assertEqual(good.register().status, 200)

    def test_a_right_password_forgives(self) -> None:
        """
        Nine wrong passwords and a right one, again and again, never block anybody.
        """
        phone = self.phone("1001", register=False)
        for _ in range(3):
            for _ in range(9):
                self.guess(phone)
            self.assertEqual(self.guess(phone, secret=phone.secret), 200)
        self.assertEqual(self.logged("IP blocked"), [])

    def test_names_of_strangers_in_the_log(self) -> None:
        """
        A user name that would forge a line of the log is shown as what it is.
        """
        phone = self.phone("1001", register=False)
        self.guess(phone, "x' from 1.2.3.4:5 (INVITE)" + "y" * 100)
        (line,) = self.logged("authentication failed")
        self.assertIn('user "x\' from 1.2.3.4:5 (INVITE)y', line)
        self.assertLess(len(line), 180)
        self.assertTrue(line.endswith(f"from {phone.address}:5060 (REGISTER)"))

    def test_an_office_behind_one_address(self) -> None:
        """
        200 phones behind one address that come back after a power cut are all registered within ten seconds.
        """
        phones = [Phone(self.network, f"100{1 + n % 9}", "10.7.7.7", port=20_000 + n) for n in range(200)]
        requests = {}
        for n, phone in enumerate(phones):
            requests[phone] = phone.request(
                "REGISTER", f"sip:{ADDRESS}", to=f"<sip:{phone.number}@{ADDRESS}>", call_id=f"office-{n}"
            )
            phone.send(requests[phone])
        self.network.advance(1)
        for phone in phones:
            phone.send(phone.credentials(requests[phone], phone.last()))
        self.network.advance(1)
        self.assertEqual({phone.last().status for phone in phones}, {200})
