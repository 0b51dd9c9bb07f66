"""
What tests of dialogs stand on: one user agent core with a script on the other side, in virtual time.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pbx.dialog.credentials import ICredentials
from pbx.dialog.incoming import IIncomingUser, IncomingInvite
from pbx.dialog.outgoing import IOutgoingUser, OutgoingInvite
from pbx.dialog.session import Session
from pbx.dialog.user import Ending, OfferRefused
from pbx.dialog.useragent import IUserAgentOwner, UserAgentCore, UserAgentSettings
from pbx.sip.message import Headers, ProtocolError, Request, Response, response_to
from pbx.sip.parser import parse
from pbx.tasks import Tasks
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transport.flow import FlowClosed
from pbx.transport.resolver import Target
from tests.transaction.link import Wire

CONTACT = "<sip:pbx@192.0.2.1:5060>"
PEER = "<sip:1002@192.0.2.2:5060>"
OFFER = b"v=0 offer"
ANSWER = b"v=0 answer"
OTHER = b"v=0 another offer"
SDP = ("Content-Type", "application/sdp")


@implementer(IIncomingUser, IOutgoingUser)
class Leg:
    """
    Whom sessions belong to: writes down what it is told.

    Attributes:
        heard: What it was told, in order, the name first.
        answer: Its answer to each offer; an exception is raised instead.
        offer: Its offer where one is wanted.
        refuses: Raised when an answer comes.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.session: Session | None = None
        self.answer: bytes | Exception = ANSWER
        self.offer = OFFER
        self.refuses: Exception | None = None

    def take(self) -> list[tuple[Any, ...]]:
        """
        What was heard since the last look.
        """
        heard, self.heard = self.heard, []
        return heard

    def names(self) -> list[str]:
        """
        The names of what was heard since the last look.
        """
        return [event[0] for event in self.take()]

    def offer_received(self, sdp: bytes) -> bytes:
        self.heard.append(("offer", sdp))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def offer_wanted(self) -> bytes:
        self.heard.append(("wanted",))
        return self.offer

    def answer_received(self, sdp: bytes) -> None:
        self.heard.append(("answer", sdp))
        if self.refuses is not None:
            raise self.refuses

    def acknowledged(self) -> None:
        self.heard.append(("acknowledged",))

    def ended(self, ending: Ending) -> None:
        self.heard.append(("ended", ending.by_peer, ending.cause, ending.text))

    def information_received(self, request: Request) -> None:
        self.heard.append(("information", request.body))
        if isinstance(self.answer, Exception):
            raise self.answer

    def refer_received(self, refer: Any) -> None:
        self.heard.append(("refer", refer))

    def cancelled(self, text: str, status: int = 487) -> None:
        self.heard.append(("cancelled", text, status))

    def ringing(self, response: Response, sdp: bytes | None) -> None:
        self.heard.append(("ringing", response.status, sdp))

    def answered(self, session: Session, response: Response, sdp: bytes | None) -> None:
        self.session = session
        self.heard.append(("answered", sdp))

    def failed(self, status: int, text: str, response: Response | None) -> None:
        self.heard.append(("failed", status, text))


@implementer(IUserAgentOwner)
class Owner:
    """
    Who takes requests outside dialogs, and answers as it is told.

    Attributes:
        requests: What it was given.
        trusting: Whether requests from elsewhere are the peer's.
        way: The flow to a peer whose own has closed.
        serve: What it does with each request.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[Any, Request]] = []
        self.trusting = True
        self.way: Any = None
        self.serve: Any = lambda transaction, request: None

    def request_received(self, transaction: Any, request: Request) -> None:
        self.requests.append((transaction, request))
        self.serve(transaction, request)

    def trusts(self, transaction: Any, request: Request) -> bool:
        if not self.trusting:
            transaction.respond(response_to(request, 401, to_tag=request.to_tag))
        return self.trusting

    def way_to(self, session: Session) -> Any:
        return self.way


class Stage:
    """
    One core at 192.0.2.1, its clock and owner, and the flows it is made to open.

    Attributes:
        reachable: Whether new connections come about.
        opened: Those that did.
        credentials: What requests of ours prove themselves with.
    """

    credentials: ICredentials | None = None

    def __init__(self, settings: UserAgentSettings | None = None) -> None:
        self.clock = Clock()
        self.tasks = Tasks()
        self.owner = Owner()
        self.reachable = True
        self.opened: list[tuple[Target, Wire]] = []
        timers = Timers()
        self.layer = TransactionLayer(self.clock, timers, self, Limits())
        self.core = UserAgentCore(self.clock, timers, self.layer, self.tasks, settings or UserAgentSettings())
        self.core.owner = self.owner
        self.flow = Wire()
        self.leg = Leg()

    async def open(self, target: Target) -> Wire:
        """
        What the transport layer does.
        """
        if not self.reachable:
            raise FlowClosed("connection refused")
        wire = Wire(transport=target.transport, remote=(target.host, target.port))
        self.opened.append((target, wire))
        return wire

    def wait(self, seconds: float) -> None:
        """
        Let time pass in steps of a tenth of a second; what has come due meanwhile was at its time.
        """
        self.clock.pump([0.1] * round(seconds * 10))

    def leap(self, seconds: float) -> None:
        """
        Let much time pass while nothing is due.
        """
        self.clock.advance(seconds)

    def receive(self, message: Request | Response, flow: Wire | None = None) -> None:
        """
        A message comes, parsed from its bytes as the transport would.
        """
        self.layer.message_received(parse(message.to_bytes()), flow or self.flow)

    def left(self) -> dict[str, int]:
        """
        What is there that should be gone when nothing goes on.
        """
        found = {
            "dialogs": len(self.core.dialogs), "subscriptions": len(self.core.subscriptions),
            "invites": len(self.core.invites), "late": len(self.core.late),
            "transactions": self.layer.active, "strangers": self.layer.unauthenticated,
            "tasks": len(self.tasks), "calls": len(self.clock.getDelayedCalls()),
        }
        return {name: count for name, count in found.items() if count}


class StageCase(SynchronousTestCase):
    """
    One core with a script on the other side, and nothing left afterwards.
    """

    settings: UserAgentSettings | None = None

    def setUp(self) -> None:
        self.stage = Stage(self.settings)
        self.core = self.stage.core
        self.leg = self.stage.leg
        self._branches = 0
        self.cseq = 1

    def tearDown(self) -> None:
        """
        A minute and a half later nothing is left.
        """
        self.stage.wait(110)
        self.assertEqual(self.stage.left(), {})

    @property
    def flow(self) -> Wire:
        """
        Where the peer is heard and spoken to.
        """
        return self.stage.flow

    @flow.setter
    def flow(self, flow: Wire) -> None:
        self.stage.flow = flow

    # What the peer sends.

    def request(
        self, method: str, *, cseq: int | None = None, to_tag: str | None = None, headers: Any = (), body: bytes = b"",
        call_id: str = "call-1", contact: str | None = PEER, uri: str = "sip:1001@192.0.2.1", branch: str = "",
    ) -> Request:
        """
        A request of the peer's, of the dialog whose tag of ours is ``to_tag``.
        """
        self._branches += 1
        made = Headers()
        made.add("Via", f"SIP/2.0/{self.flow.transport} 192.0.2.2:5060;branch={branch or f'z9hG4bK{self._branches}'}")
        made.add("Max-Forwards", "70")
        made.add("From", '"Peer" <sip:1002@pbx.example>;tag=peer-1')
        made.add("To", "<sip:1001@pbx.example>" + (f";tag={to_tag}" if to_tag else ""))
        made.add("Call-ID", call_id)
        if cseq is None:
            cseq = self.cseq
            if method not in ("ACK", "CANCEL"):
                self.cseq += 1
        made.add("CSeq", f"{cseq} {method}")
        if contact is not None and method not in ("BYE", "CANCEL"):
            made.add("Contact", contact)
        for name, value in headers:
            made.set(name, value)
        if body and "Content-Type" not in made:
            made.add(*SDP)
        return Request(method, uri, made, body)

    def ask(self, method: str, flow: Wire | None = None, **options: Any) -> Any:
        """
        Send a request of the peer's; its last response, if one came at once.
        """
        request = self.request(method, **options)
        self.stage.receive(request, flow)
        if method == "ACK":
            return None
        wire, found = flow or self.flow, None
        for data in list(wire.sent):
            message = parse(data)
            if isinstance(message, Response) and message.headers.get("CSeq") == request.headers.get("CSeq"):
                wire.sent.remove(data)
                found = message
        return found

    def within(self, method: str, flow: Wire | None = None, **options: Any) -> Any:
        """
        Send a request of the peer's within the session, and return its response.
        """
        session = self.session
        dialog = session.dialog
        headers = [
            ("From", dialog.remote), ("To", dialog.local), *options.pop("headers", ()),
        ]
        return self.ask(method, flow, headers=headers, call_id=dialog.call_id, **options)

    def took(self) -> list[Any]:
        """
        What was sent since the last look.
        """
        return self.flow.take()

    def short(self) -> list[int | str]:
        """
        What was sent since the last look: methods of requests, statuses of responses.
        """
        return [message.status if isinstance(message, Response) else message.method for message in self.took()]

    # Sessions.

    session: Session

    def invited(self, *, body: bytes = OFFER, headers: Any = (), **options: Any) -> IncomingInvite:
        """
        An INVITE of the peer's, in our hands.
        """
        found: list[IncomingInvite] = []

        def serve(transaction: Any, request: Request) -> None:
            invite = IncomingInvite(self.core, transaction, request, "pbx")
            invite.use(self.leg)
            found.append(invite)

        self.stage.owner.serve = serve
        self.invite = self.request("INVITE", body=body, headers=headers, **options)
        self.stage.receive(self.invite)
        if not found:
            return None  # type: ignore[return-value]  # it was refused
        self.incoming = found[0]
        return self.incoming

    def accepted(self, *, acknowledge: bool = True, **options: Any) -> Session:
        """
        A session by an INVITE of the peer's.
        """
        invite = self.invited(**options)
        self.session = invite.accept(ANSWER if invite.offer is not None else OFFER)
        self.answer = self.took()[-1]
        self.assertEqual(self.answer.status, 200)
        if acknowledge:
            self.acknowledge()
        return self.session

    def acknowledge(self, body: bytes = b"", cseq: int | None = None, flow: Wire | None = None) -> None:
        """
        The peer acknowledges our 2xx.
        """
        self.within("ACK", flow, cseq=self.invite.cseq.number if cseq is None else cseq, body=body)

    def cancel(self, *headers: tuple[str, str]) -> None:
        """
        The peer cancels its INVITE.
        """
        branch = self.invite.top_via.branch or ""
        self.stage.receive(self.request("CANCEL", cseq=self.invite.cseq.number, branch=branch, headers=headers))

    def inviting(self, flow: Wire | None = None, headers: Any = ()) -> OutgoingInvite:
        """
        Send an INVITE.
        """
        made = Headers()
        made.add("Max-Forwards", "70")
        made.add("From", "<sip:1001@pbx.example>;tag=ours-1")
        made.add("To", "<sip:1002@pbx.example>")
        made.add("Call-ID", "call-2")
        made.add("CSeq", "1 INVITE")
        made.add("Contact", CONTACT)
        made.add("Supported", "timer, 100rel")
        made.add("Session-Expires", "1800")
        made.add(*SDP)
        for name, value in headers:
            made.add(name, value)
        wire = flow or self.flow
        self.outgoing = OutgoingInvite(
            self.core, Request("INVITE", "sip:1002@192.0.2.2", made, OFFER), wire, CONTACT, self.leg,
            self.stage.credentials,
        )
        self.outgoing.start()
        self.sent = wire.take()[-1]
        return self.outgoing

    def respond(
        self, status: int, tag: str | None = "peer-1", *, body: bytes = b"", headers: Any = (),
        contact: str | None = PEER, to: Request | None = None, flow: Wire | None = None,
    ) -> None:
        """
        The peer answers a request of ours, by default our INVITE.
        """
        response = response_to(to or self.sent, status, to_tag=tag)
        if contact is not None and status < 300:
            response.headers.add("Contact", contact)
        if body:
            response.headers.add(*SDP)
            response.body = body
        for name, value in headers:
            response.headers.set(name, value)
        self.stage.receive(response, flow)

    def answered(self, *, allow: str = "INVITE, ACK, BYE", headers: Any = (), flow: Wire | None = None) -> Session:
        """
        A session by an INVITE of ours.
        """
        self.inviting(flow)
        self.respond(200, body=ANSWER, headers=[("Allow", allow), *headers], flow=flow)
        assert self.leg.session is not None
        self.session = self.leg.session
        (flow or self.flow).take()
        self.leg.take()
        return self.session

    def end(self) -> None:
        """
        The peer hangs up.
        """
        self.assertEqual(self.within("BYE").status, 200)


class SessionCase(StageCase):
    """
    A session that is up, and offers of ours in it.
    """

    def offer(self, *offers: bytes) -> Deferred[bytes]:
        """
        Make an offer: one for each try, the last for all further ones.
        """
        left = list(offers or (OTHER,))
        return Deferred.fromCoroutine(self.session.offer(lambda: left.pop(0) if len(left) > 1 else left[0]))

    def refused(self, offer: Deferred[bytes]) -> int:
        """
        The status that an offer was refused with.
        """
        status: int = self.failureResultOf(offer, OfferRefused).value.status
        return status

    def elsewhere(self) -> Wire:
        """
        A flow from another address.
        """
        return Wire(remote=("198.51.100.7", 5060))


def refusal(status: int) -> ProtocolError:
    """
    An error of a user that refuses.
    """
    return ProtocolError(status, "Not Acceptable Here")
