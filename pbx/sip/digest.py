"""
Digest authentication (RFC 3261 22.4 as RFC 8760 amends it, RFC 7616; RFC 2069 answers where a challenge has no qop).
"""

from __future__ import annotations

import hashlib
import re
from hmac import compare_digest
from typing import TYPE_CHECKING

from attrs import frozen

from pbx.sip.error import ParseError
from pbx.sip.grammar import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_pair = re.compile(
    r"[ \t,]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*=[ \t]*"
    r"""("(?:[^"\\]|\\.)*"|[^\x00-\x20\x7f,"\\]+)[ \t]*(?:,|$)"""
).match

# What nearly all of them look like: no escapes, blanks only after commas.
_usual_pairs = re.compile(
    r"""(?:[A-Za-z0-9\-.!%*_+`'~]+=(?:"[^"\\]*"|[^\x00-\x20\x7f,"\\]+)(?:,[ \t]*|\Z))+"""
).fullmatch
_usual_pair = re.compile(r"""([^= \t,]+)=("[^"]*"|[^,]*)""").findall


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


_HASHES: dict[str, Callable[[bytes], str]] = {"MD5": _md5, "SHA-256": _sha256, "SHA-512-256": _sha512_256}

ALGORITHMS = ("MD5", "SHA-256", "SHA-512-256")
"""The algorithms that can be computed here; each also with ``-sess`` (RFC 7616 3.4.2)."""


@frozen(slots=True)
class Challenge:
    """
    What a WWW-Authenticate or Proxy-Authenticate header asks for.

    Attributes:
        realm: Whose passwords are asked for.
        nonce: The server's word.
        algorithm: As the RFC spells it; MD5 when the header has none.
        qop: What is offered, as written: ``auth`` or ``auth,auth-int``; ``None`` in the RFC 2069 form.
        opaque: To be sent back unchanged.
        stale: Whether only the nonce was wrong.
    """

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str | None = "auth"
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """
        A challenge from the header's value.

        Raises:
            ParseError: It is none, or of another scheme.
        """
        pairs = _pairs(text)
        try:
            return cls(
                pairs["realm"],
                pairs["nonce"],
                _algorithm(pairs.get("algorithm")),
                pairs.get("qop"),
                pairs.get("opaque"),
                pairs.get("stale", "").lower() == "true",
            )
        except KeyError:
            raise ParseError("Malformed challenge") from None

    def __str__(self) -> str:
        """
        The header value.

        Raises:
            ValueError: A value holds a line break.
        """
        text = f"Digest realm={quote(self.realm)}, nonce={quote(self.nonce)}, algorithm={self.algorithm}"
        if self.qop is not None:
            text += f", qop={quote(self.qop)}"
        if self.opaque is not None:
            text += f", opaque={quote(self.opaque)}"
        return text + ", stale=true" if self.stale else text


@frozen(slots=True)
class Credentials:
    """
    What an Authorization or Proxy-Authorization header answers.

    Attributes:
        username: Who says to be there.
        realm: As challenged.
        nonce: As challenged.
        uri: The ``digest-uri`` exactly as sent; the response is computed over it, whatever the Request-URI is.
        response: The digest, in hexadecimal.
        algorithm: As the RFC spells it; MD5 when the header has none.
        qop: ``auth`` or ``auth-int``; ``None`` in the RFC 2069 form.
        nc: How often the nonce was used, as written; see :attr:`count`.
        cnonce: The client's word.
        opaque: As challenged.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    qop: str | None = None
    nc: str | None = None
    cnonce: str | None = None
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """
        Credentials from the header's value.

        Raises:
            ParseError: They are none, or of another scheme; or qop is given without nc and cnonce (RFC 7616 3.4).
        """
        pairs = _pairs(text)
        get = pairs.get
        qop = get("qop")
        nc, cnonce = get("nc"), get("cnonce")
        if qop is not None and (nc is None or cnonce is None or _is_count(nc) is None):
            raise ParseError("Malformed credentials")
        try:
            return cls(
                pairs["username"],
                pairs["realm"],
                pairs["nonce"],
                pairs["uri"],
                pairs["response"],
                _algorithm(get("algorithm")),
                qop and qop.lower(),
                nc,
                cnonce,
                get("opaque"),
            )
        except KeyError:
            raise ParseError("Malformed credentials") from None

    def __str__(self) -> str:
        """
        The header value.

        Raises:
            ValueError: A value holds a line break.
        """
        text = (
            f"Digest username={quote(self.username)}, realm={quote(self.realm)}, nonce={quote(self.nonce)}, "
            f"uri={quote(self.uri)}, response={quote(self.response)}, algorithm={self.algorithm}"
        )
        if self.qop is not None:
            text += f", qop={self.qop}, nc={self.nc}"
        if self.cnonce is not None:
            text += f", cnonce={quote(self.cnonce)}"
        return text if self.opaque is None else f"{text}, opaque={quote(self.opaque)}"

    @property
    def count(self) -> int:
        """
        How often the client says to have used the nonce; 0 without qop.
        """
        return int(self.nc, 16) if self.nc is not None and _is_count(self.nc) is not None else 0

    def verifies(self, ha1: str, method: str, body: bytes = b"") -> bool:
        """
        Whether the response is the one that HA1 gives; compared in constant time.

        Args:
            ha1: Of the user, realm and algorithm of these credentials.
            method: The request's.
            body: The request's, for ``auth-int``.
        """
        try:
            expected = digest_response(
                ha1, method, self.uri, self.nonce, self.algorithm, self.qop, self.nc, self.cnonce, body
            )
        except ValueError:
            return False
        # Lower case: RFC 3261 25.1 has LHEX, some soft phones send capitals.
        return compare_digest(expected.encode(), self.response.lower().encode())


def ha1(username: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """
    The part of a digest that stands for the password: hash of user, realm and password (RFC 7616 3.4.2).

    Of a ``-sess`` algorithm it is the plain part; :func:`digest_response` does the rest.

    Raises:
        ValueError: The algorithm is not one of :data:`ALGORITHMS`.
    """
    return _hash(algorithm)(f"{username}:{realm}:{password}".encode())


def digest_response(
    ha1: str,
    method: str,
    uri: str,
    nonce: str,
    algorithm: str = "MD5",
    qop: str | None = None,
    nc: str | None = None,
    cnonce: str | None = None,
    body: bytes = b"",
) -> str:
    """
    The digest that proves knowledge of a password (RFC 7616 3.4.1; without qop RFC 2069 2.1.2).

    Args:
        ha1: As :func:`ha1` makes it.
        method: The request's.
        uri: The ``digest-uri`` as it stands in the credentials.
        nonce: The server's.
        algorithm: As in the credentials.
        qop: ``auth``, ``auth-int`` or ``None``.
        nc: The nonce count as it stands in the credentials.
        cnonce: The client's.
        body: The request's, for ``auth-int``.

    Raises:
        ValueError: The algorithm or qop is unknown.
    """
    hashed = _hash(algorithm)
    if algorithm[-5:].lower() == "-sess":
        ha1 = hashed(f"{ha1}:{nonce}:{cnonce or ''}".encode())
    if qop == "auth-int":
        ha2 = hashed(f"{method}:{uri}:{hashed(body)}".encode())
    elif qop is None or qop == "auth":
        ha2 = hashed(f"{method}:{uri}".encode())
    else:
        raise ValueError("unknown qop")
    if qop is None:
        return hashed(f"{ha1}:{nonce}:{ha2}".encode())
    return hashed(f"{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}".encode())


def answer(
    challenge: Challenge,
    username: str,
    *,
    method: str,
    uri: str,
    nc: int,
    cnonce: str,
    password: str | None = None,
    ha1: str | None = None,
    body: bytes = b"",
) -> Credentials:
    """
    The credentials that a challenge asks for.

    Args:
        challenge: What the server sent.
        username: Whose password it is.
        method: Of the request to be sent.
        uri: Its Request-URI.
        nc: How often the challenge's nonce is used with this one.
        cnonce: A fresh random word.
        password: The password, or
        ha1: what :func:`ha1` made of it for this realm and algorithm.
        body: Of the request to be sent, in case only ``auth-int`` is offered.

    Raises:
        ValueError: The algorithm or every qop is unknown, or neither password nor HA1 is given.
    """
    if ha1 is None:
        if password is None:
            raise ValueError("password or ha1 must be given")
        ha1 = _hash(challenge.algorithm)(f"{username}:{challenge.realm}:{password}".encode())
    qop = None
    if challenge.qop is not None:
        offered = [word.strip().lower() for word in challenge.qop.split(",")]
        qop = "auth" if "auth" in offered else offered[0]
    count = None if qop is None else f"{nc:08x}"
    # RFC 7616 3.4: without qop no cnonce is sent, unless the algorithm needs it.
    word = cnonce if qop is not None or challenge.algorithm.endswith("-sess") else None
    response = digest_response(ha1, method, uri, challenge.nonce, challenge.algorithm, qop, count, word, body)
    return Credentials(
        username,
        challenge.realm,
        challenge.nonce,
        uri,
        response,
        challenge.algorithm,
        qop,
        count,
        word,
        challenge.opaque,
    )


def choose(values: Iterable[str]) -> Challenge | None:
    """
    The first challenge that can be answered, as RFC 8760 2.4 has it: the server's order is its preference.

    Args:
        values: The rows of WWW-Authenticate or Proxy-Authenticate.
    """
    for value in values:
        try:
            challenge = Challenge.parse(value)
            _hash(challenge.algorithm)
        except (ParseError, ValueError):
            continue
        return challenge
    return None


_is_count = re.compile(r"[0-9A-Fa-f]{1,8}").fullmatch


def _hash(algorithm: str) -> Callable[[bytes], str]:
    name = algorithm.upper()
    found = _HASHES.get(name.removesuffix("-SESS"))
    if found is None:
        raise ValueError(f"unknown digest algorithm {algorithm!r}")
    return found


def _algorithm(text: str | None) -> str:
    if text is None or text == "MD5":
        return "MD5"
    upper = text.upper()
    return upper[:-5] + "-sess" if upper.endswith("-SESS") else upper


def _pairs(text: str) -> dict[str, str]:
    if text[:7].lower() != "digest ":
        raise ParseError("Not a Digest header")
    usual = _read_usual_pairs(text[7:])
    if usual is not None:
        return usual
    pairs: dict[str, str] = {}
    at, end = 7, len(text)
    while at < end:
        found = _pair(text, at)
        if found is None:
            raise ParseError("Malformed Digest header")
        name, value = found.groups()
        if value[0] == '"':
            value = unquote(value) if "\\" in value else value[1:-1]
        if pairs.setdefault(name.lower(), value) is not value:
            raise ParseError("Malformed Digest header")
        at = found.end()
    return pairs


def _read_usual_pairs(text: str) -> dict[str, str] | None:
    """
    The pairs when none needs a closer look, which takes a third of the time; else ``None``.
    """
    if _usual_pairs(text) is None:
        return None
    found = _usual_pair(text)
    pairs = {name.lower(): value[1:-1] if value[0] == '"' else value for name, value in found}
    return pairs if len(pairs) == len(found) else None
