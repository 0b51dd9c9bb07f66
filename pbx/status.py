"""
How the exchange is, as it is shown: what is there, and what it counts.
"""

from __future__ import annotations

from typing import Any

from pbx.calls.record import stamp

COUNTERS = ("requests_received", "requests_sent", "retransmissions_received", "retransmissions_sent", "timeouts")
"""What of the transactions' counters is shown."""


class ExchangeStatus:
    """
    What can be said of an exchange from outside, at any moment of its start: an ``IStatus``.

    Args:
        exchange: The :class:`~pbx.tap.Exchange`.
        version: Of the program.
    """

    def __init__(self, exchange: Any, version: str) -> None:
        self._exchange = exchange
        self._version = version

    def ready(self) -> dict[str, bool]:
        """
        What a new call needs.
        """
        exchange = self._exchange
        return {
            "sip": bool(exchange.transport.sockets),
            "directory": exchange.extensions is not None and exchange.extensions.loaded,
        }

    def beside(self) -> dict[str, bool]:
        """
        What calls do without: phones are served from memory, and records wait in the spool.
        """
        database = self._exchange.database
        return {"database": database is not None and database.up}

    def trunks(self) -> dict[str, int]:
        """
        How many trunks are up, degraded and down.
        """
        lines = self._exchange.lines
        return {} if lines is None else dict(lines.counts())

    def status(self) -> dict[str, Any]:
        """
        What the exchange knows of itself.
        """
        exchange = self._exchange
        switchboard, location, database, cdr = (
            exchange.switchboard, exchange.location, exchange.database, exchange.cdr
        )
        counters = exchange.transactions.counters
        return {
            "version": self._version,
            "started": stamp(exchange.started_at),
            "uptime": round(exchange.reactor.seconds() - exchange.began),
            "sockets": [f"{kind} {host}:{port}" for kind, host, port in exchange.transport.sockets],
            "external_ip": exchange.transport.external,
            "calls": {
                "live": len(switchboard.calls) if switchboard is not None else 0,
                "begun": switchboard.began if switchboard is not None else 0,
                "limit": exchange.max_calls,
            },
            "registrations": len(location) if location is not None else 0,
            "extensions": len(exchange.directory),
            "trunks": self.trunks(),
            "alerts": 0 if self._exchange.lines is None else len(self._exchange.lines.alerts.list()),
            "database": {
                "up": database is not None and database.up,
                "kind": "embedded" if exchange.embedded is not None else "external",
                "records_waiting": cdr.outbox.pending if cdr is not None else 0,
            },
            "sip": {name: getattr(counters, name) for name in COUNTERS},
            "media": {"sessions": exchange.engine.sessions, "refused": exchange.engine.refused},
            "left": {"dialogs": len(exchange.core.dialogs), "transactions": exchange.transactions.active},
            "loop_lag": exchange.lag.figures(),
        }
