"""
What every call is built with, and what the operator decides about calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import Factory, frozen

from pbx.calls.beyond import Outside
from pbx.directory.places import Places

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Mapping

    from pbx.calls.call import Call
    from pbx.calls.events import CallEvent
    from pbx.calls.outbound import CallerIdentity
    from pbx.calls.router import Router
    from pbx.dialog.useragent import UserAgentCore
    from pbx.directory.situation import PlaceNumbers
    from pbx.media.engine import IMediaEngine
    from pbx.media.music import Music
    from pbx.media.sounds import Sounds
    from pbx.media.terminal import Terminal
    from pbx.registrar.location import Location
    from pbx.tasks import Tasks


@frozen
class CallSettings:
    """
    What the operator decides about calls.

    Attributes:
        no_answer_timeout: How long a phone rings, in seconds.
        silence_timeout: Seconds without media after which a leg is probed.
        srtp_in_clear: Whether SRTP keys may travel over UDP and TCP.
        max_calls: Calls at once.
        recall_timeout: How long the phone of somebody who has transferred a call in vain is rung, in seconds.
        language: The language of prompts, where nobody has chosen another.
    """

    no_answer_timeout: float = 30.0
    silence_timeout: float = 60.0
    srtp_in_clear: bool = False
    max_calls: int = 1000
    recall_timeout: float = 30.0
    language: str = "en"


@frozen
class Features:
    """
    What callers can be sent to besides phones, and what they hear.

    Attributes:
        sounds: What the exchange says and plays.
        music: What whoever waits hears, ``None`` for none.
        places: By kind of destination, who serves it: an :class:`~pbx.calls.destination.IDestination`.
        numbers: The numbers of places.
        star_codes: The features by their codes.
        mailboxes: The numbers of mailboxes that belong to no extension.
        confirm: Of a caller and the extension that it calls, makes what asks somebody who follows whether the call is
            taken.
    """

    sounds: Sounds
    music: Music | None = None
    places: Mapping[str, Any] = Factory(dict)
    numbers: PlaceNumbers = Factory(Places)
    star_codes: Mapping[str, str] = Factory(dict)
    mailboxes: Container[str] = frozenset()
    confirm: Callable[[CallerIdentity, str], Callable[[Terminal], Awaitable[bool]]] | None = None


@frozen
class CallTools:
    """
    What every call is built with.

    Attributes:
        core: The user agent core.
        engine: Opens the media.
        tasks: Runs what nobody awaits.
        wall: The wall clock.
        emit: Tells what happens.
        settings: What the operator decided.
        router: Says where calls go.
        location: Where phones are.
        calls: The live calls by identifier.
        sounds: What the exchange says and plays.
        music: What whoever waits hears, ``None`` for none.
        places: What a caller can be sent to besides phones, by kind of destination: each an
            :class:`~pbx.calls.destination.IDestination`.
        outside: What calls beyond the house need.
    """

    core: UserAgentCore
    engine: IMediaEngine
    tasks: Tasks
    wall: Callable[[], float]
    emit: Callable[[CallEvent], None]
    settings: CallSettings
    router: Router
    location: Location
    calls: Mapping[str, Call]
    sounds: Sounds
    music: Music | None = None
    places: Mapping[str, Any] = Factory(dict)
    outside: Outside = Factory(Outside)
