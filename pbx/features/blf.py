"""
Busy lamp fields: the event package ``dialog`` (RFC 4235), so that a key shows who is on the phone, and picks up; or
that a switch is on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from zope.interface import implementer

from pbx.dialog.notifier import IEventPackage
from pbx.sip.dialog_info import DIALOG_INFO, DialogElement, Participant, dialog_info
from pbx.sip.message import ProtocolError
from pbx.sip.uri import user_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.dialog.notifier import Notifier
    from pbx.dialog.subscriber import Subscriber
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.features.presence import Line, Presence

DND, UNREGISTERED, SWITCHED_ON = "dnd", "unregistered", "on"
"""The dialogs that stand for what is no call, and shows as busy all the same."""

HIDDEN = Participant("sip:anonymous@anonymous.invalid", "Anonymous")
"""Who does not want to be known (RFC 3323 4.1.1.3)."""


class OtherLamps(Protocol):
    """
    What can be shown by a lamp and is no extension.
    """

    def __contains__(self, number: object) -> bool:
        """
        Whether there is a lamp under a number.
        """

    def lit(self, number: str) -> bool:
        """
        Whether it shines.
        """

    def on_change(self, listener: Callable[[str], None]) -> None:
        """
        Have ``listener(number)`` called whenever one changes, or is no more.
        """


@implementer(IEventPackage)
class Blf:
    """
    Tells phones of the calls of extensions.

    Args:
        notifier: Who knows which phones want to be told.
        presence: What the extensions do.
        directory: Which there are.
        unregistered: How an extension shows whose phones are not there: ``idle`` or ``busy``.
        lamps: What else has a lamp, ``None`` for nothing.
    """

    name = "dialog"
    content_type = DIALOG_INFO

    def __init__(
        self, notifier: Notifier, presence: Presence, directory: Directory,
        unregistered: Literal["idle", "busy"] = "idle", lamps: OtherLamps | None = None,
    ) -> None:
        self._notifier = notifier
        self._presence = presence
        self._directory = directory
        self._unregistered = unregistered
        self._lamps = lamps
        if lamps is not None:
            lamps.on_change(self._lamp_changed)
        notifier.add(self)
        presence.on_change(self._changed)
        directory.on_change(self._extension_changed)

    def reconfigure(self, unregistered: Literal["idle", "busy"]) -> None:
        """
        Show extensions otherwise whose phones are not there, and tell of it at once.
        """
        if unregistered == self._unregistered:
            return
        self._unregistered = unregistered
        for extension in self._directory.all():
            presence = self._presence.of(extension.number)
            if presence is not None and not presence.registered:
                self._changed(extension.number)

    def resource(self, number: str, party: str) -> str:
        """
        The extension or the lamp of that number, whoever asks.

        Raises:
            ProtocolError: 404: there is none.
        """
        if number not in self._directory and (self._lamps is None or number not in self._lamps):
            raise ProtocolError(404, "Not Found")
        return number

    def document(self, subscriber: Subscriber) -> bytes:
        """
        Every call of the extension, or that the switch is on; what was told before and has ended, as such.
        """
        number, host = subscriber.resource, subscriber.host
        dialogs = [_element(line, self._participant(number, host), host) for line in self._presence.lines(number)]
        presence = self._presence.of(number)
        if presence is not None and not dialogs:
            if presence.dnd:
                dialogs.append(DialogElement(DND, "confirmed"))
            elif not presence.registered and self._unregistered == "busy":
                dialogs.append(DialogElement(UNREGISTERED, "confirmed"))
        if presence is None and self._lamps is not None and self._lamps.lit(number):
            dialogs.append(DialogElement(SWITCHED_ON, "confirmed"))
        now = frozenset(dialog.id for dialog in dialogs)
        ended = [DialogElement(name, "terminated") for name in sorted(subscriber.known - now)]
        subscriber.known = now
        return dialog_info(address(number, host), subscriber.version, [*ended, *dialogs])

    def _participant(self, number: str, host: str) -> Participant:
        extension = self._directory.extension(number)
        uri = address(number, host)
        return Participant(uri, extension.name if extension is not None else "", uri)

    def _changed(self, number: str) -> None:
        self._notifier.changed(self.name, number)

    def _lamp_changed(self, number: str) -> None:
        if self._lamps is not None and number in self._lamps:
            self._notifier.changed(self.name, number)
        else:
            self._notifier.gone(self.name, number)

    def _extension_changed(self, before: Extension | None, after: Extension | None) -> None:
        if after is None and before is not None:
            self._notifier.gone(self.name, before.number)


def address(number: str, host: str) -> str:
    """
    The address of a number at this exchange, whatever it is made of.
    """
    return f"sip:{user_part(number)}@{host}"


def _element(line: Line, local: Participant, host: str) -> DialogElement:
    peer = line.peer
    uri = address(peer.number, host)
    remote = HIDDEN if peer.anonymous else Participant(uri, peer.name, uri) if peer.number else None
    return DialogElement(
        line.id, line.state, line.direction, line.call_id, line.local_tag, line.remote_tag, local, remote
    )
