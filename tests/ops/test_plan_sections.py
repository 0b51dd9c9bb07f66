"""
Tests of :mod:`pbx.ops.plan_sections`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio import codec
from pbx.ops.plan_sections import (
    Alerts,
    Emergency,
    Holiday,
    Hours,
    InboundRoute,
    Limits,
    OutboundRoute,
    Site,
    TimeCondition,
    Trunk,
)
from pbx.ops.strict import Mistake, convert


class SectionsTests(SynchronousTestCase):
    """
    What the sections about trunks and routes take.
    """

    def mistakes(self, section: type[msgspec.Struct], **given: Any) -> list[str]:
        """
        The keys that are wrong.
        """
        found: list[Mistake] = []
        convert(section, given, "", found)
        return [mistake.path for mistake in found]

    def test_names(self) -> None:
        """
        A name can be shown, and be part of a path of the API.
        """
        for name in ("a", "Primary Trunk", "Zentrale (Köln)", "x" * 60):
            self.assertEqual(self.mistakes(TimeCondition, name=name), [], name)
        for name in ("", " a", "a ", "a/b", ".", "..", "x" * 61, "a\nb", "a\u200bb", 5):
            self.assertEqual(self.mistakes(TimeCondition, name=name), ["name"], name)

    def test_hosts(self) -> None:
        """
        A provider is a host name or an address, without what a URI has besides; a proxy may have a port.
        """
        for host in ("sip.example.com", "192.0.2.7", "2001:db8::7", "[2001:db8::7]", "_sip.example.com", "pbx2"):
            self.assertEqual(self.mistakes(Trunk, name="a", host=host, outbound_proxy=host), [], host)
        for host in ("", "sip:example.com", "sip.example.com/", "a b", "-x", "é.example", "example.com;lr", "[x]"):
            self.assertEqual(self.mistakes(Trunk, name="a", host=host), ["host"], host)
        self.assertEqual(self.mistakes(Trunk, name="a", host="example.com:5060"), ["host"])
        for proxy in ("sip.example.com:5080", "192.0.2.7:1", "[2001:db8::7]:5060"):
            self.assertEqual(self.mistakes(Trunk, name="a", host="b", outbound_proxy=proxy), [], proxy)
        for proxy in ("sip.example.com:0", "sip.example.com:65536", "a:b", ":5060", "sip:example.com"):
            self.assertEqual(self.mistakes(Trunk, name="a", host="b", outbound_proxy=proxy), ["outbound_proxy"], proxy)

    def test_codecs(self) -> None:
        """
        Codecs that need PyAV are taken where it is installed; elsewhere they are refused when there is no other beside.
        """
        wide = {"name": "a", "host": "b", "codecs": ["G722", "opus"]}
        self.assertEqual(self.mistakes(Trunk, **wide), [])
        self.patch(codec, "available", lambda: False)
        for codecs in (["PCMA", "PCMU"], ["G722", "PCMA"], []):
            self.assertEqual(self.mistakes(Trunk, name="a", host="b", codecs=codecs), [], codecs)
        found: list[Mistake] = []
        convert(Trunk, wide, "sip_trunks[0]", found)
        self.assertEqual([each.path for each in found], ["sip_trunks[0].codecs"])
        self.assertIn("G722 and opus cannot be spoken without PyAV", found[0].text)
        self.assertIn("pip install 'pbx[codecs]'", found[0].text)

    def test_lines_end(self) -> None:
        """
        Nothing that is sent on has a line end behind it: it would be the beginning of another header.
        """
        for section, given in (
            (Trunk, {"from_domain": "example.com\n"}), (Trunk, {"host": "example.com\n"}),
            (Trunk, {"outbound_proxy": "example.com:5060\n"}), (Trunk, {"caller_id": "+4930\n"}),
            (Trunk, {"username": "me\n"}), (Trunk, {"name": "a\n"}), (Trunk, {"dids": ["+49.\n"]}),
            (Trunk, {"inbound_ips": ["192.0.2.0/24\n"]}), (Site, {"country": "DE\n"}), (Hours, {"start": "08:30\n"}),
            (Hours, {"end": "24:00\n"}), (Holiday, {"date": "12-25\n"}), (Emergency, {"desk": "1001\n"}),
            (Emergency, {"numbers": ["112\n"]}), (Alerts, {"mail": ["a@example.com\n"]}),
            (Limits, {"blocked": ["+882\n"]}),
        ):
            others = {"name": "a", "host": "b"} if section is Trunk else {}
            found = self.mistakes(section, **{**others, **given})
            self.assertEqual([each.partition("[")[0] for each in found if each in given], [*given], given)

    def test_callers(self) -> None:
        """
        Who calls is a pattern, or nobody who says so.
        """
        for caller, wrong in (("anonymous", []), ("+49.", []), ("", []), ("nobody", ["caller"])):
            target = {"kind": "hangup"}
            self.assertEqual(self.mistakes(InboundRoute, name="a", destination=target, caller=caller), wrong, caller)

    def test_money(self) -> None:
        """
        An amount of money is a number that is not below zero, however it is written.
        """
        for amount in (0, 50, 12.5, "0.01", None):
            self.assertEqual(self.mistakes(Limits, spend_per_day=amount), [], amount)
        for amount in (-1, "-0.01", "NaN", "Infinity", "much", 10**9):
            self.assertEqual(self.mistakes(Limits, spend_per_day=amount), ["spend_per_day"], amount)

    def test_texts(self) -> None:
        """
        What a log or a phone shows has no control characters.
        """
        bad = "a\x1bb"
        self.assertEqual(self.mistakes(Trunk, name="a", host="b", username=bad, contact_user=bad), [
            "username", "contact_user",
        ])
        target = {"kind": "extension", "target": bad}
        self.assertEqual(
            self.mistakes(InboundRoute, name="a", destination=target, prefix=bad), ["destination.target", "prefix"]
        )
        self.assertEqual(self.mistakes(OutboundRoute, name="a", trunks=["a", ""]), ["trunks"])
