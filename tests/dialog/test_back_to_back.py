"""
Two user agents over a network that loses, doubles, delays and reorders: both sides agree, and nothing is left.

Each scenario is played with many seeds; a failure names the one that failed, which always comes out the same.
"""

from __future__ import annotations

from random import Random

from pbx.dialog.useragent import UserAgentSettings
from pbx.sip.message import Request
from pbx.sip.parser import parse
from tests.dialog.pair import ANNA, BERT, CARL, PROXY, Fork, PairCase, Party


class CallTests(PairCase):
    """
    Calls from their INVITE on.
    """

    def test_set_up_and_end(self) -> None:
        """
        Ring, answer, talk, hang up from either side.
        """
        def scenario(chance: Random) -> None:
            def habit(party: Party) -> None:
                self.later(0.3, party.ring)
                self.later(chance.uniform(0.5, 6), party.accept)

            self.bert.habit = habit
            near = self.anna.call(BERT)
            self.wait(45)
            self.assertEqual(len(self.bert.parties), 1)
            far = self.bert.parties[0]
            self.agree(near, far)
            chance.choice((near, far)).hang_up()
            self.wait(40)
            self.agree(near, far)

        self.run_seeds(scenario)

    def test_busy(self) -> None:
        """
        A refusal comes across, once.
        """
        def scenario(chance: Random) -> None:
            self.bert.habit = lambda party: self.later(chance.uniform(0, 2), party.decline)
            near = self.anna.call(BERT)
            self.wait(40)
            self.assertEqual(near.state, "over")
            self.assertIn(near.heard[-1][1], (486, 408))

        self.run_seeds(scenario)

    def test_cancel_crosses_200(self) -> None:
        """
        The caller gives up in the moment when the callee answers: nobody is left talking to nobody.
        """
        def scenario(chance: Random) -> None:
            def habit(party: Party) -> None:
                party.ring()
                self.later(2, party.accept)

            self.bert.habit = habit
            near = self.anna.call(BERT)
            self.later(2 + chance.uniform(-0.5, 0.7), near.hang_up)
            self.wait(45)
            self.agree(near, *self.bert.parties)

        self.run_seeds(scenario)

    def test_lost_acks(self) -> None:
        """
        The first ACKs are lost: the 200 comes again until one arrives.
        """
        def scenario(chance: Random) -> None:
            self.lose("ACK", chance.randrange(1, 6))
            self.bert.habit = Party.accept
            near = self.anna.call(BERT)
            self.wait(33)
            self.agree(near, self.bert.parties[0])
            self.assertEqual(near.state, "up")

        self.run_seeds(scenario, loss=0.0)

    def test_no_ack_ever(self) -> None:
        """
        All ACKs are lost: the call ends on both sides.
        """
        def scenario(chance: Random) -> None:
            self.lose("ACK", 1000)
            self.bert.habit = Party.accept
            near = self.anna.call(BERT)
            self.wait(60)
            self.agree(near, self.bert.parties[0])
            self.assertEqual(near.state, "over")

        self.run_seeds(scenario, loss=0.05)

    def test_pracks(self) -> None:
        """
        Reliable 1xx with lost PRACKs: the answer waits for them.
        """
        def scenario(chance: Random) -> None:
            self.lose("PRACK", chance.randrange(4))

            def habit(party: Party) -> None:
                party.ring(183, b"answer to offer")
                self.later(0.2, party.ring)
                self.later(chance.uniform(0, 3), party.accept)

            self.bert.habit = habit
            near = self.anna.call(BERT, [("Require", "100rel")])
            self.wait(50)
            self.agree(near, self.bert.parties[0])

        self.run_seeds(scenario)

    def test_no_prack_ever(self) -> None:
        """
        All PRACKs are lost: neither side believes in the call, whether it was picked up or not.
        """
        def scenario(chance: Random) -> None:
            self.lose("PRACK", 1000)

            def habit(party: Party) -> None:
                party.ring(183, b"answer to offer")
                if chance.random() < 0.5:
                    self.later(2, party.accept)

            self.bert.habit = habit
            near = self.anna.call(BERT, [("Require", "100rel")])
            self.wait(70)
            self.agree(near, self.bert.parties[0])
            self.assertEqual(near.state, "over")

        self.run_seeds(scenario, loss=0.05)

    def test_cancel_while_the_answer_waits_for_prack(self) -> None:
        """
        A CANCEL when the callee has picked up but its 200 waits for the PRACK.
        """
        def scenario(chance: Random) -> None:
            self.lose("PRACK", chance.randrange(5))

            def habit(party: Party) -> None:
                party.ring(183, b"answer to offer")
                self.later(0.3, party.accept)

            self.bert.habit = habit
            near = self.anna.call(BERT, [("Require", "100rel")])
            self.later(chance.uniform(0.3, 3), near.hang_up)
            self.wait(70)
            self.agree(near, *self.bert.parties)

        self.run_seeds(scenario)

    def test_forks(self) -> None:
        """
        Two phones behind a proxy answer at once: one has the call, the other is hung up.
        """
        def scenario(chance: Random) -> None:
            Fork(self.network, BERT, CARL)
            for agent in self.agents[1:]:
                def habit(party: Party) -> None:
                    party.ring()
                    self.later(chance.uniform(0.5, 1.0), party.accept)

                agent.habit = habit
            near = self.anna.call(PROXY)
            self.wait(80)
            states = sorted(self.states()[1:])
            if near.state == "up":
                self.assertIn(states, (["over", "up"], ["up"]))
            else:
                self.assertEqual(set(states) - {"over"}, set())

        self.run_seeds(scenario, addresses=(ANNA, BERT, CARL))

    def lose(self, method: str, count: int) -> None:
        """
        Lose the first requests of a method.
        """
        left = [count]

        def drop(source: object, destination: object, data: bytes) -> bool:
            message = parse(data)
            if not isinstance(message, Request) or message.method != method or not left[0]:
                return False
            left[0] -= 1
            return True

        self.network.drop = drop


class DialogTests(PairCase):
    """
    Calls that are up.
    """

    def test_glare(self) -> None:
        """
        Both send a re-INVITE at once: one is answered in the end, and the other only if it was made anew after that.
        """
        def scenario(chance: Random) -> None:
            near, far = self.up()
            self.later(1, near.reoffer)
            self.later(1 + chance.uniform(0, 0.3), far.reoffer)
            self.wait(70)
            self.agree(near, far)
            self.assertEqual(near.state, "up")
            heard = [event for party in (near, far) for event in party.heard]
            offers = [event for event in heard if event[0] == "offer"]
            given_up = [event for event in heard if event == ("refused", 491)]
            self.assertEqual(len(offers) + len(given_up), 2)
            self.assertGreaterEqual(len(offers), 1)

        self.run_seeds(scenario)

    def test_hold_and_resume(self) -> None:
        """
        Offer after offer, from both sides, faster than they are answered.
        """
        def scenario(chance: Random) -> None:
            near, far = self.up()
            for _ in range(6):
                chance.choice((near, far)).reoffer()
                self.wait(chance.choice((0, 0.1, 3)))
            self.wait(120)
            self.agree(near, far)
            self.assertEqual(near.state, "up")

        self.run_seeds(scenario)

    def test_bye_crosses_bye(self) -> None:
        """
        Both hang up at once.
        """
        def scenario(chance: Random) -> None:
            near, far = self.up()
            self.later(1, near.hang_up)
            self.later(1 + chance.uniform(0, 0.5), far.hang_up)
            self.wait(40)
            self.agree(near, far)

        self.run_seeds(scenario)

    def test_bye_crosses_reinvite(self) -> None:
        """
        One makes an offer, the other hangs up.
        """
        def scenario(chance: Random) -> None:
            near, far = self.up()
            one, other = chance.choice(((near, far), (far, near)))
            self.later(1, one.reoffer)
            self.later(1 + chance.uniform(-0.3, 0.6), other.hang_up)
            if chance.random() < 0.3:
                self.later(1 + chance.uniform(0, 0.6), one.hang_up)
            self.wait(40)
            self.agree(near, far)
            self.assertEqual(near.state, "over")

        self.run_seeds(scenario)

    def test_peer_vanishes(self) -> None:
        """
        An offer to nobody is given up; the refresh ends the call, and the other side misses it.
        """
        def scenario(chance: Random) -> None:
            near, far = self.up()
            self.network.unreachable.add(BERT)
            near.reoffer()
            self.wait(40)
            self.assertEqual((near.state, near.heard[-1]), ("up", ("refused", 408)))
            self.wait(1900)
            self.assertEqual((near.state, far.state), ("over", "over"))

        self.run_seeds(scenario, 5)


class ConnectionTests(PairCase):
    """
    Calls over TCP whose connection breaks.
    """

    def test_broken_connection(self) -> None:
        """
        Offers, refreshes and BYEs of either side find the other over a new connection.
        """
        def scenario(chance: Random) -> None:
            self.bert.habit = Party.accept
            near = self.anna.call(BERT, flow=self.anna.connect(BERT))
            self.wait(1)
            far = self.bert.parties[0]
            for _ in range(4):
                if chance.random() < 0.7:
                    self.break_connections()
                self.wait(chance.choice((0, 0.01, 1, 950)))
                chance.choice((near, far)).reoffer()
                self.wait(chance.choice((0.05, 1, 20)))
            self.wait(70)
            self.agree(near, far)
            self.assertEqual(near.state, "up", near.heard + far.heard)
            self.break_connections()
            self.wait(0.1)
            chance.choice((near, far)).hang_up()
            self.wait(5)
            self.assertEqual((near.state, far.state), ("over", "over"))

        self.run_seeds(scenario, 40, loss=0.0)


class RefreshTests(PairCase):
    """
    Calls that last for hours.
    """

    settings = UserAgentSettings(session_expires=90)

    def test_two_hours(self) -> None:
        """
        A session of 90 s is kept up for two hours by its refreshes, with offers between them, whatever is lost.
        """
        def scenario(chance: Random) -> None:
            found = self.up()
            near, far = found
            for _ in range(8):
                self.wait(900)
                chance.choice((near, far)).reoffer()
            self.wait(60)
            self.agree(near, far)
            self.assertEqual(near.state, "up")

        self.run_seeds(scenario, 4, loss=0.1)

    def test_refresh_by_reinvite(self) -> None:
        """
        The same where UPDATE is not taken.
        """
        def scenario(chance: Random) -> None:
            found = self.up()
            for party in found:
                assert party.session is not None
                party.session.allow = frozenset()
                party.session.note_abilities = lambda message: None  # type: ignore[method-assign]
            self.wait(3600)
            self.agree(*found)
            self.assertEqual(found[0].state, "up")

        self.run_seeds(scenario, 4, loss=0.1)
