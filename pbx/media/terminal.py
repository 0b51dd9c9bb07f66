"""
A leg when the exchange itself is at the other end: what it hears, says, and presses.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred

from pbx.media.comfort import ComfortNoise
from pbx.media.ear import Ear
from pbx.media.hearing import Hearing
from pbx.media.keys import Keys
from pbx.media.player import Player
from pbx.media.recorder import Recorder
from pbx.media.sounds import TONE
from pbx.media.speaking import Speaking
from pbx.media.take import Take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IReactorTime

    from pbx.media.listeners import Listener
    from pbx.media.music import Music
    from pbx.media.session import RtpSession
    from pbx.media.sound import Sound
    from pbx.media.sounds import Sounds

BEEP: Final = "tone:beep"
"""What asks a caller to speak."""


@frozen
class Recording:
    """
    What was recorded.

    Attributes:
        seconds: How long it is, without the silence at its end.
        ended_by: ``key``, ``silence``, ``length``, ``hangup`` or ``error``.
        key: The key that ended it, or nothing.
    """

    seconds: float
    ended_by: str
    key: str = ""


class Terminal:
    """
    The media of one leg, for a place that plays and listens.

    One thing is done at a time. Whatever waits can be cancelled, and leaves nothing running behind it; after
    :meth:`close` everything raises :class:`~twisted.internet.defer.CancelledError`, as if it had been cancelled.

    Attributes:
        session: The leg's media.
        sounds: Where prompts come from.
        language: The language of prompts.
        hearing: What the caller says, for a mixer too.
        speaking: What the caller is told, for a mixer too.
        recording: The last recording, also one that was cancelled; ``None`` before there was one.
    """

    def __init__(
        self,
        session: RtpSession,
        sounds: Sounds,
        *,
        clock: IReactorTime,
        language: str = "en",
        music: Music | None = None,
    ) -> None:
        """
        Listen to a session from now on.

        Args:
            session: The leg's media.
            sounds: Where prompts come from.
            clock: The time.
            language: The language of prompts.
            music: For :meth:`hold_music`.
        """
        self.session = session
        self.sounds = sounds
        self.language = language
        self.recording: Recording | None = None
        self.hearing = Hearing(session, on_digit=self._heard, detect_inband=True)
        self.speaking = Speaking(session)
        self._keys = Keys(clock)
        self._ear: Ear | None = None
        self._music = music
        self._closed = False
        self._busy = False
        self._sounding = False
        self._interrupt: Callable[[], object] | None = None
        self._last_key = 0.0
        self._wanted: str | Path = ""
        self._background: Player | Listener | None = None
        self._noise: ComfortNoise | None = None
        self.hearing.start()

    @property
    def closed(self) -> bool:
        """
        Whether it was closed.
        """
        return self._closed

    def key(self, digit: str) -> None:
        """
        Take a key that came by SIP INFO.
        """
        if not self._closed:
            self._keys.press(digit, "info")

    def forget_keys(self) -> None:
        """
        Forget the keys that were pressed and not taken yet: what comes next is not to be answered ahead.
        """
        self._keys.clear()

    async def play(self, sounds: Iterable[str | Path | Sound], *, stop: str = "") -> str:
        """
        Play sounds, one after the other. Music that is on pauses meanwhile.

        Args:
            sounds: Names of prompts and tones, paths of files, or sounds.
            stop: The keys that end it at once; one that was pressed before and not taken yet, before it begins. Other
                keys are kept for who asks next.

        Returns:
            The key that stopped it; nothing when it was played to its end.
        """
        return await self._play(sounds, stop, {})

    async def play_controlled(
        self,
        sound: str | Path | Sound,
        *,
        stop: str,
        back: str,
        forward: str,
        pause: str,
        step: float = 5.0,
    ) -> str:
        """
        Play a sound that the caller can move about in.

        Args:
            sound: The sound, as in :meth:`play`.
            stop: The keys that end it.
            back: The keys that go back.
            forward: The keys that go forward; beyond the end is the end.
            pause: The keys that pause, and let it go on.
            step: Seconds by which it goes.

        Returns:
            The key that stopped it; nothing when it was played to its end.
        """

        def moved(player: Player, seconds: float) -> None:
            player.skip(seconds)
            player.resume()

        controls: dict[str, Callable[[Player], object]] = {}
        controls.update(dict.fromkeys(back, lambda player: moved(player, -step)))
        controls.update(dict.fromkeys(forward, lambda player: moved(player, step)))
        controls.update(dict.fromkeys(pause, lambda player: player.resume() if player.paused else player.pause()))
        return await self._play([sound], stop, controls)

    async def digit(self, timeout: float) -> str:
        """
        The next key, which may have been pressed already.

        Args:
            timeout: Seconds to wait for it.

        Returns:
            The key; nothing when none came.
        """
        self._begin()
        try:
            return await self._keys.next(timeout)
        finally:
            self._finish()

    async def digits(
        self,
        most: int,
        *,
        timeout: float = 5.0,
        between: float = 3.0,
        end: str = "#",
    ) -> str:
        """
        A number that the caller types.

        Args:
            most: After how many keys it is complete.
            timeout: Seconds to wait for the first key.
            between: Seconds to wait for each after that.
            end: The keys that complete it; they are not part of it.

        Returns:
            The keys, as many as came.
        """
        pressed = ""
        while len(pressed) < most:
            key = await self.digit(between if pressed else timeout)
            if not key or key in end:
                break
            pressed += key
        return pressed

    async def record(
        self,
        path: Path,
        *,
        longest: float,
        silence: float | None = None,
        stop: str = "#",
        beep: bool = True,
    ) -> Recording:
        """
        Record what the caller says, from the beep on. Keys pressed before do not count, others than ``stop`` neither.

        Args:
            path: The file, WAV; one that is there already is written over.
            longest: Seconds after which it ends.
            silence: Seconds without a word after which it ends; ``None`` for never.
            stop: The keys that end it.
            beep: Whether to ask for it by a beep.

        Returns:
            What was recorded. When this is cancelled instead, because the caller hung up, the file is closed with what
            was said, and :attr:`recording` tells of it.
        """
        self._begin(sounding=True)
        try:
            self._keys.clear()
            if beep:
                await self._perform([BEEP], "", {})
            early = self._keys.take(stop)
            self._keys.clear()
            return await self._take(path, longest, silence, stop, early)
        finally:
            self._finish()

    def hold_music(self, name: str | Path = "default") -> None:
        """
        Play music from now on until :meth:`quiet`, also between prompts.

        Args:
            name: A class of music; or a tone such as ``tone:ringback``, or a file, to be repeated.
        """
        self.quiet()
        if not self._closed:
            self._wanted = name
            self._begin_background()

    def quiet(self) -> None:
        """
        End the music.
        """
        self._wanted = ""
        self._end_background()

    def close(self) -> None:
        """
        Play and hear no more; the session stays open.

        Who waits for something gets :class:`~twisted.internet.defer.CancelledError`; a recording ends by hang-up.
        """
        if self._closed:
            return
        self._closed = True
        self.quiet()
        self.hearing.stop()
        interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            interrupt()
        self._keys.abandon()

    def _begin(self, *, sounding: bool = False) -> None:
        """
        Do one thing from now on; with ``sounding`` without music.
        """
        if self._closed:
            raise CancelledError
        if self._busy:
            raise ValueError("the terminal does something else already")
        self._busy, self._sounding = True, sounding
        if sounding:
            self._end_background()
        if Ear.needed(self.session):
            self._ear = Ear(self.hearing)
            self.session.pacer.start(self._ear)

    def _finish(self) -> None:
        self._busy = self._sounding = False
        ear, self._ear = self._ear, None
        if ear is not None:
            self.session.pacer.stop(ear)
        self._keys.watcher = self._interrupt = None
        self._begin_background()

    async def _play(
        self, sounds: Iterable[str | Path | Sound], stop: str, controls: dict[str, Callable[[Player], object]]
    ) -> str:
        self._begin(sounding=True)
        try:
            return await self._perform(sounds, stop, controls)
        finally:
            self._finish()

    async def _perform(
        self, sounds: Iterable[str | Path | Sound], stop: str, controls: dict[str, Callable[[Player], object]]
    ) -> str:
        ahead = self._keys.take(stop)
        if ahead:
            return ahead
        loading = Deferred.fromCoroutine(self._load(sounds))
        self._interrupt = loading.cancel
        loaded = await loading
        ahead = self._keys.take(stop)
        if ahead:
            return ahead
        done: Deferred[str] = Deferred()
        player = Player(self.session, loaded, on_end=lambda: done.callback(""))

        def pressed(key: str) -> bool:
            if key in stop:
                self._keys.clear()
                done.callback(key)
                return True
            control = controls.get(key)
            if control is not None:
                control(player)
            return control is not None

        self._interrupt = done.cancel
        self._keys.watcher = pressed
        try:
            player.start()
            return await done
        finally:
            self._keys.watcher = self._interrupt = None
            player.stop()

    async def _load(self, sounds: Iterable[str | Path | Sound]) -> list[Sound]:
        return [await self.sounds.load(item, self.language) for item in sounds]

    async def _take(self, path: Path, longest: float, silence: float | None, stop: str, early: str) -> Recording:
        done: Deferred[tuple[str, str]] = Deferred()

        def end(how: str, key: str = "") -> None:
            # What comes first counts.
            if not done.called:
                done.callback((how, key))

        def pressed(key: str) -> bool:
            if key in stop:
                end("key", key)
            return True

        recorder = Recorder(self.sounds.reactor, path, self.hearing.rate, on_error=lambda _: end("error"))
        take = Take(self.hearing, recorder, longest=longest, silence=silence, on_end=end)
        how, key = "hangup", ""
        self._interrupt = lambda: end("hangup")
        self._keys.watcher = pressed
        try:
            if early:
                end("key", early)
            else:
                self.session.pacer.start(take)
            how, key = await done
        finally:
            self.session.pacer.stop(take)
            self._keys.watcher = self._interrupt = None
            seconds = await recorder.close(take.seconds(self._tone_of(key)))
            if recorder.failed is not None:
                how, key = "error", ""
            self.recording = Recording(seconds, how, key)
        return self.recording

    def _heard(self, digit: str, seconds: float) -> None:
        self._last_key = seconds
        if not self._closed:
            self._keys.press(digit, "rtp")

    def _tone_of(self, key: str) -> float:
        """
        For how long the tone of a key is in the sound: not at all when keys come as events.
        """
        events = any(item.is_telephone_event for item in self.session.agreed.receive)
        return 0.0 if events or not key else self._last_key

    def _begin_background(self) -> None:
        name = self._wanted
        if not name or self._sounding or self._closed or self._background is not None or self._noise is not None:
            return
        if isinstance(name, str) and not name.startswith(TONE):
            self._background = None if self._music is None else self._music.play(self.session, name)
            if self._background is None:
                # As on hold without music: the line must not seem dead.
                self._noise = ComfortNoise.into(self.session.outgoing, self.session.agreed)
                if self._noise is not None:
                    self.session.pacer.start(self._noise)
            return
        loading = Deferred.fromCoroutine(self.sounds.load(name, self.language))
        loading.addCallback(self._repeat, name)

    def _repeat(self, sound: Sound, name: str | Path) -> None:
        # Meanwhile something else may be wanted.
        if self._wanted == name and not self._sounding and self._background is None and sound.count:
            self._background = Player(self.session, sound, loop=True)
            self._background.start()

    def _end_background(self) -> None:
        background, self._background = self._background, None
        if background is not None:
            background.stop()
        noise, self._noise = self._noise, None
        if noise is not None:
            self.session.pacer.stop(noise)
