"""
Tests for :mod:`pbx.transaction.matching`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.message import ParseError, response_to
from pbx.transaction.matching import client_key, merge_key, new_branch, response_key, server_key
from tests.transaction.playbook import request


class MatchingTests(SynchronousTestCase):
    """
    Which messages have the same key.
    """

    def key(self, via: str, method: str = "OPTIONS") -> str:
        """
        The server's key of a request with this Via.
        """
        made = request(method)
        made.headers.set("Via", via)
        return server_key(made, method)

    def test_branches(self) -> None:
        """
        A branch begins with the cookie and never comes again.
        """
        branches = {new_branch() for _ in range(1000)}
        self.assertEqual(len(branches), 1000)
        self.assertTrue(all(branch.startswith("z9hG4bK") for branch in branches))

    def test_response_finds_its_request(self) -> None:
        """
        By branch and method.
        """
        sent = request("INVITE", "z9hG4bKa")
        self.assertEqual(response_key(response_to(sent, 200)), client_key("INVITE", "z9hG4bKa"))
        self.assertNotEqual(response_key(response_to(sent, 200)), client_key("CANCEL", "z9hG4bKa"))

    def test_ack_and_cancel_find_the_invite(self) -> None:
        """
        When looked for as an INVITE.
        """
        invite = server_key(request("INVITE"), "INVITE")
        for method in ("ACK", "CANCEL"):
            self.assertEqual(server_key(request(method), "INVITE"), invite)
            self.assertNotEqual(server_key(request(method), method), invite)

    def test_sent_by(self) -> None:
        """
        Host without case, and the port that the transport means when none is written.
        """
        self.assertEqual(
            self.key("SIP/2.0/UDP GW.example;branch=z9hG4bK1"), self.key("SIP/2.0/UDP gw.example:5060;branch=z9hG4bK1")
        )
        self.assertEqual(
            self.key("SIP/2.0/TLS gw.example;branch=z9hG4bK1"), self.key("SIP/2.0/TLS gw.example:5061;branch=z9hG4bK1")
        )
        self.assertNotEqual(
            self.key("SIP/2.0/UDP gw.example;branch=z9hG4bK1"), self.key("SIP/2.0/UDP gw.example:5061;branch=z9hG4bK1")
        )

    def test_branch_without_cookie_is_not_enough(self) -> None:
        """
        Two requests of an old peer differ by Call-ID, From tag, number or Request-URI.
        """
        via = "SIP/2.0/UDP 192.0.2.1;branch=1"
        keys = set()
        for name, value in (
            ("To", "<sip:1002@pbx.example>"),
            ("Call-ID", "call-2"),
            ("From", "<sip:1001@pbx.example>;tag=from-2"),
            ("CSeq", "2 OPTIONS"),
        ):
            made = request("OPTIONS")
            made.headers.set("Via", via)
            made.headers.set(name, value)
            keys.add(server_key(made, "OPTIONS"))
        self.assertEqual(len(keys), 4)

    def test_merged_requests(self) -> None:
        """
        Copies by several ways have one merge key; a request within a dialog has none.
        """
        self.assertEqual(merge_key(request(branch="z9hG4bKa")), merge_key(request(branch="z9hG4bKb")))
        self.assertNotEqual(merge_key(request(CSeq="2 INVITE")), merge_key(request()))
        self.assertIsNone(merge_key(request(To="<sip:1002@pbx.example>;tag=ours")))

    def test_malformed(self) -> None:
        """
        Without a Via there is no key.
        """
        made = request()
        made.headers.remove("Via")
        self.assertRaises(ParseError, server_key, made, "INVITE")
