"""
Tests for :mod:`pbx.calls.registration` and :mod:`pbx.calls.register`.
"""

from __future__ import annotations

from tests.calls.lines import HERE, LinesCase
from tests.calls.provider import ACCOUNT


class RegisterTests(LinesCase):
    """
    What is sent, and how answers are taken.
    """

    def test_request(self) -> None:
        """
        The account at the domain, to the domain, with a Contact that can be told again (RFC 3261 10.2).
        """
        provider = self.provider()
        line = self.start(self.trunk(host="192.0.2.1", from_domain="provider.example", register_expires=300))
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
