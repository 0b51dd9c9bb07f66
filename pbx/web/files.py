"""
Sound files in the API: how they are shown, sent and refused.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pbx.calls.record import stamp
from pbx.features.prompts import NotKeptError
from pbx.features.recordings import UnusableSoundError
from pbx.features.speaker import NoVoiceError
from pbx.features.speech import SpeechFailedError
from pbx.web.problems import Problem, wrong_fields
from pbx.web.routes import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pbx.features.recordings import Recording

MEDIA_TYPES: Final = {
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".aiff": "audio/aiff",
    ".aif": "audio/aiff",
    ".au": "audio/basic",
    ".gsm": "audio/gsm",
}
"""What a browser is told that a file is."""


def shown(recording: Recording) -> dict[str, Any]:
    """
    What the API says of a sound file; ``seconds`` is ``null`` for one that cannot be read.
    """
    return {"seconds": recording.seconds, "size": recording.size, "changed": stamp(recording.changed)}


def sent(path: Path, content: bytes) -> Reply:
    """
    A sound file as an answer.
    """
    # Files that were put there by hand may be called anything.
    name = re.sub(r"[^\w .-]", "_", path.name, flags=re.ASCII)
    kind = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return Reply(content, headers={"Content-Type": kind, "Content-Disposition": f'inline; filename="{name}"'})


@contextmanager
def problems(field: str) -> Iterator[None]:
    """
    Errors in keeping a file, told as problems.

    Args:
        field: What in the request it is about.
    """
    try:
        yield
    except UnusableSoundError as error:
        raise wrong_fields([(field, str(error))])
    except NoVoiceError as error:
        raise Problem(HTTPStatus.NOT_IMPLEMENTED, str(error))
    except SpeechFailedError as error:
        raise Problem(HTTPStatus.BAD_GATEWAY, f"{error} The log says more.")
    except NotKeptError as error:
        raise Problem(HTTPStatus.CONFLICT, str(error))
    except OSError as error:
        raise Problem(HTTPStatus.INSUFFICIENT_STORAGE, f"It cannot be kept: {error.strerror or error}.")
