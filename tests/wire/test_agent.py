"""
Tests for :mod:`tests.wire.agent`, and of the authenticated SIPp scenarios against it.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import TestCase

from tests.wire.agent import Agent, Message, answer_to, sdp
from tests.wire.scenario import Scenario
from tests.wire.sipp import credentials

CHALLENGE = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'


class Challenger(Agent):
    """
    An agent that asks for credentials first.
    """

    def _request(self, request: Message, branch: str) -> None:
        if request.method in {"INVITE", "REGISTER"} and not request["authorization"]:
            kept = {"via", "from", "call-id", "cseq"}
            headers = [(name.title(), value) for name, value in request.headers if name in kept]
            headers += [("To", f"{request['to']};tag=c"), ("WWW-Authenticate", CHALLENGE)]
            self.transport.write(self._bytes("SIP/2.0 401 Unauthorized", headers, b""), request.source)
            return
        super()._request(request, branch)


class AgentTests(TestCase):
    """
    Agents among themselves.
    """

    timeout = 30

    def setUp(self) -> None:
        """
        Start one that challenges and answers every call.
        """
        self.server = Challenger("1006", "", ("127.0.0.1", 9))
        self.server.start()
        self.server.on_invite = lambda _: (200, "OK", sdp("127.0.0.1", 4000))
        self.addCleanup(self.server.stop)
        self.address = ("127.0.0.1", self.server.port)

    async def test_call(self) -> None:
        """
        A call is challenged, answered, acknowledged and hung up.
        """
        agent = Agent("1005", "secret", self.address)
        agent.start()
        self.addCleanup(agent.stop)
        response, dialog = await agent.call("1006", sdp("127.0.0.1", 4002))
        self.assertEqual(response.media(), ("127.0.0.1", 4000, 4001))
        assert dialog is not None
        self.assertEqual((await agent.hang_up(dialog)).status, 200)
        invite = next(one for one in self.server.received if one["authorization"])
        given = dict(re.findall(r'(\w+)="([^"]*)"', invite["authorization"]))
        self.assertEqual((given["username"], given["uri"]), ("1005", f"sip:1006@127.0.0.1:{self.server.port}"))

    def test_digest(self) -> None:
        """
        The answers to the challenges of RFC 7616 3.9.1 are the ones printed there.
        """
        nonce, cnonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
        for algorithm, expected in (
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ):
            challenge = f'Digest realm="http-auth@example.org", qop="auth", algorithm={algorithm}, nonce="{nonce}"'
            value = answer_to(challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", cnonce)
            self.assertIn(f'response="{expected}"', value)

    async def test_scenarios(self) -> None:
        """
        SIPp's authenticated call and registration go through, their ACKs in the branch of the INVITE they belong to.
        """
        server = f"127.0.0.1:{self.server.port}"
        rows = [("1005", "1006", credentials("1005", "secret"))]
        for name in ("register", "call", "unregister"):
            made = await Scenario(name, self.mktemp(), server=server, rows=rows, calls=2, pause_ms=50).outcome()
            self.assertEqual((made.status, made.successful, made.resent), (0, 2, 0), f"{name}: {made.errors}")
        received = [one for one in self.server.received if one.method in {"INVITE", "ACK"}]
        branches = [(one["cseq"], re.search("branch=([^;]+)", one["via"])[1]) for one in received]  # type: ignore[index]
        refused = {branch for cseq, branch in branches if cseq == "1 INVITE"}
        self.assertEqual({branch for cseq, branch in branches if cseq == "1 ACK"}, refused)
        self.assertEqual(len(refused), 2)
        accepted = {branch for cseq, branch in branches if cseq == "2 INVITE"}
        self.assertFalse(accepted & refused)
