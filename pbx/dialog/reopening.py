"""
A way to the peer of a dialog whose connection has ended (RFC 3261 18.1.1, 18.2.2).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pbx.transport.flow import FlowClosed
from pbx.transport.naming import DEFAULT_PORTS
from pbx.transport.resolver import Target

if TYPE_CHECKING:
    from pbx.dialog.dialog import Dialog
    from pbx.dialog.useragent import UserAgentCore
    from pbx.sip.message import Response
    from pbx.transaction.server_transaction import ServerTransaction


async def reopen(core: UserAgentCore, dialog: Dialog) -> None:
    """
    Give a dialog a new flow to its next hop: one that is known (RFC 5626 5.3), else a connection of our own. A peer
    that can always be called has its own way (:attr:`~pbx.dialog.session.Session.reach`).

    That goes only to the address that the peer had before: what a phone behind a NAT names as its Contact is not to be
    reached, or is another machine of ours.

    Raises:
        FlowClosed: There is no way.
    """
    usage = core.usage(dialog.id)
    reach = getattr(usage, "reach", None)
    if reach is not None:
        dialog.flow = await reach()
        return
    known = core.owner.way_to(usage) if usage is not None else None
    if known is not None:
        dialog.flow = known
        return
    old, hop = dialog.flow, dialog.next_hop
    if hop.host != old.remote[0]:
        raise FlowClosed(f"{old.name} has closed, and its peer can't be connected to")
    dialog.flow = await core.transactions.transport.open(
        Target(old.transport, hop.host, hop.port or DEFAULT_PORTS[old.transport])
    )


def repeat(core: UserAgentCore, dialog: Dialog, transaction: ServerTransaction, response: Response) -> None:
    """
    Send a 2xx to INVITE once more: over a new connection, where that of its request has ended (RFC 3261 18.2.2).
    """
    if transaction.flow.closed:
        core.tasks.start(_repeat_elsewhere(core, dialog, response), "answer over a new connection")
    else:
        transaction.respond(response)


async def _repeat_elsewhere(core: UserAgentCore, dialog: Dialog, response: Response) -> None:
    # Where there is no way, the wait for the ACK ends the session.
    with contextlib.suppress(FlowClosed):
        if dialog.flow.closed:
            await reopen(core, dialog)
        dialog.flow.send(response.to_bytes())
