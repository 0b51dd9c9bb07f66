"""
Properties of dialogs: whatever two sides do, and whatever one of them is sent, they agree at last and nothing is left.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.dialog.user import Ending
from tests.dialog.pair import BERT, PairCase, Party
from tests.dialog.stage import OFFER, Stage, StageCase

CALM = settings(derandomize=True, database=None, deadline=None, max_examples=100)

ACTIONS = ("ring", "reliable", "accept", "decline", "hang up", "reoffer", "reoffer", "cut", "mend", "call")
steps = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.sampled_from((0, 1)), st.sampled_from((0.0, 0.01, 0.1, 0.6, 5.0))),
    max_size=14,
)

METHODS = ("INVITE", "ACK", "BYE", "UPDATE", "PRACK", "INFO", "OPTIONS", "NOTIFY", "CANCEL", "REFER", "DANCE")
ODD_HEADERS = (
    ("Contact", "<sip:"), ("Contact", "<sip:x@192.0.2.7>"), ("Require", "timer"), ("Require", "100rel, x"),
    ("Session-Expires", "60"), ("Session-Expires", "600;refresher=uas"), ("Session-Expires", "x"),
    ("Supported", "timer"), ("RAck", "1 1 INVITE"), ("RAck", "²"), ("Content-Type", "multipart/mixed"),
    ("Content-Type", "text/plain"), ("Reason", ";;"), ("Max-Forwards", "0"), ("From", "<sip:"), ("To", "nobody"),
    ("CSeq", "1 INVITE"), ("Allow", "UPDATE"), ("Min-SE", "9999"), ("Record-Route", "<sip:"),
)
requests = st.lists(
    st.tuples(
        st.sampled_from(METHODS), st.integers(0, 12), st.booleans(), st.booleans(),
        st.lists(st.sampled_from(ODD_HEADERS), max_size=2), st.sampled_from((0.0, 0.3, 20.0)),
    ),
    max_size=12,
)


class TwoSidesTests(PairCase):
    """
    Two agents that do anything.
    """

    @CALM
    @given(steps, st.integers(0, 1000), st.booleans())
    def test_anything(self, script: list[tuple[str, int, float]], seed: int, reliable: bool) -> None:
        """
        When the network is whole again both sides are in the same call, or in none; then all of it can be ended.
        """
        self.begin(seed, loss=0.1, repeat=0.1, jitter=0.2)
        self.bert.habit = Party.ring
        headers = [("Require", "100rel")] if reliable else []
        near = self.anna.call(BERT, headers)
        for action, who, pause in script:
            for party in self.agents[who].parties[-1:]:
                self.act(party, action)
            if action == "cut":
                self.network.unreachable.add(BERT)
            elif action == "mend":
                self.network.unreachable.clear()
            elif action == "call" and len(self.anna.parties) < 3:
                near = self.anna.call(BERT, headers)
            self.wait(pause)
        self.network.unreachable.clear()
        self.wait(200)
        ends = [party for party in self.bert.parties if party.state == "up"]
        self.assertEqual(len([p for p in self.anna.parties if p.state == "up"]), len(ends))
        if near.state == "up" and len(ends) == 1:
            self.agree(near, ends[0])
        self.finish()

    def act(self, party: Party, action: str) -> None:
        """
        Do it, where it makes sense.
        """
        if action == "reliable":
            party.ring(183, b"answer to offer")
        elif action in ("ring", "accept", "decline", "reoffer"):
            getattr(party, action)()
        elif action == "hang up":
            party.hang_up()


class AnyRequestTests(StageCase):
    """
    A session that is sent anything.
    """

    @CALM
    @given(requests, st.booleans(), st.booleans())
    def test_anything(self, script: list[Any], ours: bool, ends: bool) -> None:
        """
        Every request but ACK has one final answer, nothing fails on our side, and at last nothing is left.
        """
        self.stage = Stage()
        self.core, self.leg = self.stage.core, self.stage.leg
        self.cseq = 1
        self.session = self.answered() if ours else self.accepted()
        for method, cseq, body, settled, odd, pause in script:
            tag = self.session.dialog.local_tag if settled else None
            dialog = self.session.dialog
            base = [("From", dialog.remote), ("To", dialog.local if tag else "<sip:1001@pbx.example>")]
            request = self.request(
                method, cseq=cseq, headers=[*base, *odd], body=OFFER if body else b"", call_id=dialog.call_id
            )
            self.stage.owner.serve = lambda transaction, request: self.core.respond(transaction, 404)
            before = len(self.flow.sent)
            self.stage.receive(request)
            finals = [m for m in self.statuses(before) if m >= 200]
            if method != "ACK":
                self.assertEqual(len(finals), 1, (method, odd, finals))
            self.stage.wait(pause)
            self.flow.take()
        if ends:
            self.session.hang_up()
        else:
            self.session.end_both(Ending(by_peer=False, cause=41, text="over"))
        self.stage.wait(110)
        self.assertEqual(self.stage.left(), {})
        self.assertEqual(self.flushLoggedErrors(), [])

    def statuses(self, before: int) -> list[int]:
        """
        The statuses of the responses sent since.
        """
        lines = [data.split(b"\r\n", 1)[0] for data in self.flow.sent[before:]]
        return [int(line.split()[1]) for line in lines if line.startswith(b"SIP/2.0")]
