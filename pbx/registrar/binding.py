"""
One place where a phone of an extension can be reached (RFC 3261 10, RFC 5626).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from pbx.transport.flow import Flow


@frozen(slots=True, eq=False)
class Binding:
    """
    A Contact with the flow that its REGISTER came over.

    Attributes:
        aor: The extension's number.
        contact: The Contact URI as the phone wrote it: the Request-URI of what we send there.
        flow: Where the REGISTER came from: everything for this phone goes over it.
        expires: When it ends, in seconds of the reactor's clock.
        expires_at: The same by the wall clock, seconds since the epoch.
        registered_at: When it was last refreshed, by the wall clock.
        call_id: The Call-ID of its REGISTER.
        cseq: The CSeq number of its REGISTER.
        instance: The ``+sip.instance`` of the phone with its ``reg-id``, empty where it has none.
        user_agent: What the phone calls itself.
        nat: Whether the phone sits behind an address translation.
    """

    aor: str
    contact: str
    flow: Flow
    expires: float
    expires_at: float
    registered_at: float
    call_id: str
    cseq: int
    instance: str
    user_agent: str
    nat: bool

    def as_row(self) -> dict[str, Any]:
        """
        The values that are stored, and shown by the API.
        """
        flow = self.flow
        return {
            "aor": self.aor,
            "contact": self.contact,
            "transport": flow.transport,
            "local_host": flow.local[0],
            "local_port": flow.local[1],
            "remote_host": flow.remote[0],
            "remote_port": flow.remote[1],
            "expires_at": self.expires_at,
            "registered_at": self.registered_at,
            "call_id": self.call_id,
            "cseq": self.cseq,
            "instance": self.instance,
            "user_agent": self.user_agent,
            "nat": self.nat,
        }
