"""
The registrar: what a REGISTER does to the location table (RFC 3261 10.3, RFC 5626 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen
from twisted.logger import Logger

from pbx.dialog.useragent import new_tag
from pbx.registrar.binding import Binding
from pbx.sip.dialled import dialled_number
from pbx.sip.message import ProtocolError, response_to
from pbx.sip.uri import URI

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pbx.directory.extension import Extension
    from pbx.registrar.location import Location
    from pbx.sip.address import NameAddr
    from pbx.sip.message import Request
    from pbx.transaction.server_transaction import ServerTransaction
    from pbx.transport.flow import Flow

MOST_CONTACTS = 10
"""Contacts in one REGISTER: as many as an extension may have bindings."""

LONGEST_CONTACT = 500
"""Characters of a Contact URI: it is the Request-URI of our INVITE, which has to fit in one datagram."""


@frozen
class RegistrarSettings:
    """
    How long a registration lasts, in seconds.

    Attributes:
        default: Where the phone names no time.
        shortest: Less is refused with 423.
        longest: More is cut.
        behind_nat: The most for a UDP phone behind an address translation, whose mapping would close.
    """

    default: int = 3600
    shortest: int = 60
    longest: int = 7200
    behind_nat: int = 120


class Registrar:
    """
    Serves REGISTER requests of extensions that proved who they are.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, location: Location, settings: RegistrarSettings) -> None:
        self._clock = clock
        self._location = location
        self._settings = settings
        self.served = 0

    def reconfigure(self, settings: RegistrarSettings) -> None:
        """
        Give registrations other times from now on; those there are last as long as their phones were told.
        """
        self._settings = settings

    def register(self, transaction: ServerTransaction, request: Request, extension: Extension) -> None:
        """
        Add, refresh, remove or list the bindings of an extension, and answer.

        Raises:
            ProtocolError: 403 for another's address, 400 for a Contact that makes no sense, 423 for too short a time
                (answered here), 500 for a request out of order.
        """
        if dialled_number(request.to.uri) != extension.number:
            raise ProtocolError(403, "Forbidden")
        self.served += 1
        before = self._location.bindings(extension.number)
        contacts = request.contacts
        after: tuple[Binding, ...] = before
        if request.star_contact:
            if request.expires != 0:
                raise ProtocolError(400, "Contact: * needs Expires: 0")
            _in_order(request, before)
            after = ()
        elif contacts:
            if len(contacts) > MOST_CONTACTS:
                raise ProtocolError(400, "Too many Contacts")
            if not all(_callable(contact) for contact in contacts):
                raise ProtocolError(400, "Contact is no SIP address")
            lifetimes = [self._lifetime(request, contact) for contact in contacts]
            if any(0 < seconds < self._settings.shortest for seconds in lifetimes):
                response = response_to(request, 423, None, new_tag())
                response.headers.add("Min-Expires", str(self._settings.shortest))
                transaction.respond(response)
                return
            after = self._updated(before, request, contacts, lifetimes, extension, transaction.flow)
        if after is not before:
            self._location.replace(extension.number, after)
            self._tell(extension, before, after, transaction.flow)
        self._answer(transaction, request, self._location.bindings(extension.number))

    def _updated(
        self,
        before: tuple[Binding, ...],
        request: Request,
        contacts: list[NameAddr],
        lifetimes: list[int],
        extension: Extension,
        flow: Flow,
    ) -> tuple[Binding, ...]:
        call_id, cseq = request.call_id, request.cseq.number
        now, wall = self._clock.seconds(), self._location.wall()
        added: list[Binding] = []
        replaced: set[int] = set()
        for contact, lifetime in zip(contacts, lifetimes, strict=True):
            seconds = lifetime
            uri, instance = contact.uri, _instance(contact)
            text = str(uri)
            for at, old in enumerate(before):
                if (
                    old.contact == text
                    or (instance and old.instance == instance)
                    or (old.call_id == call_id and not instance and not old.instance)
                    or URI.parse(old.contact).equivalent(uri)
                ):
                    if old.call_id == call_id and cseq <= old.cseq:
                        # RFC 3261 10.3, step 7: an older request that comes late changes nothing.
                        raise ProtocolError(500, "REGISTER out of order")
                    replaced.add(at)
            # The same Contact once more in one REGISTER: the last word stands.
            added = [new for new in added if not URI.parse(new.contact).equivalent(uri)]
            if seconds == 0:
                continue
            nat = _behind_nat(request, uri, flow)
            if nat and flow.transport == "UDP":
                seconds = min(seconds, self._settings.behind_nat)
            added.append(
                Binding(
                    aor=extension.number, contact=text, flow=flow, expires=now + seconds, expires_at=wall + seconds,
                    registered_at=wall, call_id=call_id, cseq=cseq, instance=instance,
                    user_agent=(request.headers.get("User-Agent") or "")[:120], nat=nat,
                )
            )
        return (*(old for at, old in enumerate(before) if at not in replaced), *added)

    def _lifetime(self, request: Request, contact: NameAddr) -> int:
        text = contact.param("expires")
        if text is None:
            expires = request.expires
            seconds = self._settings.default if expires is None else expires
        elif text.isascii() and text.isdigit():
            seconds = int(text[:10])
        else:
            # RFC 3261 20.10: a malformed value counts as 3600.
            seconds = 3600
        return min(seconds, self._settings.longest)

    def _answer(self, transaction: ServerTransaction, request: Request, bindings: tuple[Binding, ...]) -> None:
        response = response_to(request, 200, None, new_tag())
        now = self._clock.seconds()
        for binding in bindings:
            response.headers.add("Contact", f"<{binding.contact}>;expires={round(binding.expires - now)}")
        transaction.respond(response)

    def _tell(
        self, extension: Extension, before: tuple[Binding, ...], after: tuple[Binding, ...], flow: Flow
    ) -> None:
        known = {binding.contact for binding in before}
        left = {binding.contact for binding in after}
        for contact in left - known:
            self.log.info(
                "REGISTER: {number} is reachable at {contact} over {flow}",
                number=extension.number, contact=contact, flow=flow.name,
            )
        for contact in known - left:
            self.log.info("REGISTER: {number} has left {contact}", number=extension.number, contact=contact)


def _in_order(request: Request, bindings: tuple[Binding, ...]) -> None:
    call_id, cseq = request.call_id, request.cseq.number
    if any(binding.call_id == call_id and cseq <= binding.cseq for binding in bindings):
        raise ProtocolError(500, "REGISTER out of order")


def _callable(contact: NameAddr) -> bool:
    uri = contact.uri
    return uri.scheme in ("sip", "sips") and bool(uri.host) and len(str(uri)) <= LONGEST_CONTACT


def _instance(contact: NameAddr) -> str:
    instance = contact.param("+sip.instance")
    if not instance:
        return ""
    # RFC 5626 6: several flows of one phone are told apart by reg-id.
    return f"{instance[:120]}#{(contact.param('reg-id') or '')[:10]}"


def _behind_nat(request: Request, contact: URI, flow: Flow) -> bool:
    host, port = flow.remote
    via = request.top_via
    return contact.host != host or via.host != host or (not flow.reliable and (contact.port or 5060) != port)
