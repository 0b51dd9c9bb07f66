"""
Tests of :mod:`pbx.sip.pidf_lo`: the document is read by an XML parser and held against the RFCs' structure.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.pidf_lo import CIVIC, ELEMENTS, GEOPRIV, POLICY, LocationDocument

NAMES = {
    "p": "urn:ietf:params:xml:ns:pidf", "dm": "urn:ietf:params:xml:ns:pidf:data-model", "gp": GEOPRIV, "ca": CIVIC,
    "gbp": POLICY,
}
WHERE = {
    "ROOM": "2.07", "country": "DE", "A3": "Berlin", "RD": "Lange <Stra\N{LATIN SMALL LETTER SHARP S}e> & Co.",
    "HNO": "7", "FLR": "2", "PC": "10243", "HOUSE": "no such element", "NAM": "",
}


def tag(space: str, name: str) -> str:
    """
    A name as the parser has it.
    """
    return f"{{{NAMES[space]}}}{name}"


class LocationDocumentTests(SynchronousTestCase):
    """
    Where a phone stands.
    """

    def setUp(self) -> None:
        """
        A document, read.
        """
        document = LocationDocument(
            "sip:1001@pbx.example.com", "1001", WHERE, "2026-03-02T21:00:00Z", "2026-03-03T21:00:00Z"
        )
        self.root = ET.fromstring(document.to_bytes())  # noqa: S314 - our own

    def test_structure(self) -> None:
        """
        RFC 5491 3.4 and RFC 4119 2.2: presence holds a device, which holds geopriv, identifier and time, in this order.
        """
        self.assertEqual((self.root.tag, self.root.get("entity")), (tag("p", "presence"), "sip:1001@pbx.example.com"))
        (device,) = self.root
        self.assertEqual((device.tag, device.get("id")), (tag("dm", "device"), "d-1001"))
        self.assertEqual(
            [child.tag for child in device], [tag("gp", "geopriv"), tag("dm", "deviceID"), tag("dm", "timestamp")]
        )
        self.assertEqual(
            [child.tag for child in device[0]],
            [tag("gp", "location-info"), tag("gp", "usage-rules"), tag("gp", "method")],
        )
        self.assertEqual(device.findtext("dm:timestamp", None, NAMES), "2026-03-02T21:00:00Z")

    def test_address(self) -> None:
        """
        RFC 5139: the elements in the order of the schema, with any character; what is none of them is left out.
        """
        address = self.root.find("dm:device/gp:geopriv/gp:location-info/ca:civicAddress", NAMES)
        assert address is not None
        found = [(child.tag.partition("}")[2], child.text) for child in address]
        self.assertEqual(found, [(name, WHERE[name]) for name in ("country", "A3", "RD", "HNO", "FLR", "PC", "ROOM")])
        order = [ELEMENTS.index(name) for name, _ in found]
        self.assertEqual(order, sorted(order))
        self.assertEqual({child.tag.partition("}")[0] for child in address}, {f"{{{CIVIC}"})

    def test_rules(self) -> None:
        """
        Whoever the call is passed on to may have it, for a day.
        """
        rules = "dm:device/gp:geopriv/gp:usage-rules/gbp:"
        self.assertEqual(self.root.findtext(f"{rules}retransmission-allowed", None, NAMES), "true")
        self.assertEqual(self.root.findtext(f"{rules}retention-expiry", None, NAMES), "2026-03-03T21:00:00Z")
