"""
What phones hear from now on: for tests in which that changes in the middle of a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from twisted.internet.defer import Deferred, gatherResults

from pbx.furniture import SHIPPED
from tests.wire import sound
from tests.wire.baresip import Phone
from tests.wire.case import ExchangeTestCase
from tests.wire.exchange import PASSWORD
from tests.wire.handset import Handset
from tests.wire.process import eventually, reactor, sleep

SETTLE = 0.4
"""Seconds until a phone's jitter buffer has let go of what was said before."""

PIECE = 1.3
"""Seconds of listening that are enough to tell a voice."""

MUSIC = 2.1
"""Seconds that are enough to tell where in a piece of music it is."""

PATIENCE = 2.0
"""Seconds to wait longer for what shall be heard."""

SAME, OTHER = 0.9, 0.4
"""What a voice that is heard scores at least, and one that is not at most."""

Samples = NDArray[Any]


def shipped(name: str) -> Samples:
    """
    A prompt (``en/ivr-greeting``) or a piece of music (``music/default``) as it sounds over G.711.
    """
    samples, rate = soundfile.read(SHIPPED / f"{name}.flac", dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, sound.RATE) * 32767).astype(np.int16)


def score(heard: Samples, said: Samples) -> float:
    """
    How well they agree: 1 for the same, about 0.1 for strangers.
    """
    return sound.find(heard, said).score


class Hearer(Protocol):
    """
    Whoever hears and speaks: a :class:`~tests.wire.baresip.Phone` or a :class:`~tests.wire.handset.Handset`.
    """

    @property
    def name(self) -> str:
        """
        Its extension.
        """

    @property
    def said(self) -> Samples:
        """
        The samples of its voice.
        """

    def sounds(self) -> dict[str, Samples]:
        """
        What it has heard so far, one a call.
        """


async def _piece(phone: Hearer, seconds: float, settle: float, patience: float) -> Samples:
    await sleep(settle)
    before = {name: len(samples) for name, samples in phone.sounds().items()}
    end = reactor.seconds() + seconds + patience
    samples: Samples = np.zeros(0, np.int16)
    while len(samples) < seconds * sound.RATE and reactor.seconds() < end:
        await sleep(0.15)
        # A phone on several calls has several recordings: the one that grows is meant.
        pieces = [whole[before.get(name, 0) :] for name, whole in phone.sounds().items()]
        samples = max(pieces, key=len, default=samples)
    return samples[: int(seconds * sound.RATE)]


async def listen(
    *phones: Hearer, seconds: float = PIECE, settle: float = SETTLE, patience: float = PATIENCE
) -> list[Samples]:
    """
    The next seconds of what each phone hears, at the same time; less where less comes.
    """
    pieces = [Deferred.fromCoroutine(_piece(phone, seconds, settle, patience)) for phone in phones]
    return list(await gatherResults(pieces, consumeErrors=True))


class ListeningTestCase(ExchangeTestCase):
    """
    Tests that compare what phones hear with what was said.
    """

    async def assert_heard(
        self, *expected: tuple[Hearer, Samples], strangers: Iterable[Samples] = (), seconds: float = PIECE
    ) -> None:
        """
        Each phone hears what is said to it, and neither itself nor a stranger.

        Args:
            expected: phones, each with what it shall hear.
            strangers: what none of them may hear.
            seconds: how long to listen.
        """
        pieces = await listen(*(phone for phone, _ in expected), seconds=seconds)
        for (phone, said), piece in zip(expected, pieces, strict=True):
            name = phone.name
            self.assertGreaterEqual(score(piece, said), SAME, f"{name}, {len(piece) / sound.RATE:.1f} s")
            self.assertLess(score(piece, phone.said), OTHER, f"{name} hears itself")
            for number, stranger in enumerate(strangers):
                self.assertLess(score(piece, stranger), OTHER, f"{name} hears stranger {number}")

    async def assert_talking(self, one: Hearer, other: Hearer, *strangers: Samples) -> None:
        """
        Two phones hear each other, and nobody else.
        """
        await self.assert_heard((one, other.said), (other, one.said), strangers=strangers)

    async def assert_silent(self, *phones: Hearer, but: Iterable[Samples]) -> None:
        """
        Phones hear none of these voices.
        """
        for phone, piece in zip(phones, await listen(*phones, patience=0.0), strict=True):
            for number, said in enumerate(but):
                self.assertLess(score(piece, said), OTHER, f"{phone.name} hears voice {number}")

    async def assert_music(self, phone: Hearer, music: Samples, *strangers: Samples) -> None:
        """
        A phone hears the music, and nobody.
        """
        (piece,) = await listen(phone, seconds=MUSIC)
        self.assertGreaterEqual(score(piece, music), 0.8, f"{phone.name} hears the music")
        for number, stranger in enumerate(strangers):
            self.assertLess(score(piece, stranger), OTHER, f"{phone.name} hears stranger {number}")

    async def assert_prompt(self, phone: Hearer, prompt: Samples, within: float = 8) -> None:
        """
        Wait until a phone has heard a prompt, whatever else it has heard.
        """
        best = 0.0

        async def heard() -> bool:
            nonlocal best
            best = max([best, *(score(prompt, recorded) for recorded in phone.sounds().values())])
            return best >= SAME

        try:
            await eventually(heard, within, "a prompt", 0.2)
        except TimeoutError:
            self.fail(f"{phone.name} hears the prompt not better than {best:.2f}")

    async def connect(self, caller: Phone, callee: Phone) -> None:
        """
        Let a phone call another, which answers by itself.
        """
        calls = sum(event.type == "CALL_ESTABLISHED" for event in callee.events) + 1
        await caller.dial(callee.account.user)
        await callee.event("CALL_ESTABLISHED", count=calls)
        await caller.event("CALL_ESTABLISHED")

    async def handset(self, number: str) -> Handset:
        """
        A telephone of our own, registered.
        """
        self._voice += 1
        handset = Handset(number, PASSWORD, (self.exchange.host, self.exchange.sip_port), self._voice)
        handset.start()
        self.addCleanup(handset.stop)
        self.assertEqual((await handset.register()).status, 200)
        # It is not to ring in the next test.
        self.addCleanup(handset.register, 0)
        return handset
