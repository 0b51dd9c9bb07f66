"""
``/api/extensions/<number>/handling``: what an extension wants done with its calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import attrs
import msgspec
from msgspec import UNSET, Meta, UnsetType

from pbx.directory.forwarding import forwarding_fault
from pbx.directory.handling import MOST_BLOCKED, MOST_SIMULTANEOUS, FollowMe, Handling
from pbx.features.star import LONGEST_RINGING, SHORTEST_RINGING
from pbx.ops.section import printable
from pbx.web.changes import named
from pbx.web.extensions import ExtensionGoneError, existing, missing
from pbx.web.problems import wrong_fields
from pbx.web.routes import Ask, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from pbx.directory.situation import Situation
    from pbx.web.destinations import Numbers

FORWARDS = ("forward_always", "forward_busy", "forward_no_answer", "forward_unregistered")

Dialled = Annotated[str, Meta(pattern=r"^\+?[0-9]{2,20}\Z", description="a number of 2 to 20 digits")]
Forward = Annotated[str, Meta(pattern=r"^\+?[0-9]{2,20}\Z", description="a number of 2 to 20 digits, or null")] | None
Ringing = (
    Annotated[
        int,
        Meta(
            ge=SHORTEST_RINGING, le=LONGEST_RINGING,
            description=f"whole seconds, {SHORTEST_RINGING} to {LONGEST_RINGING}, or null",
        ),
    ]
    | None
)
Delay = Annotated[int, Meta(ge=0, le=LONGEST_RINGING, description=f"whole seconds, 0 to {LONGEST_RINGING}")]
Blocked = Annotated[
    str,
    Meta(
        pattern=r"^(anonymous|\+?[0-9]{1,20}\*|\+?[0-9]{2,20})\Z",
        description='a number, the beginning of one with * behind it, or "anonymous"',
    ),
]
Group = (
    Annotated[
        str,
        Meta(
            min_length=1, max_length=32, description="text of 1 to 32 characters, or null", extra={"check": printable}
        ),
    ]
    | None
)


class FollowMeBody(msgspec.Struct, frozen=True):
    """
    Another number that rings.
    """

    number: Dialled
    after: Delay = 0
    lasting: Ringing = None
    confirm: bool = True


class NewHandling(msgspec.Struct, frozen=True):
    """
    The body that says all of it; what it leaves out is as usual.
    """

    dnd: bool = False
    forward_always: Forward = None
    forward_busy: Forward = None
    forward_no_answer: Forward = None
    forward_unregistered: Forward = None
    no_answer_timeout: Ringing = None
    voicemail: bool = True
    simultaneous: tuple[Dialled, ...] = ()
    follow_me: tuple[FollowMeBody, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    pickup_group: Group = None


class ChangedHandling(msgspec.Struct, frozen=True):
    """
    The body that changes some of it; what it leaves out stays as it is.
    """

    dnd: bool | UnsetType = UNSET
    forward_always: Forward | UnsetType = UNSET
    forward_busy: Forward | UnsetType = UNSET
    forward_no_answer: Forward | UnsetType = UNSET
    forward_unregistered: Forward | UnsetType = UNSET
    no_answer_timeout: Ringing | UnsetType = UNSET
    voicemail: bool | UnsetType = UNSET
    simultaneous: tuple[Dialled, ...] | UnsetType = UNSET
    follow_me: tuple[FollowMeBody, ...] | UnsetType = UNSET
    blocked: tuple[Blocked, ...] | UnsetType = UNSET
    pickup_group: Group | UnsetType = UNSET


class HandlingOfExtensions:
    """
    The resource.
    """

    def __init__(
        self, extensions: Any, numbers: Numbers, audit: Any, situation: Callable[[], Situation] | None = None
    ) -> None:
        """
        A resource over extensions.

        Args:
            extensions: An :class:`~pbx.web.extensions.IExtensions`.
            numbers: Every number that can be called.
            audit: An :class:`~pbx.web.identity.IAudit`.
            situation: What the dialplan looks at, for numbers beyond the house; ``None`` where none can be called.
        """
        self._situation = situation
        self._extensions = extensions
        self._numbers = numbers
        self._audit = audit

    def routes(self) -> list[Route]:
        """
        What it answers.
        """
        path = "/api/extensions/<number>/handling"
        return [
            Route("GET", path, self._get),
            Route("PUT", path, self._change, body=NewHandling),
            Route("PATCH", path, self._change, body=ChangedHandling),
        ]

    async def _get(self, ask: Ask) -> object:
        return attrs.asdict((await existing(self._extensions, ask)).handling)

    async def _change(self, ask: Ask) -> object:
        before = await existing(self._extensions, ask)
        given = named(ask.body)
        if "follow_me" in given:
            given["follow_me"] = tuple(FollowMe(**msgspec.structs.asdict(step)) for step in given["follow_me"])
        faults = self._faults(before.number, given)
        if faults:
            raise wrong_fields(faults)
        try:
            after: Handling = (await self._extensions.change_handling(before.number, given)).handling
        except ExtensionGoneError:
            # Somebody else has just removed it.
            raise missing(before.number)
        subject = f"handling of extension {before.number}"
        self._audit.wrote(ask.actor, "change", subject, attrs.asdict(before.handling), attrs.asdict(after))
        return attrs.asdict(after)

    def _faults(self, number: str, given: dict[str, Any]) -> list[tuple[str, str]]:
        """
        Numbers that lead nowhere or to the extension itself, and lists that are too long.
        """
        named = [(name, given[name]) for name in FORWARDS if given.get(name) is not None]
        others = given.get("simultaneous", ())
        named += [(f"simultaneous[{index}]", other) for index, other in enumerate(others)]
        named += [(f"follow_me[{index}].number", step.number) for index, step in enumerate(given.get("follow_me", ()))]
        faults = []
        for field, target in named:
            if target == number:
                faults.append((field, "the extension itself"))
            elif not self._numbers.is_extension(target):
                fault = self._fault(number, target, field in FORWARDS)
                if fault:
                    faults.append((field, f"{target} {fault}"))
        for name, most in (
            ("simultaneous", MOST_SIMULTANEOUS), ("follow_me", MOST_SIMULTANEOUS), ("blocked", MOST_BLOCKED),
        ):
            if len(given.get(name, ())) > most:
                faults.append((name, f"found {len(given[name])}; allowed are up to {most}"))
        return faults

    def _fault(self, number: str, target: str, forward: bool) -> str:
        """
        Why an extension can't have its calls sent to what is no extension; empty when it can.
        """
        what = "is no number that can be called" if forward else "is no extension"
        if target in self._numbers:
            # A place, such as a menu, has no phone that could ring with others.
            return "" if forward else what
        if self._situation is None:
            return what
        fault = forwarding_fault(target, number, self._situation())
        return fault and f"{what}: {fault}"
