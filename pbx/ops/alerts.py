"""
Alerts: what somebody must see to, told in the log, in memory, in the database and by mail.

They are there before the database is, and while it is away: then they wait, and are written and mailed when it is back.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from attrs import evolve
from twisted.logger import Logger
from zope.interface import implementer

from pbx.calls.alerts import IAlerts
from pbx.features.mail import Mail
from pbx.store.alerts import Alert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from twisted.internet.interfaces import IReactorTime

MOST_OPEN: Final = 500
"""Alerts that are open at once, though a stranger may call numbers without end: then the oldest gives way."""

RECENT: Final = 200
"""Alerts that were settled and are still shown."""

TOLD_AGAIN: Final = 60.0
"""Seconds between two lines of the log about the same."""

MOST_LINES: Final = 60
"""Lines of the log within that time about all together."""

MOST_MAILS: Final = 100
"""Alerts mailed within an hour, emergencies not counted: a trunk that comes and goes must not fill a mailbox."""

MOST_URGENT_MAILS: Final = 300
"""The same for emergencies: a phone that goes mad must not, either."""

LINE: Final = "Alert {kind} {subject}: {text}{more}"
LINE_OF_A_CALL: Final = "{call_id}: " + LINE
"""What the log says."""

HOUR: Final = 3600.0

OCCURRENCES: Final = frozenset({"emergency", "loop", "toll_limit"})
"""Kinds that have happened, and of which nobody will say that they are well again: to take note of one settles it."""


@implementer(IAlerts)
class Alerts:
    """
    All that is open, and the last that was.

    Args:
        clock: The time, by which the log is kept from being flooded.
        wall: The time of day in seconds since 1970.
        store: Where they are kept (:class:`~pbx.store.alerts.StoredAlerts`); ``None`` for memory alone.
        mail: The addresses that are written to.
        can_mail: Whether there is a mail server: without it mail would wait for one, and tell old news one day.
        name: What the exchange is called in mail.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        wall: Callable[[], float],
        store: Any = None,
        *,
        mail: Sequence[str] = (),
        can_mail: bool = True,
        name: str = "pbx",
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._store = store
        self.reconfigure(mail=mail, can_mail=can_mail, name=name)
        self._open: dict[tuple[str, str], Alert] = {}
        self._recent: deque[Alert] = deque(maxlen=RECENT)
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._mailed: deque[float] = deque()
        self._mailed_urgently: deque[float] = deque()
        self._unsaid = 0

    def reconfigure(self, *, mail: Sequence[str], can_mail: bool, name: str) -> None:
        """
        Write to others from the next alert on. Who was told of one that is open is told when it is settled.

        Args:
            mail: The addresses that are written to.
            can_mail: Whether there is a mail server.
            name: What the exchange is called in mail.
        """
        self._can_mail = can_mail
        self._mail = tuple(mail) if can_mail else ()
        self._name = name

    # IAlerts

    def alert(
        self, kind: str, subject: str, text: str, *, detail: Mapping[str, str] | None = None, mail: Sequence[str] = ()
    ) -> None:
        """
        Something is wrong.
        """
        key, now = (kind, subject), self._wall()
        self._say(key, text, (detail or {}).get("call", ""))
        known = self._open.get(key)
        if known is not None:
            if known.text != text:
                self._keep(key, evolve(known, text=text, changed=now))
            return
        if len(self._open) >= MOST_OPEN:
            self._make_room()
        alert = Alert(uuid4().hex, kind, subject, text, now, now, detail=detail or {})
        if mail and not self._can_mail:
            self.log.error("Nobody is written to about {kind} {subject}: voicemail.smtp.host is not set",
                           kind=kind, subject=subject)
        addresses = tuple(dict.fromkeys((*self._mail, *(mail if self._can_mail else ()))))
        if addresses and not self._may_mail(kind):
            addresses = ()
        self._addresses[alert.id] = addresses
        self._keep(key, alert, self._letters(alert, addresses))

    def settled(self, kind: str, subject: str, text: str) -> None:
        """
        It is well again.
        """
        alert = self._open.get((kind, subject))
        if alert is not None:
            self.log.info("Alert {kind} {subject} is settled: {text}", kind=kind, subject=subject, text=text)
            self._close(evolve(alert, settled=self._wall(), outcome=text))

    # For the operator

    def list(self, *, settled: bool = False) -> list[Alert]:
        """
        The open ones, the latest first; behind them the last that were settled, if those are wanted.
        """
        found = sorted(self._open.values(), key=lambda alert: alert.began, reverse=True)
        return [*found, *self._recent] if settled else found

    def get(self, alert_id: str) -> Alert | None:
        """
        One of them.
        """
        return next((alert for alert in (*self._open.values(), *self._recent) if alert.id == alert_id), None)

    def acknowledge(self, alert_id: str, by: str) -> Alert | None:
        """
        Note that somebody took note of one; what only happened is settled by that.

        Returns:
            The alert as it is then; ``None`` where there is none.
        """
        found = self.get(alert_id)
        if found is None or found.acknowledged is not None:
            return found
        now = self._wall()
        alert = evolve(found, acknowledged=now, acknowledged_by=by)
        if found.settled is not None:
            self._recent[self._recent.index(found)] = alert
            self._save(alert)
        elif alert.kind in OCCURRENCES:
            alert = evolve(alert, settled=now, outcome=f"acknowledged by {by}")
            # Who has read of it need not read that it was read.
            self._addresses.pop(alert.id, None)
            self._close(alert)
        else:
            self._keep((alert.kind, alert.subject), alert)
        return alert

    # Start

    def restore(self, alerts: Iterable[Alert]) -> None:
        """
        Take up what was kept before a restart.
        """
        for alert in alerts:
            if alert.settled is not None:
                self._recent.appendleft(alert)
            elif (alert.kind, alert.subject) in self._open:
                self._close(evolve(alert, settled=self._wall(), outcome="again after a restart"))
            else:
                self._open[alert.kind, alert.subject] = alert
                self._addresses[alert.id] = self._mail

    # Inside

    def _keep(self, key: tuple[str, str], alert: Alert, letters: Sequence[Mail] = ()) -> None:
        self._open[key] = alert
        self._save(alert, letters)

    def _close(self, alert: Alert) -> None:
        self._open.pop((alert.kind, alert.subject), None)
        self._recent.appendleft(alert)
        self._save(alert, self._letters(alert, self._addresses.pop(alert.id, ())))

    def _save(self, alert: Alert, letters: Sequence[Mail] = ()) -> None:
        if self._store is not None:
            self._store.save(alert, letters)

    def _make_room(self) -> None:
        ordinary = [alert for alert in self._open.values() if alert.kind != "emergency"]
        oldest = min(ordinary or self._open.values(), key=lambda alert: alert.began)
        self._addresses.pop(oldest.id, None)
        self._close(evolve(oldest, settled=self._wall(), outcome="gave way to newer alerts"))

    def _letters(self, alert: Alert, addresses: Iterable[str]) -> tuple[Mail, ...]:
        done = alert.settled is not None
        said = f"Settled: {alert.outcome}" if done else alert.text
        body = f"{said}\n\n" + (f"It was: {alert.text}\n\n" if done else "")
        body += f"What it is about: {alert.kind} {alert.subject}. All alerts: pbxctl alerts\n"
        subject = " ".join(f"{self._name}: {_headline(said)}".split())[:200]
        about = f"alert:{alert.id}:{'settled' if done else 'began'}"
        return tuple(Mail(recipient, subject, body, message=about) for recipient in addresses)

    def _may_mail(self, kind: str) -> bool:
        now, urgent = self._clock.seconds(), kind == "emergency"
        mailed = self._mailed_urgently if urgent else self._mailed
        while mailed and now - mailed[0] >= HOUR:
            mailed.popleft()
        if len(mailed) >= (MOST_URGENT_MAILS if urgent else MOST_MAILS):
            return False
        mailed.append(now)
        return True

    def _say(self, key: tuple[str, str], text: str, call: str) -> None:
        """
        Write it to the log, by the call where it is about one, unless that was done within the last minute.
        """
        now = self._clock.seconds()
        if now - self._said.get(key, float("-inf")) < TOLD_AGAIN:
            return
        for old in [old for old, at in self._said.items() if now - at >= TOLD_AGAIN]:
            del self._said[old]
        if len(self._said) >= MOST_LINES and key[0] != "emergency":
            self._unsaid += 1
            return
        self._said[key] = now
        more = f" ({self._unsaid} further alerts were not logged)" if self._unsaid else ""
        self._unsaid = 0
        line, form = text.replace("\n", "; "), LINE_OF_A_CALL if call else LINE
        self.log.error(form, call_id=call, kind=key[0], subject=key[1], text=line, more=more)


def _headline(text: str) -> str:
    """
    The first line of a text, or the first sentence where it is all in one line.
    """
    first, several, _ = text.partition("\n")
    return first if several else first.partition(". ")[0]
