"""
A conference while it goes on: who is there, and what is done with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger

from pbx.calls.record import stamp
from pbx.features.conference import chimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pbx.directory.places import Room
    from pbx.features.conference.attendee import Attendee
    from pbx.features.conference.equipment import Equipment, IRecording
    from pbx.media.room import MixedRoom
    from pbx.media.room_sound import PlayedSound

LOBBY: Final = "lobby"
"""With a meeting, the room in the mixer where those wait whom no moderator has let in."""


class Meeting:
    """
    All who are in one room now.

    Attributes:
        room: The room as it was configured when the first came.
        started: When that was, in seconds of the wall clock.
        attendees: Who takes part, in the order they came; those who wait too.
        locked: Whether nobody is let in any more.
        ended: Whether all are being sent away.
        recorded_to: The file it is recorded to, ``None`` while it is not.
        on_change: Called when anything has changed that the API shows, except who talks.
    """

    log = Logger()

    def __init__(self, room: Room, equipment: Equipment, on_change: Callable[[Meeting], object]) -> None:
        self.room = room
        self.started = equipment.wall()
        self.attendees: dict[str, Attendee] = {}
        self.locked = False
        self.recorded_to: Path | None = None
        self.on_change = on_change
        self._equipment = equipment
        self._recording: IRecording | None = None
        self.ended = False
        self._begun = not (room.wait_for_moderator and room.moderator_pin)

    def __len__(self) -> int:
        return len(self.attendees)

    @property
    def present(self) -> list[Attendee]:
        """
        Who is heard, in the order they came.
        """
        return [attendee for attendee in self.attendees.values() if not self._waits(attendee)]

    @property
    def full(self) -> bool:
        """
        Whether nobody more has room.
        """
        return len(self.attendees) >= self.room.most

    @property
    def begun(self) -> bool:
        """
        Whether those who come take part at once, and need not wait for a moderator.
        """
        return self._begun

    def enter(self, attendee: Attendee) -> None:
        """
        Let somebody in: to the others, or to wait for the moderator.
        """
        self.attendees[attendee.id] = attendee
        if attendee.moderator and not self._begun:
            self._begin()
        if self._begun:
            self._seat(attendee)
        else:
            mixer, terminal = self._equipment.mixer, attendee.terminal
            attendee.member = mixer.join((LOBBY, self), terminal.hearing, terminal.speaking, muted=True)
            self._refresh_music()
        self.log.info(
            "conference {room}: {number} comes, {count} there (call {call_id})",
            room=self.room.number,
            number=attendee.number or "anonymous",
            count=len(self),
            call_id=attendee.call_id,
        )
        self.on_change(self)

    def leave(self, attendee: Attendee) -> None:
        """
        Let somebody out; one that is not there is ignored.
        """
        if self.attendees.pop(attendee.id, None) is None:
            return
        took_part = not self._waits(attendee)
        if attendee.member is not None:
            attendee.member.leave()
            attendee.member = None
        self.log.info(
            "conference {room}: {number} goes, {count} there (call {call_id})",
            room=self.room.number,
            number=attendee.number or "anonymous",
            count=len(self),
            call_id=attendee.call_id,
        )
        if not self.present:
            self.stop_recording()
        elif took_part:
            self._announce(attendee, "conf-has-left", chimes.GOES)
        if self.room.end_with_moderator and attendee.moderator and not any(self._moderators()) and self.attendees:
            self.end("moderator left")
        self._refresh_music()
        self.on_change(self)

    def mute(self, attendee: Attendee, muted: bool = True, *, told: bool = False) -> None:
        """
        Let the others hear somebody no more, or again.

        Args:
            attendee: Who.
            muted: Whether it is to be muted.
            told: Whether it is told so, in its ear: it did not do it itself.
        """
        if attendee.member is None or self._waits(attendee):
            return
        if told and attendee.muted != muted:
            prompt = "conf-muted-by-moderator" if muted else "conf-unmuted-by-moderator"
            self._equipment.tasks.start(self._tell(attendee, prompt), f"tell in conference {self.room.number}")
        attendee.member.muted = muted
        self.on_change(self)

    def mute_all(self) -> None:
        """
        Mute all who are no moderators, and say so.
        """
        for attendee in self.present:
            if not attendee.moderator:
                self.mute(attendee)
        self.say("conf-all-muted")

    def lock(self, locked: bool = True) -> None:
        """
        Let nobody in any more, or again.
        """
        if locked != self.locked:
            self.locked = locked
            self.say("conf-now-locked" if locked else "conf-now-unlocked")
            self.on_change(self)

    def end(self, reason: str = "ended") -> None:
        """
        Let all go, with a word.
        """
        self.ended = True
        for attendee in list(self.attendees.values()):
            attendee.dismiss(reason)

    def record(self) -> bool:
        """
        Write all that is said from now on to a file of its own.

        Returns:
            Whether it is being recorded: not while nobody takes part.
        """
        mixed = self._mixed()
        if mixed is None:
            return False
        if self._recording is not None:
            return True
        began = stamp(self._equipment.wall()).replace(":", "-").replace("+00-00", "Z")
        path = self._equipment.folder / self.room.number / f"{began}.wav"
        self._recording = self._equipment.recording(path, mixed.rate, on_error=lambda _: self._recording_failed())
        self.recorded_to = path
        mixed.record(self._recording)
        self.say("conf-recording-started")
        self.on_change(self)
        return True

    def stop_recording(self) -> None:
        """
        End the recording, if there is one.
        """
        recording, self._recording, self.recorded_to = self._recording, None, None
        if recording is None:
            return
        mixed = self._mixed()
        if mixed is not None:
            mixed.record(None)
        self._equipment.tasks.start(recording.close(), f"close the recording of conference {self.room.number}")
        self.say("conf-recording-stopped")
        self.on_change(self)

    def say(self, *prompts: str | PlayedSound) -> None:
        """
        Let all hear prompts, besides each other.
        """
        if self._mixed() is not None:
            self._equipment.tasks.start(self._say(prompts), f"announce in conference {self.room.number}")

    def shown(self) -> dict[str, Any]:
        """
        What the API says of it.
        """
        return {
            "number": self.room.number,
            "name": self.room.name,
            "started": stamp(self.started),
            "locked": self.locked,
            "begun": self._begun,
            "recording": str(self.recorded_to) if self.recorded_to is not None else None,
            "members": [{**each.shown(), "waiting": self._waits(each)} for each in self.attendees.values()],
        }

    def _waits(self, attendee: Attendee) -> bool:
        return attendee.member is None or attendee.member.room.key is not self

    def _moderators(self) -> Iterable[Attendee]:
        return (attendee for attendee in self.attendees.values() if attendee.moderator)

    def _mixed(self) -> MixedRoom | None:
        return self._equipment.mixer.room(self)

    def _begin(self) -> None:
        self._begun = True
        waiting = [attendee for attendee in self.attendees.values() if attendee.member is not None]
        for attendee in waiting:
            if attendee.member is not None:
                attendee.member.leave()
            self._seat(attendee, quiet=True)
        if waiting:
            self.say("conf-begins")

    def _seat(self, attendee: Attendee, *, quiet: bool = False) -> None:
        room, terminal = self.room, attendee.terminal
        others = bool(self.present)
        attendee.member = self._equipment.mixer.join(
            self, terminal.hearing, terminal.speaking, muted=room.mute_on_entry and not attendee.moderator
        )
        if others and not quiet:
            self._announce(attendee, "conf-has-joined", chimes.COMES)
        if room.record and self._recording is None:
            self.record()
        self._refresh_music()

    def _announce(self, attendee: Attendee, event: str, chime: chimes.Chime) -> None:
        """
        Tell all that somebody has come or gone, as the room has it.
        """
        mixed = self._mixed()
        if mixed is None or self.ended or self.room.announce == "none":
            return
        if self.room.announce == "name" and attendee.spoken_name is not None:
            self.say(attendee.spoken_name, event)
        else:
            mixed.announce(chime)

    async def _say(self, prompts: Iterable[str | PlayedSound]) -> None:
        sounds = [await self._equipment.sounds.load(prompt, self._language()) for prompt in prompts]
        mixed = self._mixed()
        if mixed is not None:
            mixed.announce(*sounds)

    async def _tell(self, attendee: Attendee, prompt: str) -> None:
        sound = await self._equipment.sounds.load(prompt, attendee.language)
        if attendee.member is not None:
            attendee.member.whisper(sound)

    def _language(self) -> str:
        """
        The language that announcements to all are made in: that of whoever came first.
        """
        return next((attendee.language for attendee in self.attendees.values()), "en")

    def _recording_failed(self) -> None:
        # Why is in the log already; the file holds what was said until now.
        self.stop_recording()

    def _refresh_music(self) -> None:
        """
        Play music to who is alone or waits, and to nobody else.
        """
        self._equipment.tasks.start(self._play_music(), f"music in conference {self.room.number}")

    async def _play_music(self) -> None:
        if not self.room.music:
            return
        lacking = any(mixed.music is None for mixed, playing in self._listeners() if playing)
        music = await self._equipment.music(self.room.music) if lacking else None
        # Others may have come while it was fetched.
        for mixed, playing in self._listeners():
            if not playing and mixed.music is not None:
                mixed.play(None)
            elif playing and mixed.music is None and music is not None:
                mixed.play(music)

    def _listeners(self) -> list[tuple[MixedRoom, bool]]:
        """
        Where music can be heard, and whether it should be.
        """
        mixer = self._equipment.mixer
        here, lobby = mixer.room(self), mixer.room((LOBBY, self))
        listeners = [(here, len(self.present) == 1), (lobby, True)]
        return [(mixed, playing) for mixed, playing in listeners if mixed is not None]
