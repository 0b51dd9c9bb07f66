"""
What a challenge asks to be answered: made for one address, good for a while and for each count once (RFC 7616 5.4).

A nonce carries its own proof, so that a challenge costs no memory: strangers can ask for as many as they like. Only
what was answered with a right password is remembered, and of that no more than a set number.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from hashlib import blake2b
from hmac import compare_digest
from os import urandom
from typing import TYPE_CHECKING

from attrs import define

from pbx.sip.token import random_bytes

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from pbx.sip.digest import Credentials

LIFETIME = 300.0
"""Seconds for which a nonce can be used: long enough for a registration's refreshes to go unchallenged now and then."""

REMEMBERED = 50_000
"""Nonces in use that are remembered, some 400 bytes each: 20 MB. Enough for 160 authentications a second, each with a
nonce of its own, for a whole lifetime; beyond it the least recently used is forgotten and counts as stale."""

WINDOW = 64
"""How far a count may lag behind the highest one: SUBSCRIBEs sent together arrive in any order."""

DIGESTS = 64
"""Answers without a count that are remembered per nonce; a client that wants more needs a new nonce."""

_TIME = 6
_RANDOM = 8
_PROOF = 16
_LENGTH = 2 * (_TIME + _RANDOM + _PROOF)


class Verdict(Enum):
    """
    What is thought of the nonce in an answer, before the answer itself is looked at.
    """

    FRESH = "fresh"
    """Ours, made for this address, in time, and not used with this count."""

    STALE = "stale"
    """Too old, made for another address, made before this start, or not ours at all."""

    REPLAYED = "replayed"
    """Used with this count before, or with a count so far back that nobody knows."""


@define
class _Use:
    """
    How a nonce has been used.

    Attributes:
        made: When the nonce was made, in milliseconds.
        highest: The highest count; 0 for none.
        seen: One bit for each of the :data:`WINDOW` counts up to the highest, that one in the lowest bit.
        digests: The answers that came without a count.
    """

    made: int
    highest: int = 0
    seen: int = 0
    digests: frozenset[str] = frozenset()


class Nonces:
    """
    Makes and judges nonces.

    The key is made at random at each start, so that every nonce of an earlier run is stale.

    Attributes:
        repeat_without_qop: Whether the same answer may come again where it has no count.
    """

    def __init__(
        self,
        clock: IReactorTime,
        lifetime: float = LIFETIME,
        remembered: int = REMEMBERED,
        repeat_without_qop: bool = False,
    ) -> None:
        """
        Args:
            clock: Time by which nonces age.
            lifetime: Seconds for which a nonce can be used.
            remembered: How many nonces in use are remembered at most.
            repeat_without_qop: Whether the same answer may come again where it has no count, as RFC 2069 clients
                send it while they keep their nonce. It lets anyone who overheard it send it again, too.
        """
        self._clock = clock
        self._lifetime = int(lifetime * 1000)
        self._remembered = remembered
        self.repeat_without_qop = repeat_without_qop
        self._key = urandom(32)
        self._uses: OrderedDict[str, _Use] = OrderedDict()
        self._forgotten = -1

    def __len__(self) -> int:
        return len(self._uses)

    def make(self, address: str) -> str:
        """
        A new nonce.

        Args:
            address: The IP address that is challenged. The port is left out: a NAT may change it.
        """
        stamp = self._now().to_bytes(_TIME, "big") + random_bytes(_RANDOM)
        return (stamp + self._proof(stamp, address)).hex()

    def check(self, credentials: Credentials, address: str) -> Verdict:
        """
        Judge the nonce of an answer. Nothing is remembered: anybody can send an answer that is wrong.

        Args:
            credentials: The answer.
            address: The IP address it came from.
        """
        nonce = credentials.nonce
        made = self._made(nonce, address)
        if made is None or self._now() - made > self._lifetime:
            return Verdict.STALE
        use = self._uses.get(nonce)
        if use is None:
            # Once one made later was forgotten, nobody knows whether this one was used before.
            return Verdict.FRESH if made > self._forgotten else Verdict.STALE
        if credentials.qop is None:
            known = credentials.response.lower() in use.digests or len(use.digests) >= DIGESTS
            return Verdict.REPLAYED if known and not self.repeat_without_qop else Verdict.FRESH
        behind = use.highest - credentials.count
        if behind < 0:
            return Verdict.FRESH
        return Verdict.REPLAYED if behind >= WINDOW or use.seen >> behind & 1 else Verdict.FRESH

    def used(self, credentials: Credentials) -> None:
        """
        Remember an answer that was right, so that it is not taken again.

        Args:
            credentials: An answer that :meth:`check` found fresh.
        """
        nonce = credentials.nonce
        use = self._uses.get(nonce)
        if use is None:
            use = self._uses[nonce] = _Use(int(nonce[: 2 * _TIME], 16))
            self._forget()
        else:
            self._uses.move_to_end(nonce)
        if credentials.qop is None:
            if len(use.digests) < DIGESTS:
                use.digests |= {credentials.response.lower()}
            return
        count = credentials.count
        if count > use.highest:
            use.seen = (use.seen << min(count - use.highest, WINDOW) | 1) & ((1 << WINDOW) - 1)
            use.highest = count
        else:
            use.seen |= 1 << (use.highest - count)

    def _forget(self) -> None:
        """
        Let go of the least recently used while they have aged out, or are too many.
        """
        oldest = self._now() - self._lifetime
        while True:
            nonce, use = next(iter(self._uses.items()))
            if use.made >= oldest:
                if len(self._uses) <= self._remembered:
                    return
                self._forgotten = max(self._forgotten, use.made)
            del self._uses[nonce]

    def _made(self, nonce: str, address: str) -> int | None:
        """
        When a nonce was made, or ``None`` when it was not made here for this address.
        """
        if len(nonce) != _LENGTH:
            return None
        try:
            raw = bytes.fromhex(nonce)
        except ValueError:
            return None
        stamp = raw[: _TIME + _RANDOM]
        # Blanks are skipped in hexadecimal, and case is not told apart: only the one spelling we made is ours.
        if not compare_digest(self._proof(stamp, address), raw[_TIME + _RANDOM :]) or raw.hex() != nonce:
            return None
        return int.from_bytes(stamp[:_TIME], "big")

    def _proof(self, stamp: bytes, address: str) -> bytes:
        # Keyed BLAKE2 (RFC 7693) proves as much as an HMAC, which costs several times as much to begin.
        return blake2b(stamp + address.encode(), key=self._key, digest_size=_PROOF).digest()

    def _now(self) -> int:
        return int(self._clock.seconds() * 1000)
