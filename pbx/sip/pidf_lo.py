"""
Where a phone stands: ``application/pidf+xml`` with a location (PIDF-LO: RFC 4119, its civic address RFC 5139, its use
RFC 5491), as an INVITE conveys it (RFC 6442).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from pbx.sip.pidf import NAMESPACE, PERSON
from pbx.sip.xml_text import HEAD, attributes, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

GEOPRIV: Final = "urn:ietf:params:xml:ns:pidf:geopriv10"
CIVIC: Final = "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"
POLICY: Final = "urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy"

ELEMENTS: Final = (
    "country", "A1", "A2", "A3", "A4", "A5", "A6", "PRM", "PRD", "RD", "STS", "POD", "POM", "RDSEC", "RDBR", "RDSUBBR",
    "HNO", "HNS", "LMK", "LOC", "FLR", "NAM", "PC", "BLD", "UNIT", "ROOM", "SEAT", "PLC", "PCN", "POBOX", "ADDCODE",
)
"""What an address is made of, in the order in which the schema wants it (RFC 5139 4)."""


@frozen(slots=True)
class LocationDocument:
    """
    Where one phone stands.

    Attributes:
        entity: Whose location it is: the address of the extension.
        device: What tells the phone from others; letters, digits, ``-`` and ``.``.
        civic: The address by the names of :data:`ELEMENTS`; others are left out.
        at: When that was known, as RFC 3339 has times.
        until: Until when the document may be kept, likewise.
    """

    entity: str
    device: str
    civic: Mapping[str, str]
    at: str
    until: str

    def to_bytes(self) -> bytes:
        """
        The document.
        """
        address = "".join([
            f"<ca:{name}>{escaped(self.civic[name])}</ca:{name}>\n" for name in ELEMENTS if self.civic.get(name)
        ])
        spaces = (
            f'{attributes(xmlns=NAMESPACE)} xmlns:dm="{PERSON}" xmlns:gp="{GEOPRIV}" xmlns:ca="{CIVIC}"'
            f' xmlns:gbp="{POLICY}"'
        )
        # RFC 5491 3.4: the location of a device stands in a device element. RFC 4119 2.2.2: the rules say that whoever
        # the call is passed on to may have it, without which no help would find the way.
        return (
            f"{HEAD}<presence{spaces}{attributes(entity=self.entity)}>\n"
            f"<dm:device{attributes(id=f'd-{self.device}')}>\n"
            "<gp:geopriv>\n"
            f"<gp:location-info>\n<ca:civicAddress>\n{address}</ca:civicAddress>\n</gp:location-info>\n"
            "<gp:usage-rules>\n<gbp:retransmission-allowed>true</gbp:retransmission-allowed>\n"
            f"<gbp:retention-expiry>{escaped(self.until)}</gbp:retention-expiry>\n</gp:usage-rules>\n"
            "<gp:method>Manual</gp:method>\n"
            "</gp:geopriv>\n"
            f"<dm:deviceID>{escaped(f'urn:pbx:{self.device}')}</dm:deviceID>\n"
            f"<dm:timestamp>{escaped(self.at)}</dm:timestamp>\n"
            "</dm:device>\n</presence>\n"
        ).encode()
