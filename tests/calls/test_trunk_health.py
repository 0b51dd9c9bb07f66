"""
Tests for :mod:`pbx.calls.health`, and for how a trunk is by it and by its registration together.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from pbx.calls.health import LOOK_SOONER, PATIENCE
from pbx.calls.trunk_targets import AVOIDED
from tests.calls.lines import NAME, LinesCase

ANSWERS = (100, 200, 401, 403, 404, 405, 407, 408, 480, 483, 500, 501, 504, 600)
"""What shows that somebody is there."""


class OptionsTests(LinesCase):
    """
    A trunk that does not register, asked every 30 seconds.
    """

    def peer(self, **options: Any) -> Any:
        """
        A trunk that is known by its address.
        """
        return self.trunk(**{"username": "", "options_interval": 30, **options})

    def test_request(self) -> None:
        """
        OPTIONS to the domain, every 30 seconds.
        """
        provider = self.provider()
        self.start(self.peer(from_domain="provider.example"))
        self.wait(100)
        self.assertEqual([round(time) for time in provider.times("OPTIONS")], [0, 30, 60, 90])
        request = provider.requests("OPTIONS")[0]
        self.assertEqual((request.uri, str(request.to.uri)), ("sip:192.0.2.1", "sip:provider.example"))
        self.assertEqual(self.health(), "up")

    def test_never(self) -> None:
        """
        An interval of 0 turns it off: the trunk counts as up.
        """
        provider = self.provider()
        provider.always["OPTIONS"] = 503
        self.start(self.peer(options_interval=0))
        self.wait(100)
        self.assertEqual((provider.heard, self.health()), ([], "up"))

    def test_any_answer(self) -> None:
        """
        Any answer but 503 is one of the living.
        """
        provider = self.provider()
        self.start(self.peer())
        for status in ANSWERS:
            provider.always["OPTIONS"] = status
            self.wait(30)
            self.assertEqual(self.health(), "up", status)
        self.assertEqual(self.changes, [])

    def test_503(self) -> None:
        """
        503 says that it is down, until it says something else.
        """
        provider = self.provider()
        provider.always["OPTIONS"] = 503
        self.start(self.peer())
        self.assertEqual((self.health(), self.reason()), ("down", "192.0.2.1:5060 answers OPTIONS with 503"))
        del provider.always["OPTIONS"]
        self.wait(LOOK_SOONER)
        self.assertEqual((self.health(), self.reason()), ("up", ""))

    def test_silence_of_one_that_never_answered(self) -> None:
        """
        Some providers answer no OPTIONS: silence says nothing of them.
        """
        provider = self.provider()
        provider.always["OPTIONS"] = None
        self.start(self.peer())
        self.wait(200)
        self.assertEqual((self.health(), self.changes), ("up", []))

    def test_silence_of_one_that_answered(self) -> None:
        """
        Silence of one that has answered before says that it is down; an interval of 5 notices within 10 seconds.
        """
        provider = self.provider()
        self.start(self.peer(options_interval=5))
        self.wait(10.5)
        provider.always["OPTIONS"] = None
        since = self.now
        self.wait(5 + PATIENCE)
        self.assertEqual((self.health(), self.reason()), ("down", "192.0.2.1:5060 does not answer OPTIONS"))
        self.assertLess(self.line().since - 1_700_000_000.0 - since, 10)
        del provider.always["OPTIONS"]
        self.wait(5.1)
        self.assertEqual(self.health(), "up")
        self.assertEqual(self.changes, [(NAME, "up", "down"), (NAME, "down", "up")])

    def test_trying(self) -> None:
        """
        A provisional answer is one already, though none follows it.
        """
        provider = self.provider()
        self.start(self.peer(options_interval=5))
        provider.always["OPTIONS"] = 100
        self.wait(100)
        self.assertEqual((self.health(), self.changes), ("up", []))

    def test_since(self) -> None:
        """
        The time is that of the last change of its health.
        """
        provider = self.provider()
        line = self.start(self.peer())
        self.assertEqual(line.since, 1_700_000_000.0)
        provider.always["OPTIONS"] = 503
        self.wait(31)
        provider.always["OPTIONS"] = None
        self.wait(60)
        self.assertEqual(self.reason(), "192.0.2.1:5060 does not answer OPTIONS")
        self.assertAlmostEqual(line.since, 1_700_000_030.0, 0)

    def test_connection_refused(self) -> None:
        """
        A trunk that takes no connection is down, whether it has answered before or not.
        """
        provider = self.provider()
        provider.refuse()
        self.start(self.peer(transport="tcp", options_interval=5))
        self.assertEqual(self.health(), "down")
        self.assertIn("192.0.2.1:5060 can't be reached", self.reason())
        provider.accept()
        self.wait(5)
        self.assertEqual(self.health(), "up")
        provider.refuse()
        self.wait(5.1)
        self.assertEqual(self.health(), "down")

    def test_connection_that_breaks(self) -> None:
        """
        A connection that ends under the question is as good as none.
        """
        provider = self.provider()
        provider.always["OPTIONS"] = None
        self.start(self.peer(transport="tcp"), wait=1)
        provider.refuse()
        self.wait(1)
        self.assertEqual(self.health(), "down")
        self.assertIn("192.0.2.1:5060 can't be reached", self.reason())

    def test_no_such_name(self) -> None:
        """
        A trunk whose name leads nowhere is down, with OPTIONS and without.
        """
        self.start(self.peer(host="sip.provider.example"), self.peer(name="B", host="x.example", options_interval=0))
        for name in (NAME, "B"):
            self.assertEqual(self.health(name), "down")
            self.assertIn("has no address", self.reason(name))
        self.provider()
        self.names("192.0.2.1")
        self.wait(121)
        self.assertEqual((self.health(), self.health("B")), ("up", "down"))

    def test_some_places(self) -> None:
        """
        A provider of which one machine is dead is degraded, and calls go to the other first; down when all are.
        """
        first, second = self.provider("192.0.2.1"), self.provider("192.0.2.2")
        self.names("192.0.2.1", "192.0.2.2")
        line = self.start(self.peer(host="sip.provider.example"))
        first.always["OPTIONS"] = None
        self.wait(34.1)
        self.assertEqual((self.health(), self.reason()), ("degraded", "192.0.2.1:5060 does not answer OPTIONS"))
        second.always["OPTIONS"] = 503
        self.wait(LOOK_SOONER)
        self.assertEqual(self.health(), "down")
        self.assertEqual(
            self.reason(), "192.0.2.2:5060 answers OPTIONS with 503; 192.0.2.1:5060 does not answer OPTIONS"
        )
        del first.always["OPTIONS"], second.always["OPTIONS"]
        self.wait(2 * LOOK_SOONER)
        self.assertEqual(self.health(), "up")
        self.assertEqual(line.trouble, False)
        self.wait(AVOIDED)
        first.always["OPTIONS"] = 503
        self.wait(30)
        first.always.clear()
        self.wait(LOOK_SOONER)
        found = self.successResultOf(Deferred.fromCoroutine(line.targets()))
        self.assertEqual([target.host for target in found], ["192.0.2.1", "192.0.2.2"])

    def test_slow_rounds_do_not_overlap(self) -> None:
        """
        An interval shorter than the patience asks once at a time.
        """
        provider = self.provider()
        provider.always["OPTIONS"] = None
        self.start(self.peer(options_interval=1))
        self.wait(20)
        self.assertLess(len(provider.requests("OPTIONS")), 7)

    def test_mistake_of_ours(self) -> None:
        """
        What fails in asking is logged, and it is asked again.
        """
        provider = self.provider()
        line = self.start(self.peer())
        provider.forget()

        async def broken(target: Any) -> Any:
            raise RuntimeError("oops")

        self.patch(self.transport, "open", broken)
        self.wait(30)
        self.assertEqual(provider.requests("OPTIONS"), [])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.logged.clear()
        self.assertIsNotNone(line)


class TogetherTests(LinesCase):
    """
    A trunk that registers and is asked for its health.
    """

    def setUp(self) -> None:
        super().setUp()
        self.peer = self.provider()

    def both(self, **options: Any) -> None:
        """
        Start with such a trunk.
        """
        self.start(self.trunk(options_interval=10, register_expires=120, **options))

    def test_silent_but_registered(self) -> None:
        """
        A registration is health enough for one that never answered OPTIONS.
        """
        self.peer.always["OPTIONS"] = None
        self.both()
        self.wait(60)
        self.assertEqual(self.health(), "up")

    def test_registered_but_dead(self) -> None:
        """
        A registration does not keep one up that answers no OPTIONS any more.
        """
        self.both()
        self.peer.always["OPTIONS"] = None
        self.wait(15)
        self.assertEqual((self.health(), self.reason()), ("down", "192.0.2.1:5060 does not answer OPTIONS"))

    def test_alive_but_not_registered(self) -> None:
        """
        One that answers OPTIONS but takes no registration is degraded: calls may still go out. Somebody must see to it.
        """
        self.peer.always["REGISTER"] = 503
        self.both()
        self.assertEqual(self.health(), "degraded")
        self.assertEqual(self.reason(), "it is not registered: 192.0.2.1:5060: 503 Service Unavailable")
        self.assertEqual(list(self.alerts.open), [("trunk", NAME)])

    def test_neither(self) -> None:
        """
        One that says nothing at all is down as soon as its registration has failed.
        """
        self.peer.always.update({"REGISTER": None, "OPTIONS": None})
        self.both()
        self.assertEqual(self.health(), "degraded")
        self.wait(9)
        self.assertEqual(self.health(), "down")

    def test_registers_where_somebody_lives(self) -> None:
        """
        When the machine dies that it is registered at, it registers at another without waiting for the refresh.
        """
        second = self.provider("192.0.2.2")
        self.names("192.0.2.1", "192.0.2.2")
        self.both(host="sip.provider.example")
        self.peer.always.update({"REGISTER": None, "OPTIONS": None})
        self.wait(15)
        self.assertEqual(self.health(), "degraded")
        self.assertEqual(len(second.bindings), 1)
        found = self.successResultOf(Deferred.fromCoroutine(self.line().targets()))
        self.assertEqual([target.host for target in found], ["192.0.2.2", "192.0.2.1"])

    def test_registers_anew_when_it_is_back(self) -> None:
        """
        A machine that was away may have forgotten us: it is told again as soon as it is back.
        """
        self.both()
        self.peer.always.update({"REGISTER": None, "OPTIONS": None})
        self.wait(15)
        self.peer.bindings.clear()
        self.peer.always.clear()
        self.peer.forget()
        self.wait(10.1)
        self.assertEqual(self.health(), "up")
        self.assertEqual(len(self.peer.bindings), 1)

    def test_looked_at_as_soon_as_it_registers(self) -> None:
        """
        One that takes our registration again is asked at once: no call waits for the next look.
        """
        self.peer.refuse()
        self.both(transport="tcp")
        self.assertEqual(self.health(), "down")
        self.wait(3)
        self.peer.accept()
        # The registration is tried anew after five seconds, its health after ten.
        self.wait(3)
        self.assertEqual(len(self.peer.bindings), 1)
        self.assertEqual(self.health(), "up")

    def test_failed_registration_does_not_wait_for_its_pause(self) -> None:
        """
        A registration that has failed for long is made as soon as OPTIONS shows that somebody is there.
        """
        self.peer.always.update({"REGISTER": 503, "OPTIONS": 503})
        self.both()
        self.wait(700)
        self.peer.always.clear()
        self.wait(11)
        self.assertEqual(self.health(), "up")


class AlertTests(LinesCase):
    """
    Who is told.
    """

    def test_down_and_up(self) -> None:
        """
        An alert with the reason when a trunk is down; settled when it is well. The log says both.
        """
        provider = self.provider()
        self.start(self.trunk(username="", options_interval=5))
        self.assertEqual(self.alerts.history, [])
        provider.always["OPTIONS"] = 503
        self.wait(6)
        text = f"Trunk {NAME} (192.0.2.1) is down: 192.0.2.1:5060 answers OPTIONS with 503"
        self.assertEqual(self.alerts.open, {("trunk", NAME): text})
        provider.always.clear()
        self.wait(6)
        self.assertEqual([what for what, _, _ in self.alerts.history], ["alert", "settled"])
        self.assertEqual(
            self.said("trunk"),
            [f"trunk {NAME} (192.0.2.1) is down: 192.0.2.1:5060 answers OPTIONS with 503",
             f"trunk {NAME} (192.0.2.1) is up"],
        )

    def test_degraded(self) -> None:
        """
        One dead machine of several is nothing to wake anybody for.
        """
        first = self.provider("192.0.2.1")
        self.provider("192.0.2.2")
        self.names("192.0.2.1", "192.0.2.2")
        self.start(self.trunk(host="sip.provider.example", username="", options_interval=5))
        first.always["OPTIONS"] = 503
        self.wait(6)
        self.assertEqual((self.health(), self.alerts.history), ("degraded", []))

    def test_refused(self) -> None:
        """
        A registration that is refused is: no call comes in. A removed trunk is nobody's trouble any more.
        """
        provider = self.provider()
        provider.always["REGISTER"] = 403
        self.start(self.trunk())
        self.assertIn("403 Forbidden", self.alerts.open["trunk", NAME])
        self.use()
        self.assertEqual(self.alerts.open, {})

    def test_left_by_the_run_before(self) -> None:
        """
        What was open when the exchange stopped is settled where it is well at the start.
        """
        self.alerts.alert("trunk", NAME, "it was down")
        self.provider()
        self.start(self.trunk(username=""))
        self.assertEqual(self.alerts.open, {})

    def test_observer_that_fails(self) -> None:
        """
        One observer's mistake keeps nobody else from hearing.
        """
        def broken(*args: object) -> None:
            raise RuntimeError("oops")

        self.lines.on_change(broken)
        self.provider()
        self.start(self.trunk())
        self.assertEqual(self.changes, [(NAME, "degraded", "up")])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.logged.clear()
