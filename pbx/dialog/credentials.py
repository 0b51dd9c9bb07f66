"""
What our requests prove themselves with where a peer asks for it (RFC 3261 22.2 and 22.3, RFC 7616 3.6, RFC 8760 2.4).
"""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING

from attrs import define
from zope.interface import Interface, implementer

from pbx.sip.digest import Challenge, Credentials, answer, choose
from pbx.sip.error import ParseError

if TYPE_CHECKING:
    from pbx.sip.message import Request, Response

MOST_REALMS = 4
"""Challenges kept: one of each realm and kind. A path has few proxies that ask, and a peer could name any number."""

MOST_FIRST_USES = 64
"""Requests remembered as the first with their nonce, for as long as the refusal of one of them may yet come."""

MOST_ANSWERS = 4
"""How often one request is sent again for a challenge: by a proxy, by the server, and each with a stale nonce."""

PROOFS = ("Authorization", "Proxy-Authorization")
"""The header fields that carry what was asked for."""

_ASKED = {401: ("WWW-Authenticate", PROOFS[0]), 407: ("Proxy-Authenticate", PROOFS[1])}


class ICredentials(Interface):
    """
    Who we are to a peer, for all requests to it.
    """

    def authorize(request: Request) -> None:  # noqa: N805
        """
        Add what the peer has asked for before, in place of what an earlier try carried; nothing where it has not asked.

        The request must be as it will be sent: its method, Request-URI and body are part of the proof.
        """

    def challenged(request: Request, response: Response) -> bool:  # noqa: N805
        """
        Take note of the challenge in a 401 or 407.

        Args:
            request: As it was sent.
            response: Its answer, of whatever status.

        Returns:
            Whether another try makes sense: there is a challenge that can be answered, and ours is not its refusal.
        """


@define
class _Known:
    """
    A challenge, and how often its nonce was used.
    """

    challenge: Challenge
    uses: int = 0


@implementer(ICredentials)
class DigestCredentials:
    """
    A user name and a password, and what they were last asked for by.

    A nonce is used for as long as the peer takes it. When it is refused the first time it is used, the password is
    wrong: the next request begins anew, without any.
    """

    __slots__ = ("_first_uses", "_known", "_password", "_username")

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._known: dict[tuple[str, str], _Known] = {}
        self._first_uses: deque[tuple[str, str, int]] = deque(maxlen=MOST_FIRST_USES)

    def __repr__(self) -> str:
        """
        The user name, without the password.
        """
        return f"DigestCredentials({self._username!r})"

    def authorize(self, request: Request) -> None:
        """
        Add an answer for each realm that has asked.
        """
        for header in PROOFS:
            request.headers.remove(header)
        for (header, _), known in self._known.items():
            known.uses += 1
            proof = answer(
                known.challenge, self._username, password=self._password, method=request.method, uri=request.uri,
                nc=known.uses, cnonce=secrets.token_hex(8), body=request.body,
            )
            if known.uses == 1:
                self._first_uses.append(_mark(request, proof.nonce))
            request.headers.add(header, str(proof))

    def challenged(self, request: Request, response: Response) -> bool:
        """
        Take note of the first challenge that can be answered, unless it says that the password is wrong.
        """
        asked = _ASKED.get(response.status)
        challenge = choose(response.headers.get_all(asked[0])) if asked is not None else None
        if asked is None or challenge is None:
            return False
        key = (asked[1], challenge.realm)
        tried = _proof(request, *key)
        # A nonce kept from before may have run out at a peer that does not say stale; at its first use it has not.
        if tried is not None and not challenge.stale and (
            tried.nonce == challenge.nonce or _mark(request, tried.nonce) in self._first_uses
        ):
            self._known.pop(key, None)
            return False
        known = self._known.get(key)
        if known is not None and known.challenge.nonce == challenge.nonce:
            # Two requests were under way: the count goes on (RFC 7616 3.4).
            return True
        try:
            # A qop that is not known would fail only when the next request is sent.
            answer(challenge, "", password="", method="", uri="", nc=1, cnonce="")
        except ValueError:
            return False
        if known is None and len(self._known) >= MOST_REALMS:
            del self._known[next(iter(self._known))]
        self._known[key] = _Known(challenge)
        return True


def proofs(request: Request) -> list[tuple[str, str]]:
    """
    The credentials that a request carries: the ACK to its 2xx repeats them (RFC 3261 22.1).
    """
    return [(name, value) for name in PROOFS for value in request.headers.get_all(name)]


def _mark(request: Request, nonce: str) -> tuple[str, str, int]:
    return nonce, request.call_id, request.cseq.number


def _proof(request: Request, header: str, realm: str) -> Credentials | None:
    for value in request.headers.get_all(header):
        try:
            found = Credentials.parse(value)
        except ParseError:
            continue
        if found.realm == realm:
            return found
    return None
