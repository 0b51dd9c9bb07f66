"""
One who has subscribed to something of the exchange's, in a dialog of its own, and what of it is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.dialog.dialog import Dialog
from pbx.dialog.subscription import Body, Subscription
from pbx.sip.event import Event
from pbx.sip.uri import host_part

if TYPE_CHECKING:
    from pbx.dialog.notifier import Notifier
    from pbx.transport.flow import Flow

PACE = 1.0
"""Seconds between two NOTIFYs of one subscription; what changes meanwhile is told as it is then."""

LEAP = 100
"""How far the CSeq numbers and versions of a subscription that was taken up again go on from what was stored: what was
sent last may not have been stored any more."""


class Subscriber:
    """
    One subscription to a resource of an event package.

    Attributes:
        package: The event package.
        resource: What of it is subscribed to: an extension's number.
        party: Whose phone subscribed.
        user_agent: What that calls itself.
        since: When it subscribed, in seconds since the epoch.
        version: The number of the state that is being told, from 0 up without gaps.
        known: What the package remembers of what was told.
        subscription: The subscription.
    """

    def __init__(
        self, notifier: Notifier, package: Any, resource: str, dialog: Dialog, event: Event, party: str,
        user_agent: str | None,
    ) -> None:
        self.package = package
        self.resource = resource
        self.party = party
        self.user_agent = (user_agent or "")[:120]
        self.since = notifier.wall()
        self.version = -1
        self.known: frozenset[str] = frozenset()
        self._notifier = notifier
        self.subscription = Subscription(notifier.core, dialog, event, self, party=party, pace=PACE)

    @property
    def key(self) -> str:
        """
        What it is stored under.
        """
        dialog = self.subscription.dialog
        return f"{dialog.local_tag} {dialog.call_id}"

    @property
    def host(self) -> str:
        """
        The exchange's own address towards this subscriber, as a URI has it.
        """
        return host_part(self.subscription.dialog.flow.sent_by[0])

    # Source

    def body(self) -> Body:
        """
        The state as it is now, as the next version.
        """
        self.version += 1
        content = self.package.document(self)
        if self.subscription.ending:
            self._notifier.store.remove(self.key)
        else:
            self._notifier.store.save(self.key, self.as_row)
        return Body(self.package.content_type, content)

    def more(self) -> bool:
        """
        Never: the newest state is all that counts.
        """
        return False

    def over(self) -> None:
        """
        The subscription has ended.
        """
        self._notifier.over(self)

    # What is stored.

    def as_row(self) -> dict[str, Any]:
        """
        The values that are stored.
        """
        subscription, dialog = self.subscription, self.subscription.dialog
        flow = dialog.flow
        return {
            "package": self.package.name,
            "event_id": subscription.event.id,
            "resource": self.resource,
            "party": self.party,
            "user_agent": self.user_agent,
            "since": self.since,
            "expires_at": self._notifier.wall() + subscription.remaining,
            "version": self.version,
            "call_id": dialog.call_id,
            "local_tag": dialog.local_tag,
            "remote_tag": dialog.remote_tag,
            "local": dialog.local,
            "remote": dialog.remote,
            "remote_target": dialog.remote_target,
            "route_set": list(dialog.route_set),
            "local_cseq": dialog.local_cseq,
            "remote_cseq": dialog.remote_cseq,
            "contact": dialog.contact,
            "transport": flow.transport,
            "local_host": flow.local[0],
            "local_port": flow.local[1],
            "remote_host": flow.remote[0],
            "remote_port": flow.remote[1],
        }

    @classmethod
    def of_row(cls, notifier: Notifier, package: Any, resource: str, flow: Flow, row: dict[str, Any]) -> Subscriber:
        """
        Make the subscriber of a row again; its subscription lasts for no time yet.
        """
        dialog = Dialog(
            call_id=row["call_id"], local_tag=row["local_tag"], remote_tag=row["remote_tag"], local=row["local"],
            remote=row["remote"], remote_target=row["remote_target"], route_set=tuple(row["route_set"]), flow=flow,
            local_cseq=row["local_cseq"] + LEAP, remote_cseq=row["remote_cseq"], contact=row["contact"], ours=False,
        )
        event = Event(row["package"], row["event_id"])
        found = cls(notifier, package, resource, dialog, event, row["party"], row["user_agent"])
        found.version = row["version"] + LEAP
        found.since = row["since"]
        return found
