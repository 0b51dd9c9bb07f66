"""
Tests for :mod:`pbx.sip.digest`.
"""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.digest import ALGORITHMS, Challenge, Credentials, answer, choose, digest_response, ha1
from pbx.sip.error import ParseError

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


class DigestResponseTests(SynchronousTestCase):
    """
    The computation, against the RFCs' own examples.
    """

    def respond(self, algorithm: str) -> str:
        """
        The response of RFC 7616 3.9.1 with one algorithm.
        """
        secret = ha1("Mufasa", "http-auth@example.org", "Circle of Life", algorithm)
        return digest_response(secret, "GET", "/dir/index.html", NONCE, algorithm, "auth", "00000001", CNONCE)

    def test_md5(self) -> None:
        """
        RFC 7616 3.9.1, MD5.
        """
        self.assertEqual(self.respond("MD5"), "8ca523f5e9506fed4657c9700eebdbec")

    def test_sha_256(self) -> None:
        """
        RFC 7616 3.9.1, SHA-256.
        """
        self.assertEqual(
            self.respond("SHA-256"), "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        )

    def test_rfc_2617(self) -> None:
        """
        RFC 2617 3.5, the example that every implementation knows.
        """
        secret = ha1("Mufasa", "testrealm@host.com", "Circle Of Life")
        self.assertEqual(secret, "939e7578ed9e3c518a452acee763bce9")
        nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
        response = digest_response(secret, "GET", "/dir/index.html", nonce, "MD5", "auth", "00000001", "0a4f113b")
        self.assertEqual(response, "6629fae49393a05397450978507c4ef1")

    def test_without_qop(self) -> None:
        """
        The RFC 2069 form hashes only HA1, nonce and HA2.
        """
        secret = ha1("Mufasa", "testrealm@host.com", "CircleOfLife")
        response = digest_response(secret, "GET", "/dir/index.html", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
        # RFC 2069 errata 749.
        self.assertEqual(response, "1949323746fe6a43ef61f9606e7febea")

    def test_session_algorithms(self) -> None:
        """
        A -sess algorithm binds HA1 to nonce and cnonce, and auth-int binds the body.
        """

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        secret = ha1("u", "r", "p")
        session = md5(f"{md5(f'{secret}:n:c')}:n:00000001:c:auth:{md5('INVITE:sip:a')}")
        for algorithm in ("MD5-sess", "md5-SESS"):
            self.assertEqual(
                digest_response(secret, "INVITE", "sip:a", "n", algorithm, "auth", "00000001", "c"), session
            )
        with_body = md5(f"{secret}:n:00000001:c:auth-int:{md5(f'INVITE:sip:a:{md5(chr(118))}')}")
        self.assertEqual(
            digest_response(secret, "INVITE", "sip:a", "n", "MD5", "auth-int", "00000001", "c", b"v"), with_body
        )

    def test_unknown(self) -> None:
        """
        Another algorithm or qop is a ValueError.
        """
        with self.assertRaises(ValueError):
            ha1("u", "r", "p", "SHA-1")
        with self.assertRaises(ValueError):
            digest_response("", "INVITE", "sip:a", "n", "MD5", "none")


class ChallengeTests(SynchronousTestCase):
    """
    The server's header.
    """

    def test_both_ways(self) -> None:
        """
        A challenge is written and read the same, whatever it holds.
        """
        for challenge in (
            Challenge("pbx", "n"),
            Challenge("pbx", "n", "SHA-256", None, "o", True),
            Challenge('a "b" \\c', "n", "MD5-sess", "auth,auth-int", "", False),
        ):
            self.assertEqual(Challenge.parse(str(challenge)), challenge)

    def test_golden(self) -> None:
        """
        What goes over the wire.
        """
        self.assertEqual(
            str(Challenge("pbx", "n1", "SHA-256", opaque="o", stale=True)),
            'Digest realm="pbx", nonce="n1", algorithm=SHA-256, qop="auth", opaque="o", stale=true',
        )

    def test_as_others_write_it(self) -> None:
        """
        Case, blanks and commas as met; no algorithm is MD5.
        """
        challenge = Challenge.parse('DIGEST Realm = "r" ,nonce="a,b",,qop=auth,STALE=TRUE,algorithm=md5,domain="sip:x"')
        self.assertEqual(challenge, Challenge("r", "a,b", "MD5", "auth", None, True))
        self.assertEqual(Challenge.parse('Digest realm="r", nonce="n"'), Challenge("r", "n", "MD5", None))
        self.assertEqual(Challenge.parse('Digest REALM="r",NONCE=n'), Challenge("r", "n", "MD5", None))

    def test_malformed(self) -> None:
        """
        Another scheme, a parameter missing, twice, or not closed.
        """
        for text in (
            "",
            "Digest",
            'Basic realm="r"',
            'Digest realm="r"',
            'Digest realm="r", nonce="n',
            'Digest realm="r", nonce="n", nonce="m"',
            'Digest realm="r" nonce="n"',
            "Digest \x00",
        ):
            with self.assertRaises(ParseError, msg=text):
                Challenge.parse(text)

    def test_line_break(self) -> None:
        """
        A realm with a line break is never written.
        """
        with self.assertRaises(ValueError):
            str(Challenge("a\r\nb", "n"))

    def test_choose(self) -> None:
        """
        The first that can be computed is answered.
        """
        rows = ['Basic realm="r"', 'Digest realm="r",nonce="1",algorithm=SHA3', 'Digest realm="r",nonce="2"']
        chosen = choose(rows)
        assert chosen is not None
        self.assertEqual(chosen.nonce, "2")
        self.assertIsNone(choose(rows[:2]))


class CredentialsTests(SynchronousTestCase):
    """
    The client's header.
    """

    def test_answers_verify(self) -> None:
        """
        An answer is accepted with the right HA1 and no other, for every algorithm, with qop and without.
        """
        for algorithm in (*ALGORITHMS, "MD5-sess"):
            for qop in ("auth", None, "auth-int", "auth-int,auth"):
                challenge = Challenge("pbx", "n", algorithm, qop, "o")
                secret = ha1("1005", "pbx", "right", algorithm)
                credentials = answer(
                    challenge, "1005", method="INVITE", uri="sip:1006@pbx", nc=1, cnonce="c", ha1=secret, body=b"b"
                )
                again = Credentials.parse(str(credentials))
                self.assertEqual(again, credentials)
                self.assertTrue(again.verifies(secret, "INVITE", b"b"))
                self.assertFalse(again.verifies(secret, "BYE", b"b"))
                self.assertFalse(again.verifies(ha1("1005", "pbx", "wrong", algorithm), "INVITE", b"b"))
                target = "sip:1006@pbx"
                same = answer(
                    challenge, "1005", method="INVITE", uri=target, nc=1, cnonce="c", password="right", body=b"b"
                )
                self.assertEqual(same, credentials)

    def test_golden(self) -> None:
        """
        What goes over the wire.
        """
        credentials = answer(
            Challenge("pbx", "n", opaque="o"), "1005", method="REGISTER", uri="sip:pbx", nc=10, cnonce="c", password="p"
        )
        self.assertEqual(
            str(credentials),
            'Digest username="1005", realm="pbx", nonce="n", uri="sip:pbx", '
            f'response="{credentials.response}", algorithm=MD5, qop=auth, nc=0000000a, cnonce="c", opaque="o"',
        )
        self.assertEqual(credentials.count, 10)

    def test_qop_of_several(self) -> None:
        """
        Where auth is offered it is taken, however it is written; else the first.
        """
        for offered, taken in (("auth-int, AUTH", "auth"), ("auth-int", "auth-int"), (None, None)):
            credentials = answer(
                Challenge("r", "n", qop=offered), "u", method="BYE", uri="sip:x", nc=1, cnonce="c", password="p"
            )
            self.assertEqual((credentials.qop, credentials.count), (taken, 0 if taken is None else 1))

    def test_without_secret(self) -> None:
        """
        Neither password nor HA1 is a mistake of ours.
        """
        with self.assertRaises(ValueError):
            answer(Challenge("r", "n"), "u", method="BYE", uri="sip:x", nc=1, cnonce="c")

    def test_malformed(self) -> None:
        """
        Parameters missing, qop without a count, and a count that is none.
        """
        whole = 'Digest username="u", realm="r", nonce="n", uri="sip:x", response="00"'
        self.assertIsNone(Credentials.parse(whole).qop)
        self.assertEqual(Credentials.parse(whole + ', qop="AUTH", nc=1, cnonce="c"').qop, "auth")
        for text in (
            whole.replace("uri", "url"),
            whole + ", qop=auth",
            whole + ', qop=auth, nc=00000001',
            whole + ', qop=auth, cnonce="c", nc=xyz',
        ):
            with self.assertRaises(ParseError, msg=text):
                Credentials.parse(text)

    def test_unknown_algorithm_never_verifies(self) -> None:
        """
        Credentials with an algorithm or qop that nobody knows are wrong, and no failure of ours.
        """
        whole = 'Digest username="u", realm="r", nonce="n", uri="sip:x", response="00"'
        self.assertFalse(Credentials.parse(whole + ", algorithm=X").verifies("", "INVITE"))
        self.assertFalse(Credentials.parse(whole + ', qop=x, nc=1, cnonce="c"').verifies("", "INVITE"))

    def test_response_in_capitals(self) -> None:
        """
        A response in capitals is the same number.
        """
        challenge = Challenge("r", "n")
        text = str(answer(challenge, "u", method="BYE", uri="sip:x", nc=1, cnonce="c", password="p"))
        response = text.split('response="')[1][:32]
        credentials = Credentials.parse(text.replace(response, response.upper()))
        self.assertTrue(credentials.verifies(ha1("u", "r", "p"), "BYE"))
