"""
A way to the peer of a dialog whose connection has ended (RFC 3261 18.1.1, 18.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.transport.flow import FlowClosed
from pbx.transport.naming import DEFAULT_PORTS
from pbx.transport.resolver import Target

if TYPE_CHECKING:
    from pbx.dialog.dialog import Dialog
    from pbx.dialog.useragent import UserAgentCore


async def reopen(core: UserAgentCore, dialog: Dialog) -> None:
    """
    Give a dialog a new flow to its next hop.

    Only to the address that the peer had before: what a phone behind a NAT names as its Contact is not to be reached,
    or is another machine of ours.

    Raises:
        FlowClosed: There is no way.
    """
    old, hop = dialog.flow, dialog.next_hop
    if hop.host != old.remote[0]:
        raise FlowClosed(f"{old.name} has closed, and its peer can't be connected to")
    dialog.flow = await core.transactions.transport.open(
        Target(old.transport, hop.host, hop.port or DEFAULT_PORTS[old.transport])
    )
