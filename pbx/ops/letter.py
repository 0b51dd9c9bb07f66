"""
A mail as it is sent: headers, text, and the audio that goes with it (RFC 5322, RFC 2045). It reads files and may
convert audio: run it in a thread.
"""

from __future__ import annotations

import io
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Literal, Protocol

import soundfile
from attrs import frozen

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

SUBTYPES: Final = {"wav": "wav", "flac": "flac", "mp3": "mpeg"}
"""The media types of audio (RFC 2361's for WAV is not what mail programs know)."""

POLICY: Final = SMTP.clone(linesep="\n", max_line_length=78)
"""Lines end in LF: the SMTP client makes CRLF of it (and would make CR CR LF of CRLF)."""


@frozen
class Letterhead:
    """
    What every mail has in common.

    Attributes:
        address: The sender's address.
        name: The sender's name.
        attachment: The format of attached audio.
    """

    address: str
    name: str = ""
    attachment: Literal["wav", "flac", "mp3"] = "wav"


class Letter(Protocol):
    """
    What is written.
    """

    @property
    def id(self) -> str:
        """
        Stands in the Message-ID.
        """

    @property
    def recipient(self) -> str:
        """
        The address.
        """

    @property
    def subject(self) -> str:
        """
        One line.
        """

    @property
    def body(self) -> str:
        """
        The text.
        """

    @property
    def html(self) -> str | None:
        """
        The same as HTML.
        """

    @property
    def attachment(self) -> str | None:
        """
        The audio, as a path below the voicemail folder.
        """


def written(letter: Letter, head: Letterhead, folder: Path, now: float) -> BinaryIO:
    """
    The whole mail as a file of bytes. Audio that is not there any more is left out, which the text tells.

    Raises:
        OSError: The audio can't be read.
    """
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(head.name, addr_spec=head.address)
    message["To"] = Address(addr_spec=letter.recipient)
    message["Subject"] = letter.subject
    message["Date"] = formatdate(now, localtime=True)
    message["Message-ID"] = f"<{letter.id}@{head.address.rpartition('@')[2]}>"
    # RFC 3834 5: no vacation notice shall answer it.
    message["Auto-Submitted"] = "auto-generated"
    audio = None if letter.attachment is None else _audio(folder / letter.attachment, head.attachment)
    gone = letter.attachment is not None and audio is None
    # base64 throughout: no line begins with a dot, which the SMTP client forgets to double between two of its chunks.
    message.set_content(letter.body + ("\nThe message itself has been deleted.\n" if gone else ""), cte="base64")
    if letter.html is not None:
        message.add_alternative(letter.html, subtype="html", cte="base64")
    if audio is not None:
        message.add_attachment(
            audio, maintype="audio", subtype=SUBTYPES[head.attachment], filename=f"voicemail.{head.attachment}"
        )
    return io.BytesIO(message.as_bytes())


def _audio(path: Path, wanted: str) -> bytes | None:
    if not path.exists():
        return None
    if wanted == "wav":
        # As it was recorded: 16-bit linear, which every player knows.
        return path.read_bytes()
    pcm, rate = soundfile.read(path, dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format=wanted.upper())
    return file.getvalue()
