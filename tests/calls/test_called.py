"""
Tests of which number a provider says was called (:func:`pbx.calls.caller.called_numbers`).
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.calls.caller import LONGEST, called_numbers
from pbx.directory.trunk import Trunk
from pbx.sip.message import Headers, Request


class CalledTests(SynchronousTestCase):
    """
    Request-URI, P-Called-Party-ID and To.
    """

    def called(self, uri: str, to: str = "<sip:+4930300@p>", party: str | None = None, **options: Any
               ) -> tuple[str, ...]:
        """
        What was called, at a trunk of these options.
        """
        headers = Headers()
        headers.add("To", to)
        if party is not None:
            headers.add("P-Called-Party-ID", party)
        trunk = Trunk(**{"name": "T", "host": "p.example", "username": "account", **options})
        return called_numbers(Request("INVITE", uri, headers), trunk)

    def test_order(self) -> None:
        """
        Request-URI, P-Called-Party-ID, To; each number once.
        """
        self.assertEqual(
            self.called("sip:+4930100@x", party='"P" <sip:+4930200@p>'), ("+4930100", "+4930200", "+4930300")
        )
        self.assertEqual(self.called("sip:+4930300@x"), ("+4930300",))
        self.assertEqual(self.called("sip:+49-30-(300)@x;user=phone"), ("+4930300",))

    def test_chosen(self) -> None:
        """
        The operator may say where it stands.
        """
        for place, expected in (
            ("request-uri", ("+4930100",)), ("p-called-party-id", ("+4930200",)), ("to", ("+4930300",))
        ):
            self.assertEqual(self.called("sip:+4930100@x", party="<sip:+4930200@p>", did_from=place), expected)
        self.assertEqual(self.called("sip:+4930100@x", did_from="p-called-party-id"), ())

    def test_account(self) -> None:
        """
        Our account, or the user of our Contact, is no number that was called, unless nothing else is.
        """
        self.assertEqual(self.called("sip:account@x"), ("+4930300", "account"))
        self.assertEqual(self.called("sip:desk@x", contact_user="desk"), ("+4930300", "desk"))
        self.assertEqual(self.called("sip:account@x", to="<sip:account@p>"), ("account",))
        self.assertEqual(self.called("sip:+4930300@x", username="+4930300"), ("+4930300",))

    def test_nothing_of_use(self) -> None:
        """
        What can't be read is left out, and nothing is longer than numbers are.
        """
        self.assertEqual(self.called("sip:x.example", party="<sip:"), ("+4930300",))
        self.assertEqual(self.called("sip:x.example", to="<sip:p.example>"), ())
        self.assertEqual(self.called(f"sip:{'1' * 100}@x", to="<sip:p>"), ("1" * LONGEST,))
