"""
The guard: which addresses are listened to, decided before a byte is parsed.

It counts what others judge. Whoever authenticates says :meth:`Guard.failed` for a wrong digest against a fresh nonce,
and for nothing else; the guard sums up per source address and user. A user that fails too often from an address is
refused there; a whole address is blocked only when no phone is validly registered from it and several users failed, so
that one phone with an old password never silences the office behind its NAT. Floods are held back by a rate.

An address is here what :func:`~pbx.transport.source.source_of` makes of it: IPv6 is counted by network.

Everything is kept in this process, in bounded tables, and forgotten with time: there is no timer.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from attrs import define, frozen
from twisted.logger import Logger

from pbx.transport.source import source_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

ALWAYS_ALLOWED = ("127.0.0.0/8", "::1/128")
"""Loopback: whoever speaks from there is on the machine already."""

LONGEST_USER = 64
"""Characters of a user name that are kept: longer ones are nobody's, and a stranger chooses them."""


@frozen(kw_only=True)
class GuardSettings:
    """
    What the operator decides about strangers.

    Attributes:
        allow: Addresses and networks (CIDR) that are never blocked or held back.
        failures: Failures of one user from one address after which that user is refused there.
        users: Users that failed from one address after which the whole of it is blocked.
        window: Seconds for which a failure counts.
        block_time: Seconds a block lasts.
        rate: Messages per second that one address may send in the long run.
        burst: Messages it may send at once: 200 phones that register and subscribe after a power cut send some 10 each.
        registered_factor: How many times as much an address may send from which a phone is registered.
        max_entries: Addresses, and pairs of address and user, that are remembered: some 20 MB at the most.
    """

    allow: tuple[str, ...] = ()
    failures: int = 10
    users: int = 5
    window: float = 600.0
    block_time: float = 900.0
    rate: float = 200.0
    burst: int = 2_000
    registered_factor: int = 10
    max_entries: int = 65_536


@frozen
class Block:
    """
    One block in force.

    Attributes:
        address: The source address, or the IPv6 network.
        user: The user refused from there, or ``None`` when it is the whole address.
        until: The clock's time at which it ends.
    """

    address: str
    user: str | None
    until: float


@define
class _Failures:
    count: int
    since: float


class Guard:
    """
    Who is let in.

    Attributes:
        has_registration: Asked whether a phone is validly registered from an address.
        is_trunk: Asked whether an address is a trunk's; those are never blocked.
        on_blocked: Called with an address, or the IPv6 network, when the whole of it has been blocked, or ``None``.
        refused: Messages turned away because their address is blocked.
        held_back: Messages turned away because their address sent too many.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, settings: GuardSettings) -> None:
        """
        A guard that has seen nobody.

        Args:
            clock: A clock that never jumps.
            settings: What the operator decided.

        Raises:
            ValueError: When ``settings.allow`` holds what is no address or network.
        """
        self.has_registration: Callable[[str], bool] = lambda address: False
        self.is_trunk: Callable[[str], bool] = lambda address: False
        self.on_blocked: Callable[[str], object] | None = None
        self.refused = 0
        self.held_back = 0
        self._seconds = clock.seconds
        # Each table is in order of use, oldest first.
        self._due: OrderedDict[str, float] = OrderedDict()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._users: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()
        self._blocks: OrderedDict[tuple[str, str | None], float] = OrderedDict()
        self._exempt: OrderedDict[str, bool] = OrderedDict()
        self._warned: OrderedDict[str, float] = OrderedDict()
        self.reconfigure(settings)

    def reconfigure(self, settings: GuardSettings) -> None:
        """
        Judge by other settings from now on. What was counted still counts, and a block lasts as long as was said.

        Args:
            settings: What the operator decided.

        Raises:
            ValueError: When ``settings.allow`` holds what is no address or network; then nothing changes.
        """
        allow = [ip_network(network, strict=False) for network in (*ALWAYS_ALLOWED, *settings.allow)]
        self._settings = settings
        self._allow: list[IPv4Network | IPv6Network] = allow
        self._interval = 1.0 / settings.rate
        self._patience = settings.burst * self._interval
        self._exempt.clear()

    def allowed(self, address: str) -> bool:
        """
        Whether one more message from an address is looked at. Each call counts as one message.

        Args:
            address: The source address.
        """
        now = self._seconds()
        source = source_of(address)
        if self._blocks and (source, None) in self._blocks and self.blocked(address):
            self.refused += 1
            return False
        # The generic cell rate algorithm (ITU-T I.371 annex A): one number an address, the time by which it has
        # earned what it sent.
        due = self._due.get(source, 0.0)
        if due < now:
            due = now
        elif due - now > self._patience:
            return self._beyond_rate(address, due, now)
        # As _remember does, in place: this is done for each message.
        table = self._due
        table[source] = due + self._interval
        table.move_to_end(source)
        if len(table) > self._settings.max_entries:
            table.popitem(last=False)
        return True

    def blocked(self, address: str, user: str | None = None) -> bool:
        """
        Whether an address is blocked, or a user is refused from it.

        Args:
            address: The source address.
            user: The user that wants to be authenticated, or ``None`` to ask for the whole address.
        """
        key = (source_of(address), None if user is None else _key(user))
        until = self._blocks.get(key)
        if until is None:
            return False
        if until <= self._seconds():
            del self._blocks[key]
            return False
        return not self.exempt(address)

    def exempt(self, address: str) -> bool:
        """
        Whether an address is never blocked nor held back: loopback, what the operator allowed, and trunks.

        Args:
            address: The source address.
        """
        listed = self._exempt.get(address)
        if listed is None:
            ip = ip_address(address.partition("%")[0])
            listed = any(ip in network for network in self._allow if network.version == ip.version)
            self._remember(self._exempt, address, listed)
        return listed or self.is_trunk(address)

    def failed(self, address: str, user: str) -> None:
        """
        A user gave a wrong answer to a fresh challenge.

        Args:
            address: Where from.
            user: The digest user name as it was given.
        """
        if self.exempt(address):
            return
        now = self._seconds()
        user = _key(user)
        self._count_user(address, user, now)
        source = source_of(address)
        pair = (source, user)
        failures = self._failures.get(pair)
        if failures is None or now - failures.since > self._settings.window:
            failures = _Failures(0, now)
        failures.count += 1
        self._remember(self._failures, pair, failures)
        if failures.count >= self._settings.failures and not self.blocked(address, user):
            self._block(source, user, now)
            self.log.warn(
                "IP blocked: {address} as user {user} for {seconds:.0f} s after {count} failures",
                address=source, user=user, seconds=self._settings.block_time, count=failures.count,
            )  # fmt: skip

    def succeeded(self, address: str, user: str) -> None:
        """
        A user gave a right answer: what it failed before no longer counts.

        Args:
            address: Where from.
            user: The digest user name.
        """
        if not self._failures:
            return
        user = _key(user)
        source = source_of(address)
        self._failures.pop((source, user), None)
        users = self._users.get(source)
        if users is not None:
            users.pop(user, None)

    def blocks(self) -> list[Block]:
        """
        The blocks in force, oldest first.
        """
        now = self._seconds()
        return [Block(address, user, until) for (address, user), until in self._blocks.items() if until > now]

    def unblock(self, address: str) -> bool:
        """
        Lift the block of an address and of every user from it, and forget its failures.

        Args:
            address: The source address.

        Returns:
            Whether anything was blocked.
        """
        address = source_of(address)
        lifted = [key for key in self._blocks if key[0] == address]
        for key in lifted:
            del self._blocks[key]
        for pair in [pair for pair in self._failures if pair[0] == address]:
            del self._failures[pair]
        self._users.pop(address, None)
        self._due.pop(address, None)
        return bool(lifted)

    def _count_user(self, address: str, user: str, now: float) -> None:
        source = source_of(address)
        users = self._users.get(source)
        if users is None:
            users = OrderedDict()
        users[user] = now
        users.move_to_end(user)
        while now - next(iter(users.values())) > self._settings.window or len(users) > self._settings.users:
            users.popitem(last=False)
        self._remember(self._users, source, users)
        if len(users) < self._settings.users or self.blocked(address) or self.has_registration(address):
            return
        self._block(source, None, now)
        self.log.warn(
            "IP blocked: {address} for {seconds:.0f} s, no phone is registered from there and {count} users failed, "
            "the last as user {user}",
            address=source, user=user, seconds=self._settings.block_time, count=len(users),
        )  # fmt: skip
        if self.on_blocked is not None:
            self.on_blocked(source)

    def _block(self, source: str, user: str | None, now: float) -> None:
        self._remember(self._blocks, (source, user), now + self._settings.block_time)
        # When the block ends the count begins anew.
        self._failures.pop((source, user or ""), None)
        if user is None:
            self._users.pop(source, None)

    def _beyond_rate(self, address: str, due: float, now: float) -> bool:
        if self.exempt(address):
            return True
        source = source_of(address)
        factor = self._settings.registered_factor
        if due - now <= self._patience * 2 and self.has_registration(address):
            self._remember(self._due, source, due + self._interval / factor)
            return True
        self.held_back += 1
        if now - self._warned.get(source, -60.0) >= 60.0:
            self._remember(self._warned, source, now)
            self.log.warn(
                "{address} sends more than {rate:.0f} messages per second: the rest is dropped",
                address=source, rate=self._settings.rate,
            )  # fmt: skip
        return False

    def _remember(self, table: OrderedDict, key: object, value: object) -> None:  # type: ignore[type-arg]  # any table
        table[key] = value
        table.move_to_end(key)
        if len(table) > self._settings.max_entries:
            table.popitem(last=False)


def _key(user: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in user[:LONGEST_USER])
