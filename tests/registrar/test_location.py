"""
The location table: what is reachable, and for how long.
"""

from __future__ import annotations

from typing import Any

from pbx.registrar.location import MOST_BINDINGS, Location
from tests.calls.case import ExchangeCase
from tests.calls.exchange import Kept
from tests.calls.phone import Phone
from tests.calls.stream_phone import StreamPhone


class ExpiryTests(ExchangeCase):
    """
    Bindings end.
    """

    def test_unreachable_at_once(self) -> None:
        """
        A binding is unreachable in the moment in which it ends, and is swept up within ten seconds, with a log line.
        """
        changed: list[str] = []
        self.exchange.location.on_change(changed.append)
        self.phone("1001", register=False).register(expires=60)
        self.assertEqual(changed, ["1001"])
        self.network.advance(59.9)
        self.assertEqual(len(self.exchange.location.bindings("1001")), 1)
        self.network.advance(0.1)
        self.assertEqual(self.exchange.location.bindings("1001"), ())
        self.assertEqual(self.exchange.location.all(), [])
        self.network.advance(10)
        self.assertEqual(len(self.exchange.location), 0)
        self.assertEqual(changed, ["1001", "1001"])
        self.assertEqual(len(self.logged("REGISTER: binding of 1001 has expired")), 1)
        self.assertEqual(self.exchange.kept.bindings["1001"], [])

    def test_wall_clock(self) -> None:
        """
        A jump of the wall clock ends no binding early and none late.
        """
        for hours in (-1, 1):
            with self.subTest(hours=hours):
                phone = self.phone("1001", register=False)
                phone.register(expires=60)
                self.exchange.wall_offset += 3600 * hours
                self.network.advance(59)
                self.assertEqual(len(self.exchange.location.bindings("1001")), 1)
                self.network.advance(2)
                self.assertEqual(self.exchange.location.bindings("1001"), ())

    def test_addresses(self) -> None:
        """
        An address counts as registered as long as one phone there is.
        """
        location = self.exchange.location
        first = self.phone("1001", register=False)
        second = Phone(self.network, "1002", first.address, port=5070)
        for phone in (first, second):
            phone.register()
        self.assertTrue(location.registered_from(first.address))
        first.register(expires=0)
        self.assertTrue(location.registered_from(first.address))
        second.register(expires=0)
        self.assertFalse(location.registered_from(first.address))


class ConnectionTests(ExchangeCase):
    """
    Bindings over TCP.
    """

    def test_closed_connection(self) -> None:
        """
        A binding over a connection is gone when that closes; one over UDP stays.
        """
        self.phone("1001")
        desk = self.phone("1001", kind=StreamPhone)
        self.assertEqual(len(self.exchange.location.bindings("1001")), 2)
        desk.close()
        (left,) = self.exchange.location.bindings("1001")
        self.assertEqual(left.flow.transport, "UDP")
        self.assertEqual([row["transport"] for row in self.exchange.kept.bindings["1001"]], ["UDP"])
        self.assertEqual(len(self.logged("REGISTER: 1001 is unreachable, tcp:")), 1)

    def test_new_connection(self) -> None:
        """
        A phone that registers over a new connection is reached over that; the old one closing changes nothing.
        """
        desk = self.phone("1001", kind=StreamPhone)
        old = desk.line
        desk.connect()
        desk.register()
        (binding,) = self.exchange.location.bindings("1001")
        assert old.transport is not None
        old.transport.loseConnection()
        self.network.advance(0.1)
        self.assertEqual(self.exchange.location.bindings("1001"), (binding,))
        caller = self.phone("1002")
        caller.call("1001")
        (rung,) = desk.requests("INVITE")
        self.assertEqual(rung.top_via.transport, "TCP")
        desk.reply(rung, 486)
        desk.close()

    def test_two_extensions_on_one_connection(self) -> None:
        """
        A gateway with two extensions on one connection: both are gone with it.
        """
        gateway = self.phone("1001", kind=StreamPhone)
        gateway.number, gateway.secret = "1002", "secret of 1002"
        gateway.register()
        self.assertEqual(len(self.exchange.location.all()), 2)
        gateway.close()
        self.assertEqual(self.exchange.location.all(), [])
        self.assertEqual(len(self.exchange.location), 0)

    def test_unregistered_connection(self) -> None:
        """
        After the last binding over a connection was removed, nobody waits for its end any more.
        """
        desk = self.phone("1001", kind=StreamPhone)
        flow: Any = self.exchange.location.bindings("1001")[0].flow
        for _ in range(3):
            # A refresh does not wait for it twice.
            desk.register()
            self.assertEqual(len(flow.waiting), 1)
        desk.register(expires=0)
        self.assertEqual(flow.waiting, [])
        desk.close()
        self.assertEqual(self.logged("is unreachable"), [])


class RestartTests(ExchangeCase):
    """
    What is taken up after a restart.
    """

    def restarted(self, rows: list[dict[str, Any]]) -> tuple[Location, int]:
        """
        A location table that takes up rows.
        """
        location = Location(self.network.clock, self.exchange.wall, Kept())
        return location, location.restore(rows, self.exchange.transport.udp_flow)

    def rows(self) -> list[dict[str, Any]]:
        """
        What was stored of all extensions.
        """
        return [row for rows in self.exchange.kept.bindings.values() for row in rows]

    def test_udp_bindings(self) -> None:
        """
        A UDP binding is back with its flow, its instance and what is left of its time by the wall clock.
        """
        phone = self.phone("1001", register=False)
        phone.register(expires=300, headers=(("User-Agent", "Desk 3000"),))
        (before,) = self.exchange.location.bindings("1001")
        self.network.advance(100)
        location, count = self.restarted(self.rows())
        self.assertEqual(count, 1)
        (after,) = location.bindings("1001")
        self.assertIs(after.flow, before.flow)
        self.assertEqual(after.as_row(), before.as_row())
        self.assertEqual(after.user_agent, "Desk 3000")
        self.assertAlmostEqual(after.expires, before.expires, 3)
        self.assertTrue(location.registered_from(phone.address))
        self.network.advance(200.1)
        self.assertEqual(location.bindings("1001"), ())

    def test_what_is_not_taken_up(self) -> None:
        """
        Not taken up: a binding over a connection, one that has ended meanwhile, one at an address or
        port we no longer have.
        """
        desk = self.phone("1001", kind=StreamPhone)
        self.phone("1002", register=False).register(expires=60)
        self.phone("1003")
        rows = self.rows()
        self.assertEqual(len(rows), 3)
        self.network.advance(61)
        location, count = self.restarted(rows)
        self.assertEqual((count, [binding.aor for binding in location.all()]), (1, ["1003"]))
        for gone in ({"local_host": "10.0.0.9"}, {"local_port": 5070}):
            self.assertEqual(self.restarted([{**row, **gone} for row in rows])[1], 0)
        self.assertEqual(len(self.logged("REGISTER: binding of 1003 is not taken up again")), 2)
        desk.close()

    def test_too_many_rows(self) -> None:
        """
        Of more rows than an extension may have the latest are taken.
        """
        self.phone("1001")
        (row,) = self.rows()
        rows = [
            {**row, "contact": f"sip:1001@10.0.1.1:{6000 + n}", "registered_at": row["registered_at"] + n}
            for n in range(MOST_BINDINGS + 3)
        ]
        location, _ = self.restarted(list(reversed(rows)))
        self.assertEqual([binding.contact for binding in location.bindings("1001")],
                         [row["contact"] for row in rows[3:]])
