"""
The Diversion and History-Info headers.
"""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.diversion import REASONS, Diversion
from pbx.sip.error import ParseError
from pbx.sip.history_info import Entry
from pbx.sip.uri import URI
from tests.sip.test_properties import CALM, sip_uris, texts

indexes = st.lists(st.integers(0, 999), min_size=1, max_size=5).map(lambda places: ".".join(map(str, places)))
diversions = st.builds(
    Diversion, sip_uris, st.sampled_from(sorted(REASONS)), st.integers(1, 99), st.booleans(), texts
)
plain_uris = sip_uris.map(lambda uri: evolve(uri, params=tuple(p for p in uri.params if p[0].lower() != "cause")))
entries = st.builds(
    Entry, plain_uris, indexes, st.just("") | indexes, st.none() | st.integers(100, 699)
)


class DiversionTests(SynchronousTestCase):
    """
    Who has sent a call on.
    """

    def test_example(self) -> None:
        """
        The RFC's example (RFC 5806 10.1) is read, and written with what is usual said as well.
        """
        found = Diversion.parse("<sip:+19195551002@isp.example>;reason=user-busy")
        self.assertEqual((found.uri.user, found.reason, found.counter, found.private), (
            "+19195551002", "user-busy", 1, False
        ))
        self.assertEqual(
            str(found), "<sip:+19195551002@isp.example>;reason=user-busy;counter=1;privacy=off"
        )

    def test_all(self) -> None:
        """
        Several in one row or in more; what is none is passed over.
        """
        found = Diversion.parse_all(["<sip:a@x>;reason=away, <sip:b@x>", "nonsense", "<sip:c@x>;counter=3"])
        self.assertEqual([(each.uri.user, each.reason, each.counter) for each in found], [
            ("a", "away", 1), ("b", "unknown", 1), ("c", "unknown", 3)
        ])

    @CALM
    @given(diversions)
    def test_round_trip(self, diversion: Diversion) -> None:
        """
        What is written is read the same.
        """
        self.assertEqual(Diversion.parse(str(diversion)), diversion)

    @CALM
    @given(st.text(max_size=60))
    def test_anything(self, text: str) -> None:
        """
        Whatever comes in, only ParseError comes out.
        """
        for kind in (Diversion, Entry):
            try:
                kind.parse(text)
            except ParseError:
                continue


class HistoryTests(SynchronousTestCase):
    """
    All whom a call was meant for.
    """

    def test_example(self) -> None:
        """
        A call for one that went on to another, because the first was busy.
        """
        first = Entry(URI("sip", "+4930123456", host="x"), "1")
        second = Entry(URI("sip", "+49176", host="x"), "1.1", "1", 486)
        written = f"{first}, {second}"
        self.assertEqual(
            written, "<sip:+4930123456@x>;index=1, <sip:+49176@x;cause=486>;index=1.1;mp=1"
        )
        self.assertEqual(Entry.parse_all([written]), [first, second])

    def test_without_index(self) -> None:
        """
        An entry needs a place (RFC 7044 5.1).
        """
        for text in ("<sip:a@x>", "<sip:a@x>;index=one", "<sip:a@x>;index=1;mp=x"):
            self.assertRaises(ParseError, Entry.parse, text)
        self.assertEqual(Entry.parse_all(["<sip:a@x>"]), [])

    @CALM
    @given(entries)
    def test_round_trip(self, entry: Entry) -> None:
        """
        What is written is read the same.
        """
        self.assertEqual(Entry.parse(str(entry)), entry)
