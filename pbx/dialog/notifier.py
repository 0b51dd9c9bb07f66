"""
The notifier: SUBSCRIBE outside a dialog, and everyone who subscribed (RFC 6665 4.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.logger import Logger
from zope.interface import Attribute, Interface

from pbx.dialog.dialog import Dialog
from pbx.dialog.subscriber import Subscriber
from pbx.dialog.subscription import wished
from pbx.dialog.useragent import contact_of, new_tag
from pbx.sip.dialled import dialled_number
from pbx.sip.event import Event
from pbx.sip.message import ProtocolError
from pbx.transport.flow import FlowClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.dialog.useragent import UserAgentCore
    from pbx.sip.message import Request
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow

SPREAD = 4.0
"""Seconds after a restart within which all who subscribed before are told the whole state again."""

BUSY = (("Retry-After", "300"),)
"""What a SUBSCRIBE beyond a limit is told besides 503."""


class IEventPackage(Interface):
    """
    Something that can be subscribed to.
    """

    name: str = Attribute("The package's name, as Event has it.")
    content_type: str = Attribute("What its state is written in.")

    def resource(number: str, party: str) -> str:  # noqa: N805
        """
        Whose state is meant by a SUBSCRIBE of ``party`` for ``number``; raises :class:`ProtocolError` to refuse it.
        """

    def document(subscriber: Subscriber) -> bytes:  # noqa: N805
        """
        The whole state of the subscriber's resource, as its version :attr:`Subscriber.version`.
        """


class ISubscriptionStore(Interface):
    """
    Where subscriptions are kept over a restart.
    """

    def save(key: str, row: Callable[[], dict[str, Any]]) -> None:  # noqa: N805
        """
        Keep one as it is when it comes to writing, sooner or later; never waits.
        """

    def remove(key: str) -> None:  # noqa: N805
        """
        Forget one.
        """


@frozen
class NotifierSettings:
    """
    How much may be subscribed to.

    Attributes:
        per_party: Subscriptions of one extension; a receptionist's phones have some hundred keys.
        total: Subscriptions in all; each is some kilobytes, and a NOTIFY now and then.
    """

    per_party: int = 200
    total: int = 20_000


class Refused(ProtocolError):  # noqa: N818
    """
    A SUBSCRIBE that is not served, with header fields that say more.
    """

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__(status, reason)
        self.headers = headers


class Notifier:
    """
    All subscriptions that have a dialog of their own, and whom to tell of what.

    Attributes:
        refused: How many SUBSCRIBEs went beyond a limit.
        settings: The limits; others hold for the next SUBSCRIBE.

    Args:
        core: The user agent core.
        wall: The wall clock, seconds since the epoch.
        store: An :class:`ISubscriptionStore`.
        settings: The limits.
    """

    log = Logger()

    def __init__(
        self,
        core: UserAgentCore,
        wall: Callable[[], float],
        store: Any,
        settings: NotifierSettings,
    ) -> None:
        self.core = core
        self.wall = wall
        self.store = store
        self.refused = 0
        self.settings = settings
        self._packages: dict[str, Any] = {}
        self._by_resource: dict[tuple[str, str], list[Subscriber]] = {}
        self._by_party: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(self._by_party.values())

    def add(self, package: Any) -> None:
        """
        Offer an :class:`IEventPackage`.
        """
        self._packages[package.name] = package

    @property
    def packages(self) -> str:
        """
        The names of the packages, as Allow-Events lists them.
        """
        return ", ".join(sorted(self._packages))

    def subscribers(self, package: str, resource: str) -> list[Subscriber]:
        """
        Who has subscribed to something.
        """
        return [*self._by_resource.get((package, resource), ())]

    def all(self) -> list[Subscriber]:
        """
        Every subscriber.
        """
        return [subscriber for found in self._by_resource.values() for subscriber in found]

    # What the switchboard and the packages call.

    def subscribe(self, transaction: ServerTransaction, request: Request, party: str) -> None:
        """
        Serve a SUBSCRIBE outside a dialog, of an extension that has proved itself.

        Raises:
            ProtocolError: 489 for an unknown package, 406 for one in another form than the peer reads, 423 for too
                short a time, 503 beyond a limit, and whatever the package says of the resource.
        """
        event = Event.of(request)
        package = None if event is None else self._packages.get(event.package)
        if event is None or package is None:
            raise Refused(489, "Bad Event", (("Allow-Events", self.packages),))
        if not _reads(request, package.content_type):
            raise ProtocolError(406, "Not Acceptable")
        seconds = wished(request)
        resource = package.resource(dialled_number(request.target), party)
        flow = transaction.flow
        dialog = Dialog.of_server(request, new_tag(), flow, contact_of(flow, resource))
        if seconds:
            for old in self.subscribers(package.name, resource):
                # A phone that has started anew does not know its old subscription any more.
                if old.party == party and old.subscription.dialog.remote_target == dialog.remote_target:
                    old.subscription.drop()
            self._make_room(party)
        subscriber = Subscriber(self, package, resource, dialog, event, party, request.headers.get("User-Agent"))
        self._keep(subscriber)
        subscriber.subscription.accepted(transaction, seconds)

    def changed(self, package: str, resource: str) -> None:
        """
        Tell everyone who has subscribed to it, at most once a second each.
        """
        for subscriber in self.subscribers(package, resource):
            subscriber.subscription.changed()

    def gone(self, package: str, resource: str) -> None:
        """
        End every subscription to something that is no more.
        """
        for subscriber in self.subscribers(package, resource):
            subscriber.subscription.end("noresource")

    # After a restart.

    def restore(
        self, rows: Iterable[dict[str, Any]], flow_to: Callable[[tuple[str, int], tuple[str, int]], Flow]
    ) -> int:
        """
        Take up the stored subscriptions, and tell each the whole state within :data:`SPREAD` seconds.

        Args:
            rows: As they were saved.
            flow_to: Makes the flow from a remote and a local address; raises :class:`FlowClosed` when we have no
                socket there any more.

        Returns:
            How many were taken up.
        """
        found = []
        for row in rows:
            package, left = self._packages.get(row["package"]), row["expires_at"] - self.wall()
            if package is None or row["transport"] != "UDP" or left <= 0 or len(self) >= self.settings.total:
                continue
            try:
                flow = flow_to((row["remote_host"], row["remote_port"]), (row["local_host"], row["local_port"]))
                resource = package.resource(row["resource"], row["party"])
            except (FlowClosed, ProtocolError) as gone:
                self.log.info(
                    "SUBSCRIBE: that of {party} to {resource} is not taken up again: {gone}",
                    party=row["party"], resource=row["resource"], gone=gone,
                )
                continue
            found.append((Subscriber.of_row(self, package, resource, flow, row), left))
        for at, (subscriber, left) in enumerate(found):
            self._keep(subscriber)
            subscriber.subscription.lasts(left)
            subscriber.subscription.changed(after=SPREAD * (at + 1) / len(found))
        return len(found)

    def stop(self) -> None:
        """
        Be silent from now on; what is stored stays stored.
        """
        self.store = _NOWHERE
        for subscriber in self.all():
            subscriber.subscription.drop()

    # From the subscribers.

    def over(self, subscriber: Subscriber) -> None:
        """
        A subscription has ended.
        """
        key = (subscriber.package.name, subscriber.resource)
        found = self._by_resource.get(key, [])
        if subscriber not in found:
            return
        found.remove(subscriber)
        if not found:
            del self._by_resource[key]
        left = self._by_party[subscriber.party] - 1
        if left:
            self._by_party[subscriber.party] = left
        else:
            del self._by_party[subscriber.party]
        self.store.remove(subscriber.key)

    # Inside.

    def _keep(self, subscriber: Subscriber) -> None:
        self._by_resource.setdefault((subscriber.package.name, subscriber.resource), []).append(subscriber)
        self._by_party[subscriber.party] = self._by_party.get(subscriber.party, 0) + 1

    def _make_room(self, party: str) -> None:
        if self._by_party.get(party, 0) >= self.settings.per_party:
            what = f"{self.settings.per_party} subscriptions of one extension"
        elif len(self) >= self.settings.total:
            what = f"{self.settings.total} subscriptions"
        else:
            return
        self.refused += 1
        self.log.warn("SUBSCRIBE of {party} refused: there are {what} already", party=party, what=what)
        raise Refused(503, "Too many subscriptions", BUSY)


class _Nowhere:
    """
    What is stored when nothing is to be stored any more.
    """

    def save(self, key: str, row: Callable[[], dict[str, Any]]) -> None:
        """
        Nothing.
        """

    def remove(self, key: str) -> None:
        """
        Nothing.
        """


_NOWHERE = _Nowhere()


def _reads(request: Request, content_type: str) -> bool:
    """
    Whether the peer reads a content type: an Accept that is missing or empty leaves it to the package (RFC 6665 3.1.3).
    """
    listed = [part.partition(";")[0].strip() for part in request.option_tags("Accept")]
    kind = content_type.partition("/")[0]
    return not listed or any(item in (content_type, f"{kind}/*", "*/*") for item in listed)
