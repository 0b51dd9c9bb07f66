"""
A NOTIFY that nobody asked for, outside any dialog: no RFC has it, and phones expect it for their message lamps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.dialog.useragent import UNHEEDED, contact_of, new_call_id, new_tag
from pbx.sip.message import Headers, Request

if TYPE_CHECKING:
    from pbx.dialog.subscription import Body
    from pbx.dialog.useragent import UserAgentCore
    from pbx.transport.flow import Flow


def send_notice(core: UserAgentCore, flow: Flow, target: str, number: str, package: str, body: Body) -> None:
    """
    Tell a registered phone something. Whether it understands is not heard.

    Args:
        core: The user agent core.
        flow: The way to the phone.
        target: Its Contact URI.
        number: Its extension.
        package: The event package.
        body: What it is told.
    """
    host = flow.sent_by[0]
    address = f"<sip:{number}@{f'[{host}]' if ':' in host else host}>"
    headers = Headers()
    for name, value in (
        ("Max-Forwards", "70"), ("From", f"{address};tag={new_tag()}"), ("To", address), ("Call-ID", new_call_id()),
        ("CSeq", "1 NOTIFY"), ("Contact", contact_of(flow, number)), ("Event", package),
        # There is no subscription that could go on.
        ("Subscription-State", "terminated"), ("Content-Type", body.content_type),
    ):
        headers.add(name, value)
    core.request(Request("NOTIFY", target, headers, body.content), flow, UNHEEDED)
