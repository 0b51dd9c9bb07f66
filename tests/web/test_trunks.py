"""
Tests for :mod:`pbx.web.trunks` and what it shares with routes and conditions (:mod:`pbx.web.plan_resource`).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.audio import codec
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.plan import Plan
from pbx.directory.trunk import Trunk, TrunkState
from pbx.ops.plan_sections import Trunk as TrunkBody
from pbx.web.plan import IPlan
from pbx.web.trunks import ChangedTrunk, ITrunkStates, LiveTrunks, Trunks
from tests.web.client import Client, FakeAudit
from tests.web.memory_plan import MemoryPlan, MemoryStates

PASSWORD = "SecurePassword123!"
BODY = {"name": "Provider 2", "host": "sip.example.com", "username": "493012345", "password": PASSWORD}
ONE = "/api/trunks/Provider%202"


class TrunksTests(SynchronousTestCase):
    """
    Trunks over the API.
    """

    def setUp(self) -> None:
        """
        A plan with a trunk from the configuration.
        """
        branch = Trunk("branch", "192.0.2.7", password=PASSWORD)
        self.plan = MemoryPlan(Plan(trunks={"branch": branch}))
        self.states = MemoryStates()
        self.audit = FakeAudit()
        self.client = Client(Trunks(self.plan, self.states, self.audit).routes())

    def refused(self, method: str, path: str, body: Any) -> dict[str, str]:
        """
        What is wrong with which field of a body.
        """
        answer = self.client.ask(method, path, body)
        self.assertEqual(answer.status, 422, answer.content)
        self.assertNotIn(PASSWORD.encode(), answer.content)
        return {error["field"]: error["detail"] for error in answer.json["errors"]}

    def test_interface(self) -> None:
        """
        The tests keep a plan and states as the interfaces say, and so are states given that are live.
        """
        verifyObject(IPlan, self.plan)
        verifyObject(ITrunkStates, self.states)
        verifyObject(ITrunkStates, LiveTrunks(None))

    def test_fields(self) -> None:
        """
        A trunk has the fields that it has in config.yml, and any of them can be changed.
        """
        names = {field.name for field in msgspec.structs.fields(TrunkBody)}
        self.assertEqual({field.name for field in msgspec.structs.fields(ChangedTrunk)}, names)
        self.client.ask("POST", "/api/trunks", BODY)
        shown = self.client.ask("GET", ONE).json
        self.assertEqual(shown.keys(), names - {"password"} | {"password_set", "from", "state"})

    def test_add_and_read(self) -> None:
        """
        A trunk that was added is used at once, and is read with how it is and without its password.
        """
        self.states.states["Provider 2"] = state = {
            "health": "up", "since": "2026-11-30T13:00:00.000+00:00", "reason": "", "registered": True, "channels": 2,
        }
        answer = self.client.ask("POST", "/api/trunks", {**BODY, "failover_on": [403], "codecs": ["PCMA"]})
        self.assertEqual((answer.status, answer.headers["location"]), (201, ONE))
        self.assertEqual(
            self.plan.plan.trunks["Provider 2"],
            Trunk("Provider 2", "sip.example.com", username="493012345", password=PASSWORD, failover_on=(403,),
                  codecs=("PCMA",)),
        )
        for shown in (answer.json, self.client.ask("GET", ONE).json):
            self.assertEqual((shown["host"], shown["codecs"], shown["from"]), ("sip.example.com", ["PCMA"], "database"))
            self.assertEqual((shown["password_set"], shown["state"]), (True, state))
        listed = self.client.ask("GET", "/api/trunks")
        self.assertEqual(
            {each["name"]: (each["from"], each["password_set"]) for each in listed.json["trunks"]},
            {"branch": ("config", True), "Provider 2": ("database", True)},
        )
        self.assertNotIn(PASSWORD, f"{answer.content!r}{listed.content!r}{self.audit.rows}")
        self.assertEqual(self.audit.rows[0][:3], ("local:root", "add", "trunk Provider 2"))
        # What nobody has written is not audited.
        self.assertEqual(self.audit.rows[0][4].keys(), answer.json.keys() - {"from", "state"})

    def test_change(self) -> None:
        """
        What a body leaves out stays, the password too; a new one is audited as such, and never shown.
        """
        self.client.ask("POST", "/api/trunks", BODY)
        answer = self.client.ask("PUT", ONE, {"port": 5061, "transport": "tls", "max_channels": None})
        self.assertEqual((answer.status, answer.json["port"], answer.json["password_set"]), (200, 5061, True))
        trunk = self.plan.plan.trunks["Provider 2"]
        self.assertEqual((trunk.port, trunk.transport, trunk.password), (5061, "tls", PASSWORD))
        self.client.ask("PUT", ONE, {"password": "Another1Password"})
        self.assertEqual(self.plan.plan.trunks["Provider 2"].password, "Another1Password")
        self.assertEqual(self.audit.rows[-1][4]["password"], "changed")
        self.assertFalse(self.client.ask("PUT", ONE, {"password": ""}).json["password_set"])
        self.assertNotIn("Password", str(self.audit.rows))
        self.assertIn("cannot be changed", self.refused("PUT", ONE, {"name": "x"})["name"])

    def test_another_host(self) -> None:
        """
        A password that is kept is not sent elsewhere: with another host or proxy it is given anew, or taken away.
        """
        proxy = {"outbound_proxy": "sbc.example.com:5080"}
        self.client.ask("POST", "/api/trunks", {**BODY, **proxy})
        wanted = self.plan.plan.trunks["Provider 2"]
        for change in (
            {"host": "evil.example"}, {"outbound_proxy": "evil.example"}, {"outbound_proxy": None},
            {"outbound_proxy": "sbc.example.com:5090"}, {"host": "evil.example", "outbound_proxy": None},
        ):
            told = self.refused("PUT", ONE, change)
            self.assertEqual(told.keys(), {"password"}, change)
            for name in change:
                self.assertIn(name, told["password"])
        self.assertEqual(self.plan.plan.trunks["Provider 2"], wanted)
        for same in ({"host": "SIP.example.com"}, {"host": BODY["host"], "port": 5070}, proxy, {"priority": 3}):
            self.assertEqual(self.client.ask("PUT", ONE, same).status, 200, same)
        answer = self.client.ask("PUT", ONE, {"host": "new.example", "password": "Another1Password"})
        self.assertEqual((answer.status, answer.json["host"], answer.json["password_set"]), (200, "new.example", True))
        self.assertEqual(self.plan.plan.trunks["Provider 2"].password, "Another1Password")
        self.assertEqual(self.client.ask("PUT", ONE, {"outbound_proxy": None, "password": ""}).status, 200)
        # Without one there is nothing to be sent.
        self.assertEqual(self.client.ask("PUT", ONE, {"host": "third.example"}).status, 200)

    def test_another_host_meanwhile(self) -> None:
        """
        A change that began before host and password were set anew does not put the former host beside that password.
        """
        self.client.ask("POST", "/api/trunks", {**BODY, "host": "evil.example", "password": "x" * 12})
        read, held = self.plan.get, Deferred[None]()

        async def get(kind: Any, name: str) -> Any:
            piece = await read(kind, name)
            self.plan.get = read  # type: ignore[method-assign]
            await held
            return piece

        self.plan.get = get  # type: ignore[method-assign]
        self.client.send("PUT", ONE, {"priority": 2})
        self.client.send("PUT", ONE, {"host": "sip.example.com", "password": PASSWORD})
        held.callback(None)
        trunk = self.plan.plan.trunks["Provider 2"]
        self.assertEqual((trunk.host, trunk.password, trunk.priority), ("sip.example.com", PASSWORD, 2))

    def test_another_host_of_a_lost_password(self) -> None:
        """
        So it is where the password can't be read now: its key may be put back.
        """
        self.client.ask("POST", "/api/trunks", {**BODY, "username": "", "password": ""})
        self.plan.lost["Provider 2"] = "it was encrypted with another key"
        self.assertIn("host", self.refused("PUT", ONE, {"host": "evil.example"})["password"])

    def test_mistakes(self) -> None:
        """
        Each wrong field is named, in the words in which config.yml has it refused.
        """
        self.assertEqual(
            self.refused("POST", "/api/trunks", {"name": "a/b", "host": "sip:x", "port": 0, "dids": ["x y"]}).keys(),
            {"name", "host", "port", "dids"},
        )
        self.assertIn("missing", self.refused("POST", "/api/trunks", {"name": "a"})["host"])
        self.assertIn("did you mean", self.refused("POST", "/api/trunks", {**BODY, "pasword": "x"})["pasword"])
        for password in ("${HOME}", "file:/etc/shadow"):
            self.assertIn("config.yml", self.refused("POST", "/api/trunks", {**BODY, "password": password})["password"])
        found = self.refused("POST", "/api/trunks", {**BODY, "transport": "x"})
        self.assertIn("one of udp, tcp, tls", found["transport"])
        self.assertEqual(self.plan.kept["trunk"], [])

    def test_codecs_not_installed(self) -> None:
        """
        A codec that needs what is not installed is refused with what to install, in a new trunk and in a changed one;
        a trunk that has one already can be changed otherwise.
        """
        self.client.ask("POST", "/api/trunks", {**BODY, "codecs": ["G722"]})
        self.patch(codec, "available", lambda: False)
        for method, path, body in (
            ("POST", "/api/trunks", {**BODY, "name": "b", "codecs": ["G722"]}), ("PUT", ONE, {"codecs": ["opus"]}),
        ):
            self.assertIn("pip install 'pbx[codecs]'", self.refused(method, path, body)["codecs"])
        self.assertEqual(self.client.ask("PUT", ONE, {"priority": 2}).status, 200)
        self.assertEqual({each.name: each.codecs for each in self.plan.kept["trunk"]}, {"Provider 2": ("G722",)})

    def test_from_the_configuration(self) -> None:
        """
        A trunk of config.yml is shown, and changed there only; its name is taken.
        """
        for method in ("PUT", "DELETE"):
            answer = self.client.ask(method, "/api/trunks/branch", {"port": 5080} if method == "PUT" else None)
            self.assertEqual(answer.status, 409)
            self.assertIn("config.yml (sip_trunks)", answer.json["detail"])
        answer = self.client.ask("POST", "/api/trunks", {**BODY, "name": "branch"})
        self.assertEqual((answer.status, answer.json["field"]), (409, "name"))

    def test_taken_and_missing(self) -> None:
        """
        A name is taken once; what is not there, or is removed at the same time, is 404.
        """
        self.client.ask("POST", "/api/trunks", BODY)
        self.assertEqual(self.client.ask("POST", "/api/trunks", BODY).status, 409)
        for method in ("GET", "PUT", "DELETE"):
            answer = self.client.ask(method, "/api/trunks/x", {} if method == "PUT" else None)
            self.assertEqual((answer.status, answer.json["detail"]), (404, "There is no trunk x."))
        self.plan.gone.add("Provider 2")
        self.assertEqual(self.client.ask("PUT", ONE, {"port": 1}).status, 404)
        self.assertEqual(self.client.ask("DELETE", ONE).status, 404)

    def test_remove(self) -> None:
        """
        A trunk is removed, unless a route names it: then the answer says which.
        """
        self.client.ask("POST", "/api/trunks", BODY)
        self.plan.put("outbound_route", OutboundRoute("all", (".",), trunks=("branch", "Provider 2")))
        self.plan.put("inbound_route", InboundRoute("main", Target("hangup"), trunk="Provider 2"))
        answer = self.client.ask("DELETE", ONE)
        self.assertEqual(answer.status, 409)
        self.assertEqual(answer.json["used_by"], ["outbound route all", "inbound route main"])
        self.plan.kept["outbound_route"].clear()
        self.plan.kept["inbound_route"].clear()
        self.plan.put("outbound_route")
        self.plan.put("inbound_route")
        self.assertEqual(self.client.ask("DELETE", ONE).status, 204)
        self.assertEqual([*self.plan.plan.trunks], ["branch"])
        self.assertEqual(self.audit.rows[-1][1:3], ("remove", "trunk Provider 2"))

    def test_lost_password(self) -> None:
        """
        A trunk whose password can't be read says so; a password that can't be kept is refused.
        """
        self.client.ask("POST", "/api/trunks", BODY)
        self.plan.lost["Provider 2"] = "it was encrypted with another key"
        shown = self.client.ask("GET", ONE).json
        self.assertEqual((shown["password_set"], shown["state"]["health"]), (True, "down"))
        self.assertIn("encrypted with another key", shown["state"]["reason"])
        self.plan.has_key = False
        answer = self.client.ask("PUT", ONE, {"password": "Another1Password"})
        self.assertEqual(answer.status, 503)
        self.assertIn("secret.key", answer.json["detail"])
        self.assertEqual(self.client.ask("POST", "/api/trunks", {**BODY, "name": "b"}).status, 503)


class LiveTrunksTests(SynchronousTestCase):
    """
    How trunks are.
    """

    def test_state(self) -> None:
        """
        A line says how it is; nobody looks after a trunk that is not enabled.
        """
        lines: dict[str, Any] = {
            "a": SimpleNamespace(
                trunk=Trunk("a", "x"), state=TrunkState("down", "no answer", 1), since=0.5,
                registration=SimpleNamespace(registered=False),
            ),
            "b": SimpleNamespace(trunk=Trunk("b", "x"), state=TrunkState(), since=0.5, registration=None),
            "c": SimpleNamespace(trunk=Trunk("c", "x", enabled=False), state=TrunkState()),
        }
        live = LiveTrunks(SimpleNamespace(line=lines.get))
        self.assertEqual(live.state("a"), {
            "health": "down", "since": "1970-01-01T00:00:00.500+00:00", "reason": "no answer", "registered": False,
            "channels": 1,
        })
        state = live.state("b")
        self.assertEqual(None if state is None else state["registered"], None)
        self.assertEqual((live.state("c"), live.state("d"), LiveTrunks(None).state("a")), (None, None, None))
