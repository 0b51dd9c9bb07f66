"""
Message waiting indication: the lamps of an extension's phones, by the event package ``message-summary`` (RFC 3842).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import evolve
from zope.interface import implementer

from pbx.dialog.notice import send_notice
from pbx.dialog.notifier import IEventPackage
from pbx.dialog.subscription import Body
from pbx.features.blf import address
from pbx.sip.message import ProtocolError
from pbx.sip.message_summary import MESSAGE_SUMMARY, MessageSummary
from pbx.sip.uri import host_part

if TYPE_CHECKING:
    from pbx.dialog.notifier import Notifier
    from pbx.dialog.subscriber import Subscriber
    from pbx.directory.directory import Directory
    from pbx.directory.extension import Extension
    from pbx.registrar.binding import Binding
    from pbx.registrar.location import Location
    from pbx.transaction.timer_queue import Entry

AFTERWARDS = 0.5
"""Seconds after a registration, or a change, until phones are told: the answer to the REGISTER comes first."""

NOTHING = MessageSummary()


class Watched(Protocol):
    """
    A mailbox, as far as lamps are concerned.
    """

    @property
    def number(self) -> str:
        """
        Its number.
        """

    @property
    def watchers(self) -> tuple[str, ...]:
        """
        The extensions whose lamps tell of it.
        """


@implementer(IEventPackage)
class Mwi:
    """
    Tells phones how many messages wait: those that subscribed, and without being asked those that did not.

    Args:
        notifier: Who knows which phones subscribed.
        location: Which phones there are.
        directory: Which extensions there are.
    """

    name = "message-summary"
    content_type = MESSAGE_SUMMARY

    def __init__(self, notifier: Notifier, location: Location, directory: Directory) -> None:
        self._notifier = notifier
        self._location = location
        self._directory = directory
        self._counts: dict[str, MessageSummary] = {}
        self._watchers: dict[str, tuple[str, ...]] = {}
        self._watched: dict[str, list[str]] = {}
        self._told: dict[str, dict[tuple[str, str], MessageSummary]] = {}
        self._timers: dict[str, Entry] = {}
        notifier.add(self)
        location.on_change(self._look)
        directory.on_change(self._extension_changed)

    def counted(self, mailbox: Watched, new: int, old: int, urgent_new: int = 0, urgent_old: int = 0) -> None:
        """
        Take note of how many messages a mailbox has; at the start for each that has any, then at every change.
        """
        number, before = mailbox.number, self._watchers.get(mailbox.number, ())
        self._counts[number] = MessageSummary(new, old, urgent_new, urgent_old)
        self._watchers[number] = mailbox.watchers
        for extension in before:
            self._watched[extension].remove(number)
        for extension in mailbox.watchers:
            self._watched.setdefault(extension, []).append(number)
        for extension in dict.fromkeys((*before, *mailbox.watchers)):
            self._notifier.changed(self.name, extension)
            self._look(extension)
        if number not in mailbox.watchers:
            for subscriber in self._notifier.subscribers(self.name, number):
                if subscriber.party not in mailbox.watchers:
                    subscriber.subscription.end("rejected")
            self._notifier.changed(self.name, number)

    def summary(self, number: str) -> MessageSummary:
        """
        What the lamp of an extension tells: all mailboxes that are its own. Of a shared mailbox, that one's.
        """
        watched = self._watched.get(number)
        if not watched:
            return self._counts.get(number, NOTHING)
        counts = [self._counts[mailbox] for mailbox in watched]
        return MessageSummary(
            sum(c.new for c in counts), sum(c.old for c in counts), sum(c.new_urgent for c in counts),
            sum(c.old_urgent for c in counts),
        )

    # IEventPackage

    def resource(self, number: str, party: str) -> str:
        """
        A phone's own lamp, or a shared mailbox of its extension. Whatever is no mailbox of anybody's, such as the
        number that messages are heard by, means its own.

        Raises:
            ProtocolError: 403: it is somebody else's.
        """
        if number == party or party in self._watchers.get(number, ()):
            return number
        if number in self._directory or number in self._watchers:
            raise ProtocolError(403, "Forbidden")
        return party

    def document(self, subscriber: Subscriber) -> bytes:
        """
        The messages that wait.
        """
        account = address(subscriber.resource, subscriber.host)
        return evolve(self.summary(subscriber.resource), account=account).to_bytes()

    # Without being asked.

    def timer_fired(self, name: str) -> None:
        """
        Tell the phones of an extension what they do not know yet.
        """
        self._timers.pop(name, None)
        told, summary = self._told.setdefault(name, {}), self.summary(name)
        for key, binding in self._phones(name):
            if told.get(key) != summary:
                told[key] = summary
                if not self._subscribed(binding):
                    self._notify(binding, summary)

    def _look(self, number: str) -> None:
        """
        See whether a phone of an extension does not know yet how many messages wait.
        """
        if number not in self._watched:
            # It never had any: its lamp is off, and phones that register by the thousand are told nothing.
            return
        phones, told = [key for key, _ in self._phones(number)], self._told.get(number, {})
        for gone in told.keys() - set(phones):
            del told[gone]
        summary = self.summary(number)
        if number not in self._timers and any(told.get(key) != summary for key in phones):
            self._timers[number] = self._notifier.core.timer_queue.start(AFTERWARDS, self, number)

    def _phones(self, number: str) -> list[tuple[tuple[str, str], Binding]]:
        # A phone that was started anew registers with another Call-ID, and may have forgotten what it was told.
        return [((item.contact, item.call_id), item) for item in self._location.bindings(number)]

    def _subscribed(self, binding: Binding) -> bool:
        for subscriber in self._notifier.subscribers(self.name, binding.aor):
            dialog = subscriber.subscription.dialog
            if dialog.remote_target == binding.contact or dialog.flow.remote == binding.flow.remote:
                return True
        return False

    def _notify(self, binding: Binding, summary: MessageSummary) -> None:
        account = address(binding.aor, host_part(binding.flow.sent_by[0]))
        body = Body(MESSAGE_SUMMARY, evolve(summary, account=account).to_bytes())
        send_notice(self._notifier.core, binding.flow, binding.contact, binding.aor, self.name, body)

    def _extension_changed(self, before: Extension | None, after: Extension | None) -> None:
        if after is None and before is not None:
            self._notifier.gone(self.name, before.number)
            self._told.pop(before.number, None)

    def stop(self) -> None:
        """
        Tell nobody any more.
        """
        for entry in self._timers.values():
            self._notifier.core.timer_queue.stop(entry)
        self._timers.clear()
