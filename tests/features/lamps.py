"""
An exchange whose phones have lamps, and a phone that subscribes, in virtual time.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from attrs import evolve
from zope.interface import implementer

from pbx.dialog.notifier import ISubscriptionStore, Notifier, NotifierSettings
from pbx.directory.handling import Handling
from pbx.features.blf import Blf
from pbx.features.mwi import Mwi
from pbx.features.pidf import Pidf
from pbx.features.presence import Presence
from pbx.sip.dialog_info import NAMESPACE
from pbx.sip.event import SubscriptionState
from pbx.sip.message import Request, Response
from tests.calls.case import ExchangeCase
from tests.calls.phone import Phone

NAMES = {"d": NAMESPACE}


@implementer(ISubscriptionStore)
class KeptSubscriptions:
    """
    What would be stored.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Callable[[], dict[str, Any]]] = {}

    def save(self, key: str, row: Callable[[], dict[str, Any]]) -> None:
        """
        Keep one.
        """
        self.rows[key] = row

    def remove(self, key: str) -> None:
        """
        Forget one.
        """
        self.rows.pop(key, None)


class Lamp:
    """
    One subscription of a phone's.

    Attributes:
        phone: The phone.
        answers: The status of the answer to each NOTIFY; 0 for none.
        notified: The NOTIFYs, without copies of the same.
        copies: How many NOTIFYs came more than once.
    """

    def __init__(self, phone: Phone, number: str, event: str = "dialog", *, expires: int | None = 600,
                 headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.phone = phone
        self.answers = 200
        self.notified: list[Request] = []
        self.times: list[float] = []
        self.copies = 0
        self._event = event
        self._then = phone.on_request
        phone.on_request = self._request
        asked = (("Event", event),) if expires is None else (("Event", event), ("Expires", str(expires)))
        request = phone.request("SUBSCRIBE", f"sip:{number}@{phone.domain}", headers=(*asked, *headers))
        self._call_id = request.call_id
        self.request = phone.authenticated(request)
        self.answer: Response = phone.last("SUBSCRIBE")
        self.cseq = self.request.cseq.number

    def _request(self, request: Request) -> None:
        if request.method != "NOTIFY" or request.call_id != self._call_id:
            if self._then is not None:
                self._then(request)
            return
        if any(known.cseq == request.cseq for known in self.notified):
            self.copies += 1
        else:
            self.notified.append(request)
            self.times.append(self.phone.network.clock.seconds())
        if self.answers:
            self.phone.answer(request, self.answers)

    def refresh(self, expires: int = 600) -> Response:
        """
        Subscribe again within the dialog.
        """
        self.cseq += 1
        self.phone.send(self.phone.within(
            "SUBSCRIBE", self.request, self.answer, cseq=self.cseq,
            headers=(("Event", self._event), ("Expires", str(expires))),
        ))
        self.phone.network.advance(0.01)
        return self.phone.last("SUBSCRIBE")

    @property
    def last(self) -> Request:
        """
        The last NOTIFY.
        """
        return self.notified[-1]

    @property
    def state(self) -> SubscriptionState:
        """
        How the subscription stands by that.
        """
        return SubscriptionState.parse(self.last.headers.get("Subscription-State") or "")

    @property
    def versions(self) -> list[int]:
        """
        The versions of the documents it was told.
        """
        return [int(ET.fromstring(request.body).get("version") or "") for request in self.notified]  # noqa: S314

    @property
    def dialogs(self) -> list[tuple[str | None, str | None]]:
        """
        The direction and state of each dialog in the last document.
        """
        return [(dialog.get("direction"), dialog.findtext("d:state", None, NAMES)) for dialog in self.elements]

    @property
    def elements(self) -> list[Any]:
        """
        The dialogs in the last document.
        """
        root = ET.fromstring(self.last.body)  # noqa: S314 - our own exchange wrote it
        assert root.get("state") == "full"
        return root.findall("d:dialog", NAMES)


class LampCase(ExchangeCase):
    """
    An exchange that can be subscribed to.
    """

    limits = NotifierSettings()
    unregistered: Any = "idle"

    def start(self, **options: Any) -> None:
        """
        Start it.
        """
        super().start(**options)
        self.kept = KeptSubscriptions()
        self.build()

    def build(self) -> None:
        """
        Build what can be subscribed to.
        """
        exchange = self.exchange
        self.notifier = Notifier(exchange.core, exchange.wall, self.kept, self.limits)
        self.presence = Presence(exchange.directory, exchange.location, exchange.wall)
        exchange.switchboard.on_event(self.presence.event)
        self.blf = Blf(self.notifier, self.presence, exchange.directory, self.unregistered)
        self.pidf = Pidf(self.notifier, self.presence, exchange.directory)
        self.mwi = Mwi(self.notifier, exchange.location, exchange.directory)
        exchange.switchboard.subscriptions = self.notifier

    def tearDown(self) -> None:
        """
        No subscription is left, neither.
        """
        for subscriber in self.notifier.all():
            subscriber.subscription.drop()
        super().tearDown()
        self.assertEqual((len(self.notifier), self.exchange.core.subscriptions, self.kept.rows), (0, {}, {}))

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.network.advance(seconds)

    def handle(self, number: str, **handling: Any) -> None:
        """
        Change what an extension wants done with its calls.
        """
        extension = self.exchange.directory.extension(number)
        assert extension is not None
        self.exchange.directory.put(evolve(extension, handling=Handling(**handling)))
