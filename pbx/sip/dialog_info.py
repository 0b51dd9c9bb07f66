"""
The calls of an extension as busy lamp fields are told of them: ``application/dialog-info+xml`` (RFC 4235 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import frozen

from pbx.sip.xml_text import HEAD, attributes, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable

DIALOG_INFO = "application/dialog-info+xml"
"""The content type."""

NAMESPACE = "urn:ietf:params:xml:ns:dialog-info"


@frozen(slots=True)
class Participant:
    """
    One side of a dialog.

    Attributes:
        identity: Its address.
        display: Its name, empty for none.
        target: Where a call to it goes, ``None`` to say nothing of it.
    """

    identity: str
    display: str = ""
    target: str | None = None


@frozen(slots=True)
class DialogElement:
    """
    One dialog of the extension's phones, as they see it.

    Attributes:
        id: What tells it from the extension's others.
        state: ``trying``, ``early``, ``confirmed`` or ``terminated``.
        direction: ``initiator`` where the phone called, ``recipient`` where it is called.
        call_id: Its Call-ID, ``None`` where it is no dialog of SIP.
        local_tag: The phone's tag.
        remote_tag: The other's.
        local: The extension.
        remote: Who is at the other end.
    """

    id: str
    state: Literal["trying", "early", "confirmed", "terminated"]
    direction: Literal["initiator", "recipient"] | None = None
    call_id: str | None = None
    local_tag: str | None = None
    remote_tag: str | None = None
    local: Participant | None = None
    remote: Participant | None = None


def dialog_info(entity: str, version: int, dialogs: Iterable[DialogElement]) -> bytes:
    """
    The document of the whole state: every dialog that there is.

    Args:
        entity: The address of the extension.
        version: Counts the documents of one subscription from 0 up, without gaps.
        dialogs: The dialogs; one that has ended may be among them.
    """
    head = attributes(xmlns=NAMESPACE, version=str(version), state="full", entity=entity)
    return f"{HEAD}<dialog-info{head}>\n{''.join(map(_dialog, dialogs))}</dialog-info>\n".encode()


def _dialog(dialog: DialogElement) -> str:
    head = attributes(
        id=dialog.id, call_id=dialog.call_id or None, local_tag=dialog.local_tag or None,
        remote_tag=dialog.remote_tag or None, direction=dialog.direction,
    )
    sides = _side("local", dialog.local) + _side("remote", dialog.remote)
    return f"<dialog{head}>\n<state>{dialog.state}</state>\n{sides}</dialog>\n"


def _side(name: str, side: Participant | None) -> str:
    if side is None:
        return ""
    identity = f"<identity{attributes(display=side.display or None)}>{escaped(side.identity)}</identity>"
    target = "" if side.target is None else f"<target{attributes(uri=side.target)}/>"
    return f"<{name}>{identity}{target}</{name}>\n"
