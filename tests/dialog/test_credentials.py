"""
Tests for :mod:`pbx.dialog.credentials`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.dialog.credentials import MOST_FIRST_USES, MOST_REALMS, DigestCredentials, ICredentials, proofs
from pbx.sip.digest import Challenge, Credentials, ha1
from pbx.sip.message import Headers, Request, response_to

ASKS = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}
PROVES = {401: "Authorization", 407: "Proxy-Authorization"}


def challenge(nonce: str, realm: str = "provider.example", **more: Any) -> str:
    """
    The value of a header that asks.
    """
    return str(Challenge(realm, nonce, **more))


def proof(request: Request, status: int = 401) -> Credentials:
    """
    The one answer that a request carries.
    """
    (value,) = request.headers.get_all(PROVES[status])
    return Credentials.parse(value)


class DigestCredentialsTests(SynchronousTestCase):
    """
    A user name and a password, and what was asked for.
    """

    def setUp(self) -> None:
        self.credentials = DigestCredentials("account", "s3cret")
        self.cseq = 0

    def request(self, method: str = "REGISTER", body: bytes = b"", call_id: str = "call-1") -> Request:
        """
        The next request of ours, with whatever proves it.
        """
        self.cseq += 1
        headers = Headers()
        for name, value in (
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:a@b>"),
            ("Call-ID", call_id), ("CSeq", f"{self.cseq} {method}"),
        ):
            headers.add(name, value)
        request = Request(method, "sip:provider.example", headers, body)
        self.credentials.authorize(request)
        return request

    def refuse(self, request: Request, *values: str, status: int = 401) -> bool:
        """
        The peer asks; whether another try makes sense.
        """
        response = response_to(request, status, to_tag="x")
        for value in values:
            response.headers.add(ASKS[status], value)
        return self.credentials.challenged(request, response)

    def verify(self, request: Request, status: int = 401, password: str = "s3cret") -> Credentials:  # noqa: S107
        """
        The peer takes the answer.
        """
        found = proof(request, status)
        secret = ha1("account", found.realm, password, found.algorithm)
        self.assertTrue(found.verifies(secret, request.method, request.body))
        self.assertEqual((found.username, found.uri), ("account", request.uri))
        return found

    def test_interface(self) -> None:
        """
        They are credentials, and no log shows the password.
        """
        self.assertTrue(verifyObject(ICredentials, self.credentials))
        self.assertNotIn("s3cret", repr(self.credentials))

    def test_nothing_unasked(self) -> None:
        """
        Who has not asked is told nothing.
        """
        self.assertEqual(proofs(self.request()), [])

    def test_challenges(self) -> None:
        """
        401 and 407, each algorithm, with qop and in the form of RFC 2069.
        """
        for status in (401, 407):
            for algorithm in ("MD5", "SHA-256", "SHA-512-256", "MD5-sess"):
                for qop in ("auth", "auth,auth-int", "auth-int", None):
                    self.credentials = DigestCredentials("account", "s3cret")
                    value = challenge("n", algorithm=algorithm, qop=qop, opaque="o")
                    self.assertTrue(self.refuse(self.request(), value, status=status))
                    found = self.verify(self.request(body=b"v=0"), status)
                    self.assertEqual((found.algorithm, found.opaque, found.nonce), (algorithm, "o", "n"))
                    expected = (None, None) if qop is None else (qop.partition(",")[0], "00000001")
                    self.assertEqual((found.qop, found.nc), expected)

    def test_several_challenges(self) -> None:
        """
        The first that can be answered is: the server's order is its preference (RFC 8760 2.4).
        """
        values = (challenge("a", algorithm="UNKNOWN"), challenge("b", algorithm="SHA-256"), challenge("c"))
        self.assertTrue(self.refuse(self.request(), *values))
        self.assertEqual(self.verify(self.request()).nonce, "b")

    def test_nothing_that_can_be_answered(self) -> None:
        """
        Another scheme, algorithm or qop, no challenge, or another status: another try makes no sense.
        """
        for values in ((), ("Basic realm=x",), (challenge("a", algorithm="X"),), (challenge("a", qop="token"),)):
            self.assertFalse(self.refuse(self.request(), *values), values)
        request = self.request()
        response = response_to(request, 403, to_tag="x")
        response.headers.add("WWW-Authenticate", challenge("n"))
        self.assertFalse(self.credentials.challenged(request, response))
        self.assertEqual(proofs(self.request()), [])

    def test_wrong_password(self) -> None:
        """
        One further try; then the refusal stands, and the next request begins anew.
        """
        for qop in ("auth", None):
            self.assertTrue(self.refuse(self.request(), challenge("a", qop=qop)))
            self.assertFalse(self.refuse(self.request(), challenge("b", qop=qop)))
            request = self.request()
            self.assertEqual(proofs(request), [])
            self.assertTrue(self.refuse(request, challenge("c", qop=qop)))
            self.assertFalse(self.refuse(self.request(), challenge("c", qop=qop)))

    def test_nonce_is_counted(self) -> None:
        """
        A nonce is used for as long as it is taken, and counted (RFC 7616 3.4), each time with another word of ours.
        """
        self.refuse(self.request(), challenge("a"))
        found = [self.verify(self.request()) for _ in range(3)]
        self.assertEqual([each.nc for each in found], ["00000001", "00000002", "00000003"])
        self.assertEqual(len({each.cnonce for each in found}), 3)

    def test_nonce_that_ran_out(self) -> None:
        """
        A nonce kept from before may be refused with stale or without, and the new one is answered.
        """
        for qop in ("auth", None):
            for stale in (True, False):
                self.credentials = DigestCredentials("account", "s3cret")
                self.refuse(self.request(), challenge("a", qop=qop))
                self.verify(self.request())
                self.assertTrue(self.refuse(self.request(), challenge("b", qop=qop, stale=stale)))
                self.assertEqual(self.verify(self.request()).nonce, "b")
                self.assertFalse(self.refuse(self.request("INVITE"), challenge("b", qop=qop)))

    def test_stale_at_the_first_use(self) -> None:
        """
        Stale says that the password was right, even of a nonce that was just given out.
        """
        self.refuse(self.request(), challenge("a"))
        self.assertTrue(self.refuse(self.request(), challenge("b", stale=True)))
        self.assertTrue(self.refuse(self.request(), challenge("b", stale=True)))
        self.assertEqual(self.verify(self.request()).nc, "00000002")

    def test_two_at_once(self) -> None:
        """
        Two requests challenged at once, by the same nonce or two.
        """
        first, second = self.request(), self.request(call_id="call-2")
        self.assertTrue(self.refuse(first, challenge("a")))
        self.assertTrue(self.refuse(second, challenge("a")))
        self.assertEqual([self.verify(self.request()).nc for _ in range(2)], ["00000001", "00000002"])
        first, second = self.request(), self.request(call_id="call-2")
        self.assertTrue(self.refuse(first, challenge("b")))
        self.assertTrue(self.refuse(second, challenge("c")))
        first = self.request()
        self.assertFalse(self.refuse(first, challenge("d")))

    def test_proxy_and_server(self) -> None:
        """
        Each that asks on the way gets its own answer, with its own count.
        """
        self.assertTrue(self.refuse(self.request(), challenge("p", "proxy"), status=407))
        self.assertTrue(self.refuse(self.request(), challenge("s", "server")))
        request = self.request()
        self.assertEqual((self.verify(request, 407).nc, self.verify(request).nc), ("00000002", "00000001"))
        self.assertTrue(self.refuse(request, challenge("p2", "proxy"), status=407))
        self.assertFalse(self.refuse(self.request(), challenge("p3", "proxy"), status=407))

    def test_nothing_grows(self) -> None:
        """
        A peer that names ever new realms and nonces fills nothing.
        """
        for count in range(3 * MOST_FIRST_USES):
            self.refuse(self.request(), challenge(f"n{count}", f"r{count}"))
        found = [Credentials.parse(value).realm for _, value in proofs(self.request())]
        self.assertEqual(found, [f"r{3 * MOST_FIRST_USES - left}" for left in range(MOST_REALMS, 0, -1)])

    def test_in_place_of_the_last(self) -> None:
        """
        A request sent again carries one answer, not two.
        """
        self.refuse(self.request(), challenge("a"))
        request = self.request()
        self.credentials.authorize(request)
        self.assertEqual(proof(request).nc, "00000002")

    def test_unreadable_proof(self) -> None:
        """
        A request that carries something else for a proof is one without.
        """
        request = self.request()
        request.headers.add("Authorization", "Bearer x")
        self.assertTrue(self.refuse(request, challenge("a")))
