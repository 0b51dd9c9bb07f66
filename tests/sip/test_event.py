"""
Tests for :mod:`pbx.sip.event`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.event import Event, SubscriptionState
from pbx.sip.message import Headers, ParseError, Request
from tests.sip.test_properties import CALM, tokens

seconds = st.none() | st.integers(0, 0xFFFFFFFF)


class EventTests(SynchronousTestCase):
    """
    What is subscribed to.
    """

    def test_parse(self) -> None:
        """
        The package's own parameters are left alone, case means nothing.
        """
        self.assertEqual(Event.parse("dialog;sla;id=12"), Event("dialog", "12"))
        self.assertEqual(str(Event("refer", "93809824")), "refer;id=93809824")
        request = Request("SUBSCRIBE", "sip:a", Headers([("Event", "Message-Summary")]))
        self.assertEqual(Event.of(request), Event("message-summary"))
        self.assertIs(Event.of(Request("SUBSCRIBE", "sip:a", Headers())), None)

    def test_refused(self) -> None:
        """
        No name, or two.
        """
        for text in ("", ";id=1", "a b", "dialog;;"):
            self.assertRaises(ParseError, Event.parse, text)
        twice = Request("SUBSCRIBE", "sip:a", Headers([("Event", "dialog"), ("Event", "dialog")]))
        self.assertRaises(ParseError, Event.of, twice)

    @CALM
    @given(tokens, st.none() | tokens)
    def test_round_trip(self, package: str, which: str | None) -> None:
        """
        It is read as it was written.
        """
        event = Event(package.lower(), which)
        self.assertEqual(Event.parse(str(event)), event)


class SubscriptionStateTests(SynchronousTestCase):
    """
    How it stands.
    """

    def test_text(self) -> None:
        """
        As RFC 6665 and RFC 3515 write it.
        """
        self.assertEqual(str(SubscriptionState("active", 60)), "active;expires=60")
        self.assertEqual(str(SubscriptionState("terminated", reason="noresource")), "terminated;reason=noresource")
        found = SubscriptionState.parse("Terminated ;reason=giveup;retry-after=10")
        self.assertEqual(found, SubscriptionState("terminated", None, "giveup", 10))
        for text in ("", "active;expires=-1", "active;expires=4294967296", "a b"):
            self.assertRaises(ParseError, SubscriptionState.parse, text)

    @CALM
    @given(st.sampled_from(["active", "pending", "terminated"]), seconds, st.none() | tokens, seconds)
    def test_round_trip(self, state: str, expires: int | None, reason: str | None, retry_after: int | None) -> None:
        """
        It is read as it was written.
        """
        found = SubscriptionState(state, expires, reason, retry_after)
        self.assertEqual(SubscriptionState.parse(str(found)), found)
