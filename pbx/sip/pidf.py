"""
Whether somebody can be reached, and what keeps them: ``application/pidf+xml`` (RFC 3863), with activities (RFC 4480).
"""

from __future__ import annotations

from attrs import frozen

from pbx.sip.xml_text import HEAD, attributes, escaped

PIDF = "application/pidf+xml"
"""The content type."""

NAMESPACE = "urn:ietf:params:xml:ns:pidf"
PERSON = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"


@frozen(slots=True)
class PresenceDocument:
    """
    The presence of one extension.

    Attributes:
        entity: Its address.
        reachable: Whether one of its phones is there.
        activity: What keeps its person, as RFC 4480 names it (``on-the-phone``, ``busy``), ``None`` for nothing.
        note: The same in words.
    """

    entity: str
    reachable: bool
    activity: str | None
    note: str

    def to_bytes(self) -> bytes:
        """
        The document.
        """
        basic = "open" if self.reachable else "closed"
        spaces = f'{attributes(xmlns=NAMESPACE)} xmlns:dm="{PERSON}" xmlns:rpid="{RPID}"'
        tuple_ = (
            f'<tuple id="line"><status><basic>{basic}</basic></status><contact>{escaped(self.entity)}</contact>'
            f"<note>{escaped(self.note)}</note></tuple>\n"
        )
        person = ""
        if self.activity is not None:
            activity = f"<rpid:{self.activity}/>"
            person = f'<dm:person id="person"><rpid:activities>{activity}</rpid:activities></dm:person>\n'
        head = spaces + attributes(entity=self.entity)
        return f"{HEAD}<presence{head}>\n{tuple_}{person}</presence>\n".encode()
