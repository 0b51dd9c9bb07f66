"""
A telephone that does everything right, over a network that doesn't: made of the exchange's own protocol floors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pbx.dialog.incoming import IIncomingUser, IncomingInvite
from pbx.dialog.outgoing import IOutgoingUser, OutgoingInvite
from pbx.dialog.user import OfferRefused, State
from pbx.dialog.useragent import IUserAgentOwner, UserAgentCore, UserAgentSettings, contact_of, new_call_id, new_tag
from pbx.sip.digest import Challenge, answer
from pbx.sip.dtmf_info import KeyPress
from pbx.sip.message import Headers, Request, Response
from pbx.tasks import Tasks
from pbx.transaction.layer import TransactionLayer
from pbx.transaction.limits import Limits
from pbx.transaction.timers import Timers
from pbx.transaction.user import IClientUser
from pbx.transport.guard import Guard, GuardSettings
from pbx.transport.layer import TransportLayer
from pbx.transport.settings import TransportSettings
from pbx.transport.trace import NoTrace
from tests.calls.exchange import ADDRESS, password
from tests.calls.phone import EVENTS, PCMA, PCMU, sdp
from tests.network import Network

BOTH = (PCMU, PCMA, EVENTS)
"""What most phones have."""

nonce_counts = itertools.count(1)


@implementer(IOutgoingUser, IIncomingUser)
class SoftCall:
    """
    One call as the phone sees it.

    Attributes:
        session: Its dialog's usage, once there is one that is up.
        held: Whether this phone holds it.
        gone: Whether it is over.
    """

    def __init__(self, phone: SoftPhone) -> None:
        self.phone = phone
        self.session: Any = None
        self.outgoing: OutgoingInvite | None = None
        self.incoming: IncomingInvite | None = None
        self.held = False
        self.gone = False
        self.version = 1

    @property
    def up(self) -> bool:
        """
        Whether it can be talked in.
        """
        return not self.gone and self.session is not None and self.session.state is State.UP

    def description(self, direction: str = "sendrecv") -> bytes:
        """
        What the phone says of its audio.
        """
        self.version += 1
        return sdp(self.phone.address, 4000, self.phone.formats, direction=direction, version=self.version)

    # What the person does.

    async def hold(self, *, on: bool) -> None:
        """
        Hold, or resume.
        """
        try:
            await self.session.offer(lambda: self.description("sendonly" if on else "sendrecv"))
            self.held = on
        except OfferRefused:
            return

    async def refer(self, number: str, other: SoftCall | None = None) -> None:
        """
        Transfer: to a number, or to the party of another call.
        """
        replaces = ""
        if other is not None:
            dialog = other.session.dialog
            replaces = (
                f"?Replaces={dialog.call_id}%3Bto-tag%3D{dialog.remote_tag}%3Bfrom-tag%3D{dialog.local_tag}"
            )
        await self.session.exchange("REFER", (("Refer-To", f"<sip:{number}@{ADDRESS}{replaces}>"),))

    async def press(self, key: str) -> None:
        """
        Press a key, told by INFO.
        """
        await self.session.exchange("INFO", (("Content-Type", "application/dtmf-relay"),), KeyPress(key).to_bytes())

    def hang_up(self) -> None:
        """
        Hang up, whatever it is at.
        """
        if self.gone:
            return
        if self.session is not None:
            self.session.hang_up()
        elif self.outgoing is not None:
            self.outgoing.cancel()
        elif self.incoming is not None:
            self.incoming.reject(486)
        self.over()

    def over(self) -> None:
        """
        Forget it.
        """
        self.gone = True
        if self in self.phone.calls:
            self.phone.calls.remove(self)

    # Users of dialogs.

    def ringing(self, response: Response, description: bytes | None) -> None:
        """
        It rings.
        """

    def answered(self, session: Any, response: Response, description: bytes | None) -> None:
        """
        Somebody has picked up.
        """
        self.session = session
        if self.gone:
            session.hang_up()

    def failed(self, status: int, text: str, response: Response | None) -> None:
        """
        Nobody has; credentials are given where they are asked for.
        """
        if status == 401 and response is not None and self.outgoing is not None and not self.gone:
            request = self.phone.credentials(self.outgoing.request, response)
            if request is not None:
                self.start(request)
                return
        self.over()

    def start(self, request: Request) -> None:
        """
        Send the INVITE.
        """
        phone = self.phone
        self.outgoing = OutgoingInvite(phone.core, request, phone.flow, phone.contact, self)
        self.outgoing.start()

    def cancelled(self, text: str, status: int = 487) -> None:
        """
        The caller gave up.
        """
        self.over()

    def offer_received(self, description: bytes) -> bytes:
        """
        Answer as RFC 3264 wants it.
        """
        if b"a=sendonly" in description:
            return self.description("recvonly")
        if b"a=inactive" in description:
            return self.description("inactive")
        return self.description("sendonly" if self.held else "sendrecv")

    def offer_wanted(self) -> bytes:
        """
        Offer.
        """
        return self.description()

    def answer_received(self, description: bytes) -> None:
        """
        Take it.
        """

    def acknowledged(self) -> None:
        """
        Good.
        """

    def ended(self, ending: Any) -> None:
        """
        The other side has hung up, or it has failed.
        """
        self.over()

    def information_received(self, request: Request) -> None:
        """
        Nothing.
        """

    def refer_received(self, refer: Any) -> None:
        """
        Not by the exchange.
        """
        refer.refuse(603)


@implementer(IUserAgentOwner)
class SoftPhone:
    """
    A phone of an extension.

    Attributes:
        calls: Its calls that are not over.
        rings: What is done with a call that comes: called with it.
        formats: What it has.
    """

    def __init__(self, network: Network, number: str, address: str) -> None:
        self.number = number
        self.address = address
        self.calls: list[SoftCall] = []
        self.tasks = Tasks()
        reactor = network.reactor(address)
        self.transport = TransportLayer(
            reactor, TransportSettings(sip_hosts=(address,)), Guard(reactor, GuardSettings()), NoTrace()
        )
        timers = Timers()
        self.transactions = TransactionLayer(reactor, timers, self.transport, Limits())
        self.transport.receiver = self.transactions
        self.core = UserAgentCore(reactor, timers, self.transactions, self.tasks, UserAgentSettings())
        self.core.owner = self
        self.transport.start()
        self.flow = self.transport.udp_flow((ADDRESS, 5060))
        self.contact = contact_of(self.flow, number)
        self.rings: Any = lambda call: None
        self.formats = BOTH

    def request(self, method: str, number: str) -> Request:
        """
        Make a request outside a dialog.
        """
        headers = Headers()
        headers.add("Max-Forwards", "70")
        headers.add("From", f"<sip:{self.number}@{ADDRESS}>;tag={new_tag()}")
        headers.add("To", f"<sip:{number}@{ADDRESS}>")
        headers.add("Call-ID", new_call_id())
        headers.add("CSeq", f"1 {method}")
        headers.add("Contact", self.contact)
        return Request(method, f"sip:{number}@{ADDRESS}", headers)

    def credentials(self, request: Request, response: Response) -> Request | None:
        """
        The same with credentials; ``None`` after too many tries.
        """
        if request.cseq.number > 5:
            return None
        asked = Challenge.parse(response.headers.get("WWW-Authenticate") or "")
        given = answer(asked, self.number, method=request.method, uri=request.uri, nc=1, cnonce="c",
                       password=password(self.number))
        again = request.headers.copy()
        again.remove("Via")
        again.set("CSeq", f"{request.cseq.number + 1} {request.method}")
        again.set("Authorization", str(given))
        return Request(request.method, request.uri, again, request.body)

    def register(self, expires: int = 7200) -> Registration:
        """
        Register, or with 0 no more.
        """
        request = self.request("REGISTER", self.number)
        request.uri = f"sip:{ADDRESS}"
        request.headers.add("Expires", str(expires))
        return Registration(self, request)

    def call(self, number: str, headers: Iterable[tuple[str, str]] = ()) -> SoftCall:
        """
        Dial.
        """
        call = SoftCall(self)
        self.calls.append(call)
        request = self.request("INVITE", number)
        request.headers.add("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, NOTIFY, INFO, PRACK")
        request.headers.add("Supported", "timer, 100rel")
        request.headers.add("Session-Expires", "1800")
        for name, value in headers:
            request.headers.add(name, value)
        request.headers.add("Content-Type", "application/sdp")
        request.body = call.description()
        call.start(request)
        return call

    def stop(self) -> list[Deferred[Any]]:
        """
        Switch off.
        """
        return [self.transactions.stop(), self.transport.stop(), self.tasks.stop()]

    # IUserAgentOwner

    def request_received(self, transaction: Any, request: Request) -> None:
        """
        Let an INVITE ring; the rest is answered 200.
        """
        if request.method != "INVITE":
            self.core.respond(transaction, 200)
            return
        call = SoftCall(self)
        call.incoming = IncomingInvite(self.core, transaction, request, self.number)
        call.incoming.use(call)
        call.incoming.provisional(180)
        self.calls.append(call)
        self.rings(call)

    def pick_up(self, call: SoftCall) -> None:
        """
        Answer.
        """
        if call.incoming is not None and not call.incoming.final and not call.gone:
            call.session = call.incoming.accept(call.description())

    def trusts(self, transaction: Any, request: Request) -> bool:
        """
        It speaks with the exchange alone.
        """
        return True

    def way_to(self, session: Any) -> None:
        """
        There is no other.
        """


@implementer(IClientUser)
class Registration:
    """
    One REGISTER, to its end.
    """

    def __init__(self, phone: SoftPhone, request: Request) -> None:
        self.phone = phone
        self.request = request
        self.status = 0
        phone.core.request(request, phone.flow, self)

    def response_received(self, transaction: Any, response: Response) -> None:
        """
        Answer the challenge.
        """
        self.status = response.status
        if response.status == 401:
            again = self.phone.credentials(self.request, response)
            if again is not None:
                self.request = again
                self.phone.core.request(again, self.phone.flow, self)

    def timed_out(self, transaction: Any) -> None:
        """
        In vain.
        """
        self.status = 408

    def failed(self, transaction: Any, reason: str) -> None:
        """
        In vain.
        """
        self.status = 503
