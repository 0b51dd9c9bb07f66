"""
The REGISTER requests of one trunk, and what a registrar says to them (RFC 3261 10.2, RFC 3327, RFC 3608).
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from attrs import frozen

from pbx.dialog.credentials import MOST_ANSWERS, DigestCredentials
from pbx.dialog.inquiry import NoAnswer, ask
from pbx.dialog.useragent import ALLOW, new_call_id, new_tag
from pbx.sip.address import NameAddr, parse_list
from pbx.sip.grammar import number
from pbx.sip.message import Headers, ParseError, Request
from pbx.sip.uri import URI, host_part, user_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.trunk import Trunk
    from pbx.sip.message import Response
    from pbx.transport.flow import Flow

PATIENCE = 8.0
"""Seconds without any response after which a registrar is given up."""

MARK = "line"
"""The URI parameter of our Contact whose value is another for each trunk and start; it returns in Request-URIs."""

LONGEST_EXPIRES = 604_800
"""The longest Min-Expires that is obeyed, in seconds: who asks for more than a week asks for nonsense."""

MOST_LENGTHENED = 3
"""How often one attempt obeys a 423: a registrar could ask for a second more each time."""

LONGEST_WAIT = 3_600.0
"""The longest Retry-After that is obeyed, in seconds: the trunk may be well long before a day is over."""

MOST_ROUTES = 8
"""Hops of a Service-Route that are kept; a provider has one or two."""


@frozen
class Grant:
    """
    A registration as it was granted.

    Attributes:
        flow: The flow it was made over: calls come in over it.
        expires: Seconds for which it holds.
        routes: The Route values for our INVITEs, as Service-Route gave them (RFC 3608).
    """

    flow: Flow
    expires: int
    routes: tuple[str, ...] = ()


class NotRegistered(Exception):  # noqa: N818  # it says what happened
    """
    A registration has not come about, and why, in words.

    Attributes:
        status: The registrar's answer, ``None`` where none came.
        wait: Seconds that it wants us to wait; 0 where it does not say.
    """

    def __init__(self, reason: str, status: int | None = None, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.status = status
        self.wait = wait

    @property
    def elsewhere(self) -> bool:
        """
        Whether another machine of the provider's may do better (RFC 3263 4.3).
        """
        return self.status is None or self.status == 408 or 500 <= self.status < 600

    @property
    def refused(self) -> bool:
        """
        Whether the provider is well, and does not want this account.
        """
        return not self.elsewhere


class RegisterClient:
    """
    One Call-ID, one row of CSeq numbers, one Contact: all REGISTERs of a trunk as one registration's.

    Args:
        core: Where requests come from.
        trunk: The trunk.
        contact: Makes our Contact value for a flow, with the parameter :data:`MARK` in its URI.
    """

    def __init__(self, core: UserAgentCore, trunk: Trunk, contact: Callable[[Flow], str]) -> None:
        self._core = core
        self._trunk = trunk
        self._contact = contact
        self._call_id = new_call_id()
        self._tag = new_tag()
        self._cseq = secrets.randbelow(1000)
        self._expires = trunk.register_expires
        # Not those of calls: a nonce of the registrar's is no use to a proxy, and its refusal says nothing of calls.
        self._credentials = DigestCredentials(trunk.auth_username or trunk.username, trunk.password)

    async def register(self, flow: Flow, *, remove: bool = False, patience: float = PATIENCE) -> Grant:
        """
        Register once, with all that the registrar asks for on the way.

        Args:
            flow: Where to.
            remove: Whether our binding is to be removed instead.
            patience: Seconds to wait for each answer.

        Raises:
            NotRegistered: It has not come about.
        """
        proofs = lengthened = 0
        while True:
            request = self._request(flow, 0 if remove else self._expires)
            self._credentials.authorize(request)
            try:
                response = await ask(self._core, request, flow, patience)
            except NoAnswer as error:
                if error.silent:
                    flow.give_up()
                why = f"no answer within {patience:.0f} s" if error.silent else str(error)
                raise NotRegistered(why) from None
            status = response.status
            if status < 300:
                grant = self._granted(response, flow)
                if not remove and grant.expires <= 0:
                    raise NotRegistered("the registrar took it for 0 seconds", status)
                return grant
            if status in (401, 407) and proofs < MOST_ANSWERS and self._credentials.challenged(request, response):
                proofs += 1
            elif status == 423 and lengthened < MOST_LENGTHENED and self._lengthened(response):
                lengthened += 1
            else:
                raise NotRegistered(_words(response), status, _wait(response))

    def _request(self, flow: Flow, expires: int) -> Request:
        self._cseq += 1
        account = f"<sip:{user_part(self._trunk.username)}@{host_part(self._trunk.domain)}>"
        headers = Headers()
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", f"{account};tag={self._tag}"),
            ("To", account),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", f"{self._contact(flow)};expires={expires}"),
            ("Expires", str(expires)),
            # RFC 3327 5.1: a proxy on the way may note itself only for those who say so.
            ("Supported", "path"),
            ("Allow", ALLOW),
        ):
            headers.add(name, value)
        return Request("REGISTER", registrar(self._trunk), headers)

    def _granted(self, response: Response, flow: Flow) -> Grant:
        return Grant(flow, self._expires_of(response, self._contact(flow)), _routes(response))

    def _expires_of(self, response: Response, contact: str) -> int:
        """
        For how long our Contact was taken (RFC 3261 10.2.4); its own word goes before that of the whole.
        """
        try:
            contacts = response.contacts
            mark = NameAddr.parse(contact).uri.param(MARK)
            ours = [each for each in contacts if each.uri.param(MARK) == mark]
            # A gateway on the way may have written another address in place of ours.
            told = (ours or (contacts if len(contacts) == 1 else [])) and (ours or contacts)[0].param("expires")
            if told:
                return number(told, "expires", 0xFFFFFFFF)
        except ParseError:
            pass
        try:
            return self._expires if response.expires is None else response.expires
        except ParseError:
            return self._expires

    def _lengthened(self, response: Response) -> bool:
        """
        Go by the Min-Expires of a 423; tell whether it makes sense to ask again (RFC 3261 10.2.8).
        """
        try:
            least = number(response.headers.get("Min-Expires") or "", "Min-Expires", LONGEST_EXPIRES)
        except ParseError:
            return False
        if least <= self._expires:
            return False
        self._expires = least
        return True


def registrar(trunk: Trunk) -> str:
    """
    The Request-URI of a REGISTER: the provider's domain (RFC 3261 10.2).
    """
    return str(URI("sip", None, None, trunk.host.strip("[]"), trunk.port if trunk.port not in (5060, 5061) else None))


def _words(response: Response) -> str:
    status = response.status
    said = f"{status} {response.reason}".strip()
    if status in (401, 407):
        return f"{said}: the user name or the password is wrong"
    return said


_seconds = re.compile(r"[ \t]*([0-9]{1,9})").match


def _wait(response: Response) -> float:
    # RFC 3261 20.33: a comment and parameters may follow.
    found = _seconds(response.headers.get("Retry-After") or "")
    return 0.0 if found is None else min(float(found.group(1)), LONGEST_WAIT)


def _routes(response: Response) -> tuple[str, ...]:
    found: list[str] = []
    for value in response.headers.get_all("Service-Route"):
        try:
            found += [str(address) for address in parse_list(value, "Service-Route")]
        except ParseError:
            return ()
    return tuple(found[:MOST_ROUTES])
