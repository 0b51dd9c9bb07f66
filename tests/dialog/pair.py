"""
Two user agents back to back on a network in memory that loses, doubles, delays and reorders what they say.
"""

from __future__ import annotations

import secrets
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase

from pbx.dialog.incoming import IncomingInvite
from pbx.dialog.outgoing import OutgoingInvite
from pbx.dialog.user import Ending, OfferRefused
from pbx.dialog.useragent import ALLOW, UserAgentCore, UserAgentSettings, contact_of, new_call_id, new_tag
from pbx.sip.message import Headers, ProtocolError, Request, Response
from pbx.sip.parser import parse
from pbx.tasks import Tasks
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transport.flow import Flow
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.layer import TransportLayer
from pbx.transport.resolver import Target
from pbx.transport.settings import TransportSettings
from pbx.transport.trace import NoTrace
from tests.dialog.stage import SDP, Leg, Owner
from tests.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pbx.dialog.session import Session

ANNA, BERT, CARL, PROXY = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"


class Party(Leg):
    """
    One side of a call.

    Attributes:
        state: ``waiting``, ``up`` or ``over``.
        agreed: The last offer and answer that this side knows of.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent
        self.state = "waiting"
        self.agreed: tuple[bytes, bytes | None] | None = None
        self.incoming: IncomingInvite | None = None
        self.outgoing: OutgoingInvite | None = None
        self.offers = 0
        agent.parties.append(self)

    def note(self, state: str) -> None:
        """
        Move on; nothing moves back, or ends twice.
        """
        if self.state == "over":
            raise AssertionError(f"{state} after the end: {self.heard}")
        self.state = state

    # What it does.

    def ring(self, status: int = 180, sdp: bytes | None = None) -> None:
        """
        Ring, if the call is still there.
        """
        if self.incoming is not None and self.state == "waiting":
            self.incoming.provisional(status, sdp)

    def accept(self) -> None:
        """
        Pick up, if the call is still there.
        """
        if self.incoming is None or self.state != "waiting" or self.incoming.final:
            return
        offer = self.incoming.offer or b""
        self.note("up")
        self.agreed = (offer, b"answer to " + offer)
        self.session = self.incoming.accept(b"answer to " + offer)

    def decline(self) -> None:
        """
        Be busy.
        """
        if self.incoming is not None and self.state == "waiting" and not self.incoming.final:
            self.note("over")
            self.incoming.reject(486)

    def hang_up(self) -> None:
        """
        End it, from whatever state.
        """
        if self.state == "up" and self.session is not None:
            self.note("over")
            self.session.hang_up()
        elif self.state == "waiting" and self.outgoing is not None:
            self.outgoing.cancel()
        elif self.state == "waiting":
            self.decline()

    def reoffer(self) -> None:
        """
        Make a new offer.
        """
        if self.state == "up" and self.session is not None:
            self.offers += 1
            sdp = f"offer {self.offers} of {self.agent.address}".encode()
            self.agent.tasks.start(self._reoffer(self.session, sdp), "offer")

    async def _reoffer(self, session: Session, sdp: bytes) -> None:
        try:
            self.agreed = (sdp, await session.offer(lambda: sdp))
        except OfferRefused as refused:
            self.heard.append(("refused", refused.status))

    # What it is told.

    def offer_received(self, sdp: bytes) -> bytes:
        super().offer_received(sdp)
        self.agreed = (sdp, b"answer to " + sdp)
        return b"answer to " + sdp

    def answered(self, session: Session, response: Response, sdp: bytes | None) -> None:
        super().answered(session, response, sdp)
        self.note("up")
        self.agreed = (b"offer", sdp)

    def ended(self, ending: Ending) -> None:
        super().ended(ending)
        self.note("over")

    def cancelled(self, text: str, status: int = 487) -> None:
        super().cancelled(text, status)
        self.note("over")

    def failed(self, status: int, text: str, response: Response | None) -> None:
        super().failed(status, text, response)
        self.note("over")


class Agent(Owner):
    """
    One user agent on the network, everything from its socket to its calls.

    Attributes:
        parties: Its calls.
        habit: What it does with a call that comes in.
    """

    def __init__(self, network: Network, address: str, settings: UserAgentSettings) -> None:
        super().__init__()
        self.network = network
        self.address = address
        self.parties: list[Party] = []
        self.habit: Callable[[Party], None] = lambda party: None
        self.tasks = Tasks()
        reactor = network.reactor(address)
        options = TransportSettings(sip_hosts=(address,), sip_port=5060)
        self.transport = TransportLayer(reactor, options, Guard(reactor, GuardSettings()), NoTrace())
        self.layer = TransactionLayer(reactor, Timers(), self.transport, Limits())
        self.transport.receiver = self.layer
        self.core = UserAgentCore(reactor, Timers(), self.layer, self.tasks, settings)
        self.core.owner = self
        self.transport.start()

    def request_received(self, transaction: Any, request: Request) -> None:
        if request.method != "INVITE":
            raise ProtocolError(405, "Method Not Allowed")
        party = Party(self)
        party.incoming = IncomingInvite(self.core, transaction, request, "me")
        party.incoming.use(party)
        self.habit(party)

    def call(self, address: str, headers: Iterable[tuple[str, str]] = (), flow: Flow | None = None) -> Party:
        """
        Call somebody, over UDP when nothing else is said.
        """
        party = Party(self)
        flow = flow or self.transport.udp_flow((address, 5060))
        contact = contact_of(flow, "me")
        made = Headers()
        for name, value in (
            ("Max-Forwards", "70"), ("From", f"<sip:me@{self.address}>;tag={new_tag()}"),
            ("To", f"<sip:you@{address}>"), ("Call-ID", new_call_id()), ("CSeq", "1 INVITE"),
            ("Contact", contact), ("Allow", ALLOW),
            ("Supported", "timer, 100rel"), ("Session-Expires", str(self.core.settings.session_expires)), SDP, *headers,
        ):
            made.add(name, value)
        request = Request("INVITE", f"sip:you@{address}", made, b"offer")
        party.outgoing = OutgoingInvite(self.core, request, flow, contact, party)
        party.outgoing.start()
        return party

    def connect(self, address: str) -> Flow:
        """
        A connection to somebody.
        """
        found = Deferred.fromCoroutine(self.transport.open(Target("TCP", address, 5060)))
        self.network.advance(1)
        flow = found.result
        assert isinstance(flow, Flow)
        return flow

    def left(self) -> dict[str, int]:
        """
        What is there that should be gone when no call is.
        """
        found = {
            "dialogs": len(self.core.dialogs), "invites": len(self.core.invites), "late": len(self.core.late),
            "transactions": self.layer.active, "strangers": self.layer.unauthenticated, "tasks": len(self.tasks),
        }
        return {name: count for name, count in found.items() if count}


class Fork(DatagramProtocol):
    """
    A proxy that sends each new INVITE two ways, and everything back; it keeps no state.
    """

    def __init__(self, network: Network, *ways: str) -> None:
        self.ways = ways
        network.reactor(PROXY).listenUDP(5060, self, interface=PROXY, maxPacketSize=65535)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        message = parse(datagram)
        if isinstance(message, Response):
            rows = message.headers.get_all("Via")[1:]
            message.headers.remove("Via")
            for row in rows:
                message.headers.add("Via", row)
            host = message.top_via.host
            self.pass_on(message, host)
            return
        ways = (message.target.host,) if message.to_tag else self.ways
        for way in ways:
            copy = parse(datagram)
            copy.headers.prepend("Via", f"SIP/2.0/UDP {PROXY}:5060;branch={copy.top_via.branch}-{way}")
            self.pass_on(copy, way)

    def pass_on(self, message: Request | Response, host: str) -> None:
        """
        Send it.
        """
        assert self.transport is not None
        self.transport.write(message.to_bytes(), (host, 5060))


class PairCase(SynchronousTestCase):
    """
    User agents on one network, again and again with other luck.
    """

    SEEDS = 100
    settings = UserAgentSettings(session_expires=1800)

    def setUp(self) -> None:
        self.agents: list[Agent] = []

    def begin(self, seed: int, *, addresses: tuple[str, ...] = (ANNA, BERT), loss: float = 0.15, repeat: float = 0.1,
              jitter: float = 0.3) -> Random:
        """
        A network of this luck, and agents on it.
        """
        chance = Random(seed)  # noqa: S311  # dice, not keys
        # Pauses after a glare are drawn from it too, so that each run comes out as it did before.
        self.patch(secrets, "randbelow", chance.randrange)
        self.network = Network(seed, delay=0.02)
        self.network.loss, self.network.duplication, self.network.jitter = loss, repeat, jitter
        self.agents = [Agent(self.network, address, self.settings) for address in addresses]
        self.idle = len(self.network.clock.getDelayedCalls())
        return chance

    @property
    def anna(self) -> Agent:
        """
        The one who calls.
        """
        return self.agents[0]

    @property
    def bert(self) -> Agent:
        """
        The one who is called.
        """
        return self.agents[1]

    def later(self, seconds: float, what: Callable[..., Any], *args: Any) -> None:
        """
        Do something in some time.
        """
        self.network.clock.callLater(seconds, what, *args)

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.network.advance(seconds)

    def up(self, headers: Iterable[tuple[str, str]] = ()) -> tuple[Party, Party]:
        """
        A call that is up on a network that loses nothing yet, then does.
        """
        luck = self.network.loss, self.network.duplication, self.network.jitter
        self.network.loss = self.network.duplication = self.network.jitter = 0.0
        self.bert.habit = Party.accept
        near = self.anna.call(BERT, headers)
        self.wait(1)
        self.network.loss, self.network.duplication, self.network.jitter = luck
        far = self.bert.parties[-1]
        self.assertEqual((near.state, far.state), ("up", "up"))
        return near, far

    def states(self) -> list[str]:
        """
        The states of all sides.
        """
        return [party.state for agent in self.agents for party in agent.parties]

    def agree(self, *parties: Party) -> None:
        """
        Both sides are up or both are over, and those that are up know the same last offer and answer.
        """
        self.assertEqual(len({party.state for party in parties}), 1, [party.heard for party in parties])
        if parties[0].state == "up":
            self.assertEqual(len({party.agreed for party in parties}), 1, [party.heard for party in parties])

    def finish(self) -> None:
        """
        Hang up what is up; then nothing may be left.
        """
        for agent in self.agents:
            for party in agent.parties:
                party.hang_up()
        self.wait(140)
        self.assertEqual(set(self.states()) - {"over"}, set())
        self.assertEqual([agent.left() for agent in self.agents], [{}] * len(self.agents))
        self.break_connections()
        self.wait(1)
        calls = self.network.clock.getDelayedCalls()
        self.assertLessEqual(len(calls), self.idle, calls)
        for agent in self.agents:
            agent.layer.stop()
            agent.transport.stop()
        self.wait(1)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def break_connections(self) -> None:
        """
        Reset all connections.
        """
        for agent in self.agents:
            for stream in list(self.network.reactor(agent.address).streams):
                stream.abortConnection()

    def run_seeds(self, scenario: Callable[[Random], None], seeds: int | None = None, **options: Any) -> None:
        """
        Play a scenario with every seed.
        """
        for seed in range(seeds or self.SEEDS):
            try:
                scenario(self.begin(seed, **options))
                self.finish()
            except AssertionError as error:
                raise self.failureException(f"seed {seed}: {error}") from error

