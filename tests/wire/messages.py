"""
Voicemail as its users meet it: keys that are pressed, prompts that are heard, messages that are left, mail that comes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile
from aiosmtpd.controller import Controller
from numpy.typing import NDArray

from tests.ops.post import Post
from tests.wire import sound
from tests.wire.baresip import Phone
from tests.wire.case import ExchangeTestCase
from tests.wire.ears import SAME, Hearer, shipped
from tests.wire.process import eventually, sleep

SAID = 2.6
"""Seconds of a message that are enough to tell a voice."""

PIECE = 0.4
"""Seconds of a recording that are compared at a time."""

LISTENED = 2.0
"""Seconds of a voice that are enough to have heard it."""

MESSAGE = "?" * 32 + ".wav"
"""What the file of a message is called."""

WAV_HEAD = 44
BYTES_PER_SECOND = 2 * sound.RATE


def with_mail(port: int, **more: Any) -> Mapping[str, Mapping[str, Any]]:
    """
    The section of the configuration that has mail sent to a port of this machine.
    """
    smtp = {"host": "127.0.0.1", "port": port, "use_tls": False}
    return {"voicemail": {"no_answer_timeout": 5, "smtp": smtp, "email": {"from_address": "pbx@example.com"}, **more}}


async def press(phone: Phone, keys: str, gap: float = 0.16) -> None:
    """
    Press keys, one after the other; baresip sends each as RFC 4733 has it.
    """
    for key in keys:
        await phone.command("sndcode", key)
        await sleep(gap)


def heard(phone: Hearer) -> NDArray[Any]:
    """
    All that a phone has heard in its last call.
    """
    recordings = getattr(phone, "recordings", None)
    if recordings is None:
        return phone.sounds()[""]
    files = [path for path in recordings() if path.stat().st_size > WAV_HEAD]
    return sound.read(files[-1]) if files else np.zeros(0, np.int16)


def prompt_in(recorded: NDArray[Any], name: str) -> sound.Match:
    """
    Where a prompt is in a recording: its position is where the liveliest second of it begins.
    """
    prompt = shipped(f"en/{name}")
    if not recorded.any():
        return sound.Match(0.0, 0.0, 0.0)
    return sound.find(prompt, recorded, window=min(1.0, len(prompt) / sound.RATE))


async def hears_prompts(phone: Hearer, *names: str, after: float = 0.0, within: float = 10) -> float:
    """
    Wait until prompts have been heard, one after the other; the second of the recording in which the last of them ends,
    or a little before.

    Args:
        phone: Who hears them.
        names: Which.
        after: Seconds of the recording to pass over.
        within: Seconds for each.
    """
    for name in names:
        after += await _hears_prompt(phone, name, after, within)
    return after


async def _hears_prompt(phone: Hearer, name: str, after: float, within: float) -> float:
    best = 0.0

    async def ask() -> float:
        nonlocal best
        recorded = heard(phone)[int(after * sound.RATE) :]
        match = prompt_in(recorded, name)
        best, end = max(best, match.score), match.position + match.seconds
        # One that has only begun agrees already.
        return end if match.score >= SAME and end <= len(recorded) / sound.RATE else 0.0

    try:
        return await eventually(ask, within, name, 0.1)
    except TimeoutError as error:
        raise TimeoutError(f"{phone.name} does not hear {name} after {after:.1f} s: {best:.2f} at best") from error


async def ring(phone: Phone, number: str) -> None:
    """
    Let a phone call somebody, until it is answered and something is heard.
    """
    before, calls = set(phone.recordings()), sum(event.type == "CALL_ESTABLISHED" for event in phone.events) + 1
    await phone.dial(number)
    await phone.event("CALL_ESTABLISHED", count=calls)

    async def ask() -> bool:
        return any(path.stat().st_size > WAV_HEAD for path in set(phone.recordings()) - before)

    await eventually(ask, 5, "something heard", 0.05)


def agreeing(recorded: NDArray[Any], said: NDArray[Any]) -> list[sound.Match]:
    """
    The pieces of a recording that hold a voice, in the order in which it was said.

    By pieces, since a jitter buffer that adapts moves what follows by some milliseconds.
    """
    return [match for _, match in placed(recorded, said)]


def placed(recorded: NDArray[Any], said: NDArray[Any]) -> list[tuple[float, sound.Match]]:
    """
    The same, each with where in the recording it stands, in seconds.
    """
    size = int(PIECE * sound.RATE)
    found = [
        (at / sound.RATE, sound.find(recorded[at : at + size], said, PIECE))
        for at in range(0, len(recorded) - size + 1, size)
    ]
    return [(at, match) for at, match in found if match.score >= SAME]


async def listened(phone: Hearer, said: NDArray[Any], after: float, within: float = 10) -> float:
    """
    The seconds of a voice that a phone hears from some second on, once they are two.
    """

    async def ask() -> float:
        nonlocal seconds
        seconds = PIECE * len(agreeing(heard(phone)[int(after * sound.RATE) :], said))
        return seconds if seconds >= LISTENED else 0.0

    seconds = 0.0
    with suppress(TimeoutError):
        await eventually(ask, within, "the voice", 0.2)
    return seconds


def seconds_since(phone: Hearer) -> float:
    """
    How many seconds a phone has heard in its last call.
    """
    return len(heard(phone)) / sound.RATE


class VoicemailTestCase(ExchangeTestCase):
    """
    Tests of voicemail, with an SMTP server that each of them may start.

    Attributes:
        mail_port: Where the exchange brings its mail.
    """

    mail_port: ClassVar[int]

    def serve_mail(self) -> Post:
        """
        Start the SMTP server; what it takes.
        """
        post = Post()
        controller = Controller(post, hostname="127.0.0.1", port=self.mail_port)  # type: ignore[no-untyped-call]
        controller.start()  # type: ignore[no-untyped-call]
        self.addCleanup(controller.stop)
        return post

    def files(self, number: str, name: str = MESSAGE) -> list[Path]:
        """
        The audio files of a mailbox, the newest last.
        """
        found = (self.exchange.data / "voicemail" / number).glob(name)
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    async def recording(self, number: str, seconds: float, but: Iterable[Path] = (), name: str = MESSAGE) -> Path:
        """
        Wait until a mailbox has a new file with so many seconds of audio; the file.
        """
        known = set(but)

        async def ask() -> Path | None:
            for path in self.files(number, name):
                if path not in known and path.stat().st_size - WAV_HEAD >= seconds * BYTES_PER_SECOND:
                    return path
            return None

        found = await eventually(ask, 15, f"{seconds} s of a message for {number}", 0.05)
        assert found is not None
        return found

    async def leave(self, caller: Phone, dialled: str, number: str = "", *, seconds: float = SAID) -> dict[str, Any]:
        """
        Let a phone leave a message without hearing the greeting out; what the API says of it.

        Args:
            caller: Who leaves it.
            dialled: What it dials.
            number: The mailbox where it arrives, when that is another.
            seconds: How long it is.
        """
        number = number or dialled
        before, messages = self.files(number), await self.messages(number)
        await ring(caller, dialled)
        await press(caller, "#")
        await self.recording(number, seconds, before)
        await caller.hang_up()
        return (await self.messages(number, len(messages) + 1))[-1]

    async def messages(self, number: str, count: int = 0, *, deleted: bool = False) -> list[dict[str, Any]]:
        """
        The messages of a mailbox, oldest first, once there are so many.
        """

        async def ask() -> list[dict[str, Any]] | None:
            _, answer = await self.api("GET", f"/api/voicemail/{number}/messages" + "?deleted=yes" * deleted)
            found = answer["messages"]
            return sorted(found, key=lambda one: str(one["received"])) if len(found) >= count else None

        if not count:
            return await ask() or []
        return await eventually(ask, 10, f"{count} messages in {number}") or []

    async def set_pin(self, number: str, pin: str = "4711", *, skip: bool = True) -> None:
        """
        Give a mailbox a PIN, and say whether it is asked for on the owner's own phone.
        """
        status, answer = await self.api("PUT", f"/api/voicemail/{number}", {"pin": pin, "skip_pin": skip})
        self.assertEqual(status, 200, answer)

    async def mail_to(self, post: Post, number: str) -> Any:
        """
        The only mail to the owner of a mailbox, once it was taken.
        """
        address = f"{number}@company.com"

        async def ask() -> list[Any]:
            return [mail for mail in post.mails if mail["To"] == address]

        found = await eventually(ask, 10, f"a mail to {address}")
        self.assertEqual(len(found), 1)
        return found[0]

    def assert_agrees(self, recorded: NDArray[Any], said: NDArray[Any], what: str = "") -> list[sound.Match]:
        """
        A recording holds a voice from its beginning to its end, in the right order; its pieces.
        """
        seconds, pieces = len(recorded) / sound.RATE, placed(recorded, said)
        found = [match for _, match in pieces]
        self.assertGreaterEqual(seconds, 1.9, what)
        # A buffer that corrects its delay spoils the piece it does that in, and the last one is cut.
        least = min(seconds - 3 * PIECE, 0.6 * seconds)
        self.assertGreaterEqual(PIECE * len(found), least, f"{what}: {seconds} s, {found}")
        places = [match.position for match in found]
        self.assertEqual(places, sorted(places), what)
        # Nothing is left out or said twice between them, but for what the buffer corrects: 20 ms each time.
        (first, _), (last, _) = pieces[0], pieces[-1]
        self.assertLess(abs(places[-1] - places[0] - (last - first)), 0.1, what)
        return found


def attached(mail: Any) -> NDArray[Any]:
    """
    The audio that is attached to a mail.
    """
    (part,) = mail.iter_attachments()
    samples, rate = soundfile.read(io.BytesIO(part.get_content()), dtype="int16")
    if rate != sound.RATE:
        raise ValueError(f"the attachment has {rate} samples a second")
    return np.asarray(samples)
