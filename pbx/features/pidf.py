"""
The event package ``presence`` (RFC 3856): whether somebody can be reached, for phones and programs with contact lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from pbx.dialog.notifier import IEventPackage
from pbx.features.blf import address
from pbx.sip.message import ProtocolError
from pbx.sip.pidf import PIDF, PresenceDocument

if TYPE_CHECKING:
    from pbx.dialog.notifier import Notifier
    from pbx.dialog.subscriber import Subscriber
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.features.presence import Presence, State

SHOWN: dict[State, tuple[str | None, str]] = {
    "available": (None, "Available"),
    "ringing": (None, "Ringing"),
    "busy": ("on-the-phone", "On the phone"),
    "dnd": ("busy", "Do not disturb"),
    "unregistered": (None, "Not registered"),
}
"""The activity and the words for each state."""


@implementer(IEventPackage)
class Pidf:
    """
    Tells phones of the presence of extensions.

    Args:
        notifier: Who knows which phones want to be told.
        presence: What the extensions do.
        directory: Which there are.
    """

    name = "presence"
    content_type = PIDF

    def __init__(self, notifier: Notifier, presence: Presence, directory: Directory) -> None:
        self._notifier = notifier
        self._presence = presence
        self._directory = directory
        notifier.add(self)
        presence.on_change(self._changed)
        directory.on_change(self._extension_changed)

    def resource(self, number: str, party: str) -> str:
        """
        The extension of that number, whoever asks.

        Raises:
            ProtocolError: 404: there is none.
        """
        if number not in self._directory:
            raise ProtocolError(404, "Not Found")
        return number

    def document(self, subscriber: Subscriber) -> bytes:
        """
        What the extension does; one that is no more is not there.
        """
        presence = self._presence.of(subscriber.resource)
        state: State = presence.state if presence is not None else "unregistered"
        activity, note = SHOWN[state]
        reachable = presence is not None and presence.registered
        entity = address(subscriber.resource, subscriber.host)
        return PresenceDocument(entity, reachable, activity, note).to_bytes()

    def _changed(self, number: str) -> None:
        self._notifier.changed(self.name, number)

    def _extension_changed(self, before: Extension | None, after: Extension | None) -> None:
        if after is None and before is not None:
            self._notifier.gone(self.name, before.number)
