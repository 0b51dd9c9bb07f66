"""
Tests for :mod:`pbx.calls.trunks` and :mod:`pbx.calls.trunk_line`: lines as the plan has them, and their end.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from pbx.calls.alerts import IAlerts
from pbx.calls.leg import Leg
from pbx.calls.registration import AT_ONCE, FAREWELL
from pbx.calls.trunk_line import MAKES_A_LINE
from pbx.dialog.credentials import ICredentials
from pbx.directory.trunk import TrunkState
from pbx.sip.message import Request
from tests.calls.lines import HERE, NAME, LinesCase, Told
from tests.calls.provider import ACCOUNT, Provider


def removals(provider: Provider) -> list[Request]:
    """
    The REGISTERs that took a registration back.
    """
    return [request for request in provider.requests() if request.expires == 0]


class LineTests(LinesCase):
    """
    What calls ask of a line.
    """

    def test_interfaces(self) -> None:
        """
        A line has credentials, and the tests' alerts are alerts.
        """
        line = self.start(self.trunk(username=""))
        self.assertTrue(verifyObject(ICredentials, line.credentials))
        self.assertTrue(verifyObject(IAlerts, Told()))

    def test_uris(self) -> None:
        """
        Numbers at the provider, and who we are there.
        """
        for options, request, sender in (
            ({}, "sip:+4930123@p.example", "sip:+4930123@p.example"),
            ({"port": 5060}, "sip:+4930123@p.example", "sip:+4930123@p.example"),
            ({"port": 5080}, "sip:+4930123@p.example:5080", "sip:+4930123@p.example"),
            ({"from_domain": "d.example"}, "sip:+4930123@p.example", "sip:+4930123@d.example"),
            ({"host": "2001:db8::1"}, "sip:+4930123@[2001:db8::1]", "sip:+4930123@[2001:db8::1]"),
        ):
            self.use(self.trunk(**{"host": "p.example", **options}))
            self.wait(3)
            line = self.line()
            self.assertEqual((line.request_uri("+4930123"), line.from_uri("+4930123")), (request, sender))
        self.assertEqual(self.line().request_uri("*21#"), "sip:*21%23@[2001:db8::1]")

    def test_contact(self) -> None:
        """
        Its Contact bears the mark of calls, over each transport.
        """
        provider = self.provider()
        line = self.start(self.trunk(username="", contact_user="desk"))
        flow = self.transport.udp_flow((provider.address, 5060))
        self.assertEqual(line.contact(flow), f"<sip:desk@{HERE}:5060;line={line.call_mark}>")
        self.use(self.trunk(transport="tcp"))
        self.wait(3)
        (target,) = self.successResultOf(Deferred.fromCoroutine(line.targets()))
        flow = self.successResultOf(Deferred.fromCoroutine(line.flow(target)))
        self.assertEqual(line.contact(flow), f"<sip:{ACCOUNT}@{HERE}:5060;transport=tcp;line={line.call_mark}>")

    def test_channels(self) -> None:
        """
        Its calls are counted, both ways; it is full at its limit, and has none without.
        """
        line = self.start(self.trunk(username="", max_channels=2))
        legs = [cast("Leg", object()) for _ in range(3)]
        for leg in legs[:2]:
            self.assertFalse(line.full)
            line.take(leg)
        self.assertTrue(line.full)
        self.assertEqual(self.lines.get(NAME, TrunkState()), TrunkState("up", "", 2))
        line.release(legs[0])
        line.release(legs[0])
        self.assertEqual((line.full, line.state.channels), (False, 1))
        self.use(self.trunk(username=""))
        line.take(legs[2])
        self.assertFalse(line.full)

    def test_all(self) -> None:
        """
        All lines in the order of trying; the state of one that is not there is what is given.
        """
        self.start(self.trunk(name="B", username=""), self.trunk(name="A", username="", priority=2),
                   self.trunk(name="C", username=""))
        self.assertEqual([line.trunk.name for line in self.lines.all()], ["B", "C", "A"])
        given = TrunkState("down", "nowhere")
        self.assertIs(self.lines.get("D", given), given)
        self.assertIsNone(self.lines.line("D"))


class PlanTests(LinesCase):
    """
    Another plan.
    """

    def setUp(self) -> None:
        super().setUp()
        self.peer, self.other = self.provider("192.0.2.1"), self.provider("192.0.2.2")
        self.first = self.trunk()
        self.second = self.trunk(name="Two", host="192.0.2.2")

    def test_added(self) -> None:
        """
        A new trunk registers at once, without a word to others.
        """
        self.start(self.first)
        self.peer.forget()
        self.use(self.first, self.second)
        self.wait(0.1)
        self.assertEqual((len(self.other.bindings), self.peer.heard), (1, []))
        self.assertEqual((self.health(), self.health("Two")), ("up", "up"))

    def test_removed(self) -> None:
        """
        A trunk that was removed takes its registration back; its calls keep their line.
        """
        line = self.start(self.first, self.second)
        leg: Any = object()
        line.take(leg)
        self.other.forget()
        self.use(self.second)
        self.wait(0.1)
        self.assertEqual((self.peer.bindings, len(removals(self.peer)), self.other.heard), ({}, 1, []))
        self.assertIsNone(self.lines.line(NAME))
        line.release(leg)
        self.assertEqual(line.state.channels, 0)

    def test_removed_while_it_is_looked_up(self) -> None:
        """
        What is found out about a trunk that was removed meanwhile concerns nobody.
        """
        line = self.start(self.first)
        self.use()
        self.wait(3)
        self.changes.clear()
        line.look()
        self.assertEqual((self.changes, self.alerts.history), ([], []))

    def test_what_does_not_matter(self) -> None:
        """
        A change that the provider need not know leaves the registration alone, and the calls.
        """
        line = self.start(self.first)
        leg: Any = object()
        line.take(leg)
        self.peer.forget()
        self.use(evolve(self.first, priority=7, max_channels=1, caller_id="+4930", dids=("1.",), emergency=True))
        self.wait(5)
        self.assertEqual((self.peer.heard, self.lines.line(NAME)), ([], line))
        self.assertEqual((line.trunk.priority, line.full), (7, True))

    def test_what_matters(self) -> None:
        """
        Another account or password registers anew, when the old registration is taken back; calls stay on the line.
        """
        line = self.start(self.first)
        leg: Any = object()
        line.take(leg)
        mark, call_id = line.mark, self.peer.requests()[0].call_id
        self.peer.forget()
        self.use(evolve(self.first, username="new"))
        self.wait(0.1)
        self.assertEqual([request.expires == 0 for request in self.peer.requests()], [True, False, False])
        new = self.peer.requests()[-1]
        self.assertEqual(str(new.to.uri), "sip:new@192.0.2.1")
        self.assertNotEqual(new.call_id, call_id)
        self.assertEqual((self.lines.line(NAME), line.state), (line, TrunkState("up", "", 1)))
        self.assertEqual((line.mark, list(self.peer.bindings)), (mark, [f"sip:new@{HERE}:5060;line={mark}"]))

    def test_each_that_matters(self) -> None:
        """
        Each field of the list makes a line anew.
        """
        others: dict[str, Any] = {
            "host": "192.0.2.2", "port": 5060, "transport": "udp", "username": "x", "auth_username": "x",
            "password": "x", "from_domain": "x.example", "enabled": False, "register": False, "register_expires": 90,
            "options_interval": 9, "outbound_proxy": "192.0.2.2", "contact_user": "x",
        }
        self.assertEqual(set(others), set(MAKES_A_LINE))
        line = self.start(self.first)
        for name, value in others.items():
            before = line.targets_of
            self.use(evolve(self.first, **{name: value}))
            self.wait(3)
            self.assertIsNot(line.targets_of, before, name)
            self.use(self.first)
            self.wait(3)

    def test_changed_twice_at_once(self) -> None:
        """
        A change while the one before is under way ends with what the plan has last, and one registration.
        """
        self.start(self.first)
        self.peer.always["REGISTER"] = None
        self.use(evolve(self.first, username="new"))
        self.wait(0.5)
        self.use(self.second, evolve(self.first, username="newer"))
        del self.peer.always["REGISTER"]
        self.wait(FAREWELL + 0.5)
        users = {str(request.to.uri) for request in self.peer.requests() if request.expires}
        self.assertEqual(users, {"sip:account@192.0.2.1", "sip:newer@192.0.2.1"})
        self.assertEqual((self.health(), self.health("Two")), ("up", "up"))

    def test_switched_off_and_on(self) -> None:
        """
        Switched off it is down and silent, without an alert; switched on it comes back.
        """
        self.start(self.first)
        self.use(evolve(self.first, enabled=False))
        self.wait(1)
        self.assertEqual((self.health(), self.reason(), self.peer.bindings), ("down", "it is switched off", {}))
        self.assertEqual(self.alerts.history, [])
        self.use(self.first)
        self.wait(1)
        self.assertEqual((self.health(), len(self.peer.bindings)), ("up", 1))

    def test_before_the_start(self) -> None:
        """
        A plan that comes before the start is what it starts with.
        """
        self.use(self.first)
        self.use(self.first, self.second)
        self.use(evolve(self.first, username="new"))
        self.wait(1)
        self.assertEqual(self.peer.heard, [])
        self.lines.start()
        self.wait(0.1)
        self.assertEqual(list(self.peer.bindings), [f"sip:new@{HERE}:5060;line={self.line().mark}"])


class EndTests(LinesCase):
    """
    The end, of a connection and of it all.
    """

    def stop(self) -> Deferred[Any]:
        """
        Stop the lines.
        """
        return Deferred.fromCoroutine(self.lines.stop())

    def test_stop(self) -> None:
        """
        At the end registrations are taken back, with a digest where one is asked for.
        """
        provider = self.provider()
        self.start(self.trunk())
        provider.nonces.clear()
        done = self.stop()
        self.assertNoResult(done)
        self.wait(0.1)
        self.successResultOf(done)
        self.assertEqual((provider.bindings, len(removals(provider))), ({}, 2))
        self.assertEqual(removals(provider)[0].contacts[0].param("expires"), "0")
        self.assertEqual(len(self.said("REGISTER to 192.0.2.1", "taken back")), 1)

    def test_stop_is_bounded(self) -> None:
        """
        A provider that says nothing holds nobody up.
        """
        provider = self.provider()
        self.start(self.trunk())
        provider.always["REGISTER"] = None
        done = self.stop()
        self.wait(FAREWELL + 0.1)
        self.successResultOf(done)
        self.assertEqual(len(self.said("REGISTER to 192.0.2.1", "could not be taken back")), 1)

    def test_stop_while_it_is_changed(self) -> None:
        """
        A trunk whose old registration is being taken back is not registered anew.
        """
        provider = self.provider()
        self.start(self.trunk())
        provider.always["REGISTER"] = None
        self.use(self.trunk(username="new"))
        self.wait(0.5)
        done = self.stop()
        self.wait(FAREWELL)
        self.successResultOf(done)
        self.wait(10)
        self.assertEqual({str(request.to.uri) for request in provider.requests()}, {"sip:account@192.0.2.1"})

    def test_stop_without_its_connection(self) -> None:
        """
        Where the connection has ended, another is made to take leave; one that does not come about holds nobody up.
        """
        provider = self.provider()
        self.start(self.trunk(transport="tcp"))
        self.wait(100)
        provider.refuse()
        provider.accept()
        self.wait(0.1)
        done = self.stop()
        self.wait(0.1)
        self.successResultOf(done)
        self.assertEqual(provider.bindings, {})

    def test_stop_without_a_way(self) -> None:
        """
        A connection that does not come about holds nobody up.
        """
        provider = self.provider()
        self.start(self.trunk(transport="tcp"))
        self.wait(100)
        provider.refuse()
        self.wait(0.1)
        self.network.unreachable.add("192.0.2.1")
        done = self.stop()
        self.wait(FAREWELL + 0.1)
        self.successResultOf(done)

    def test_stop_after_it_has_run_out(self) -> None:
        """
        What the registrar has forgotten is not taken back.
        """
        provider = self.provider()
        self.start(self.trunk(register_expires=60))
        provider.always["REGISTER"] = 500
        self.wait(100)
        provider.forget()
        self.successResultOf(self.stop())
        self.assertEqual(provider.heard, [])

    def test_stop_while_it_registers(self) -> None:
        """
        An attempt, or a pause, ends with it.
        """
        provider = self.provider()
        provider.always["REGISTER"] = None
        self.start(self.trunk(), self.trunk(name="TCP", transport="tcp", host="192.0.2.2"),
                   self.trunk(name="unknown", host="x.example"))
        done = self.stop()
        self.wait(0.1)
        self.successResultOf(done)
        self.assertEqual(removals(provider), [])

    def test_connection_closes(self) -> None:
        """
        What was registered over a connection that closes is registered anew at once (RFC 5626 4.2).
        """
        provider = self.provider()
        self.start(self.trunk(transport="tcp"))
        self.assertEqual((self.health(), len(provider.connections)), ("up", 1))
        self.wait(100)
        provider.forget()
        transport: Any = provider.connections[0].transport
        transport.loseConnection()
        self.wait(0.1)
        self.assertEqual(self.health(), "degraded")
        self.assertIn("has ended", self.reason())
        self.wait(2 * AT_ONCE)
        self.assertEqual((self.health(), len(provider.requests()), len(provider.connections)), ("up", 1, 1))
        self.assertEqual(self.alerts.history, [])

    def test_connection_that_never_lasts(self) -> None:
        """
        A provider that closes each connection after its answer is not asked without a pause.
        """
        provider = self.provider()
        self.start(self.trunk(transport="tcp"))
        for _ in range(120):
            for connection in list(provider.connections):
                connected: Any = connection.transport
                connected.loseConnection()
            self.wait(1)
        self.assertLess(len(provider.requests()), 12)

    def test_connection_that_leads_nowhere(self) -> None:
        """
        A connection whose other end has forgotten it is given up, not written to for ever.
        """
        self.lines.start()
        for options in ({"register_expires": 60}, {"username": "", "options_interval": 20}):
            with self.subTest(options=options):
                provider = self.provider(f"192.0.2.{len(self.providers) + 1}")
                self.use(self.trunk(transport="tcp", host=provider.address, **options))
                self.wait(3)
                for connection in provider.connections:
                    # It never hears another word.
                    self.patch(connection, "dataReceived", lambda data: None)
                (connection,) = provider.connections
                self.wait(60)
                self.assertEqual(self.health(), "up")
                self.assertNotIn(connection, provider.connections)

    def test_registrar_is_gone_with_the_connection(self) -> None:
        """
        A connection that closes and can't be made again is a trunk that is down.
        """
        provider = self.provider()
        self.start(self.trunk(transport="tcp"))
        self.wait(100)
        provider.refuse()
        self.wait(2)
        self.assertEqual(self.health(), "down")
        provider.accept()
        self.wait(7)
        self.assertEqual(self.health(), "up")

    def test_address_changed(self) -> None:
        """
        When our address is another, every provider is told at once, with the same Call-ID.
        """
        provider = self.provider()
        self.start(self.trunk())
        provider.forget()
        self.lines.address_changed()
        self.wait(0.1)
        self.assertEqual(len(provider.requests()), 1)
        self.assertEqual(self.health(), "up")

    def test_address_changed_whatever_is_under_way(self) -> None:
        """
        The same in an attempt, in a pause, before the start and after the end.
        """
        provider = self.provider()
        self.lines.address_changed()
        provider.always["REGISTER"] = None
        self.start(self.trunk())
        self.lines.address_changed()
        self.wait(4)
        self.assertEqual(len(provider.requests()), 2)
        self.wait(6)
        self.assertEqual(self.health(), "down")
        del provider.always["REGISTER"]
        self.lines.address_changed()
        self.wait(0.1)
        self.assertEqual(self.health(), "up")
        done = self.stop()
        self.lines.address_changed()
        self.wait(0.1)
        self.successResultOf(done)
        self.lines.address_changed()
        provider.forget()
        self.wait(10)
        self.assertEqual(provider.heard, [])
