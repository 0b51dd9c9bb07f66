"""
Tests for :mod:`pbx.media.music`: what phones hear on hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio.g711 import encode_alaw, encode_mulaw
from pbx.media.listeners import Listener
from pbx.media.music import DEFAULT, Music, MusicClass
from pbx.media.sounds import Sounds
from pbx.sdp.audio import Format
from pbx.tasks import Tasks
from tests.media.memory import EVENTS, PCMA, PCMU, Pair
from tests.media.test_sounds import chirp
from tests.media.threads import VirtualThreads

G729 = Format(18, "G729")
LONG = 4.0


class MusicTests(SynchronousTestCase):
    """
    Two phones, and music in a folder.
    """

    def setUp(self) -> None:
        self.pair = Pair()
        self.pair.configure(PCMU, EVENTS)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.threads = VirtualThreads(self.pair.network.clock)
        self.tasks = Tasks()
        self.piece = chirp(LONG, 8000)
        self.path = self.write("piece.wav", self.piece)

    def tearDown(self) -> None:
        self.assertEqual(len(self.pair.engine.pacer), 0)
        self.assertEqual(self.pair.over(), [])
        self.assertEqual(len(self.tasks), 0)

    def write(self, name: str, samples: np.ndarray) -> Path:
        soundfile.write(self.folder / name, samples, 8000)
        return self.folder / name

    def music(self, *files: Path, **more: Any) -> Music:
        music = Music(
            Sounds(self.threads, []), self.pair.engine.pacer, self.tasks,
            [MusicClass(DEFAULT, files or (self.path,), **more)],
        )
        self.advance(0)
        return music

    def advance(self, seconds: float) -> None:
        self.pair.network.advance(seconds)

    def played(self, listener: Listener | None) -> Listener:
        assert listener is not None
        return listener

    def heard(self, phone: Any, start: int = 0) -> bytes:
        return b"".join(packet.payload for packet in phone.heard[start:])

    def test_to_the_bit(self) -> None:
        """
        The phone hears the piece, from its beginning for the first, and nothing more when it is stopped.
        """
        listener = self.played(self.music().play(self.pair.a))
        self.advance(1.99)
        listener.stop()
        listener.stop()
        self.advance(1)
        self.assertEqual(self.heard(self.pair.alice), encode_mulaw(self.piece[:16_000]))
        self.assertEqual([packet.marker for packet in self.pair.alice.heard], [True] + [False] * 99)
        self.assertEqual(self.pair.bob.heard, [])

    def test_like_radio(self) -> None:
        """
        Whoever comes later hears what the others hear now; who comes when all have gone, what they would have heard.
        """
        music = self.music()
        first = self.played(music.play(self.pair.a))
        self.advance(0.99)
        second = self.played(music.play(self.pair.b))
        self.advance(1.0)
        self.assertEqual(self.heard(self.pair.bob), encode_mulaw(self.piece[8000:16000]))
        self.assertEqual(self.heard(self.pair.alice, 50), self.heard(self.pair.bob))
        self.assertTrue(self.pair.bob.heard[0].marker)
        self.assertEqual(music.listeners, 2)
        first.stop()
        second.stop()
        self.advance(5)
        count = len(self.pair.bob.heard)
        third = self.played(music.play(self.pair.b))
        self.advance(0.1)
        self.assertEqual(self.pair.bob.heard[count].payload, encode_mulaw(self.piece[16000:16160]))
        third.stop()
        self.assertEqual(music.listeners, 0)

    def test_again(self) -> None:
        """
        One piece alone is played again and again without a gap.
        """
        listener = self.played(self.music().play(self.pair.a))
        self.advance(2 * LONG + 0.09)
        listener.stop()
        again = np.concatenate([self.piece, self.piece, self.piece[:800]])
        self.assertEqual(self.heard(self.pair.alice), encode_mulaw(again))

    def test_folder(self) -> None:
        """
        The files of a folder are played by name, one after the other, and new ones are found; what is no sound is left
        out.
        """
        folder = self.folder / "class"
        folder.mkdir()
        one, two, three = chirp(0.5, 8000, 300, 900), chirp(0.5, 8000, 1000, 1600), chirp(0.5, 8000, 2000, 3000)
        soundfile.write(folder / "b.wav", two, 8000)
        soundfile.write(folder / "a.wav", one, 8000)
        (folder / "c.wav").write_bytes(b"no sound")
        (folder / "readme.txt").write_text("no sound either")
        listener = self.played(self.music(folder).play(self.pair.a))
        self.advance(0.3)
        soundfile.write(folder / "d.wav", three, 8000)
        self.advance(2.19)
        listener.stop()
        expected = [one, two, one, two, three]
        self.assertEqual(self.heard(self.pair.alice), encode_mulaw(np.concatenate(expected)))

    def test_shuffled(self) -> None:
        """
        In any order each piece is played once a round.
        """
        pieces = [chirp(0.1, 8000, 300 * number, 300 * number + 200) for number in range(1, 9)]
        for number, piece in enumerate(pieces):
            self.write(f"p{number}.wav", piece)
        self.path.unlink()
        listener = self.played(self.music(self.folder, shuffle=True).play(self.pair.a))
        self.advance(3.19)
        listener.stop()
        sound = self.heard(self.pair.alice)
        rounds = [sound[start : start + 6400] for start in range(0, len(sound), 6400)]
        for one in rounds:
            self.assertEqual(
                {one[start : start + 800] for start in range(0, 6400, 800)}, {encode_mulaw(piece) for piece in pieces}
            )
        self.assertGreater(len(set(rounds)), 1)

    def test_two_codecs(self) -> None:
        """
        Each hears it in the codec it has, and goes on with another when that is agreed.
        """
        self.pair.b.configure(self.pair.bob.audio(PCMA), [PCMA], [PCMA])
        music = self.music()
        listeners = [self.played(music.play(session)) for session in (self.pair.a, self.pair.b)]
        self.advance(0.99)
        self.assertEqual(self.heard(self.pair.alice), encode_mulaw(self.piece[:8000]))
        # The first listener had the first frame at once.
        self.assertEqual(self.heard(self.pair.bob), encode_alaw(self.piece[160:8000]))
        self.pair.a.configure(self.pair.alice.audio(PCMA), [PCMA], [PCMA])
        self.advance(1.0)
        # The tick that finds the change is the only one without a frame.
        then = [packet for packet in self.pair.alice.heard if packet.payload_type == 8]
        self.assertGreaterEqual(len(then), 49)
        self.assertTrue(encode_alaw(self.piece[:16000]).endswith(b"".join(packet.payload for packet in then)))
        self.pair.a.configure(self.pair.alice.audio(G729), [G729], [G729])
        self.advance(0.5)
        count = len(self.pair.alice.heard)
        self.assertLessEqual(count, 101)
        self.pair.a.configure(self.pair.alice.audio(PCMU), [PCMU], [PCMU])
        self.advance(0.5)
        self.assertGreaterEqual(len(self.pair.alice.heard), count + 23)
        for listener in listeners:
            listener.stop()

    def test_none(self) -> None:
        """
        Without a class, a file or a codec we know there is no music: the caller decides what is heard instead.
        """
        music = Music(Sounds(self.threads, []), self.pair.engine.pacer, self.tasks)
        self.assertIsNone(music.play(self.pair.a))
        music.put(MusicClass(DEFAULT, (self.folder / "nothing.wav",)))
        self.advance(0)
        self.advance(0)
        self.assertIsNone(music.play(self.pair.a))
        music.put(MusicClass(DEFAULT, (self.path,)))
        self.advance(0)
        self.pair.a.configure(self.pair.alice.audio(G729), [G729], [G729])
        self.assertIsNone(music.play(self.pair.a))
        self.pair.b.close()
        self.assertIsNone(music.play(self.pair.b))

    def test_comes_later(self) -> None:
        """
        A class whose file was missing is heard when the file is there, half a minute later at most.
        """
        path = self.folder / "later.wav"
        music = self.music(path)
        self.advance(1)
        self.assertIsNone(music.play(self.pair.a))
        soundfile.write(path, self.piece, 8000)
        self.advance(30)
        music.play(self.pair.a)
        self.advance(0)
        listener = self.played(music.play(self.pair.a))
        self.advance(0.5)
        self.assertGreater(len(self.pair.alice.heard), 20)
        listener.stop()

    def test_slow_disk(self) -> None:
        """
        Who comes before the piece is read hears it as soon as it is.
        """
        self.threads.hold()
        music = self.music()
        listener = self.played(music.play(self.pair.a))
        self.advance(1)
        self.assertEqual(self.pair.alice.heard, [])
        self.threads.release()
        self.advance(0.5)
        listener.stop()
        self.assertTrue(encode_mulaw(self.piece).startswith(self.heard(self.pair.alice)))
        self.assertGreaterEqual(len(self.pair.alice.heard), 24)

    def test_changed_class(self) -> None:
        """
        A class that is changed or removed: whoever hears it hears what comes in its place, without being touched.
        """
        other = self.write("other.wav", chirp(LONG, 8000, 3000, 300))
        music = self.music()
        music.put(MusicClass("jazz", (self.path,)))
        self.advance(0)
        listener = self.played(music.play(self.pair.a, "jazz"))
        self.advance(0.49)
        music.put(MusicClass("jazz", (other,)))
        self.assertEqual([item.name for item in music.classes], [DEFAULT, "jazz"])
        count = len(self.pair.alice.heard)
        self.advance(0.5)
        changed = encode_mulaw(chirp(LONG, 8000, 3000, 300))
        self.assertGreaterEqual(len(self.pair.alice.heard), count + 24)
        self.assertTrue(changed.startswith(self.heard(self.pair.alice, count)))
        music.remove("jazz")
        count = len(self.pair.alice.heard)
        self.advance(0.5)
        self.assertTrue(encode_mulaw(self.piece).startswith(self.heard(self.pair.alice, count)))
        self.assertGreaterEqual(len(self.pair.alice.heard), count + 24)
        music.remove(DEFAULT)
        self.assertFalse(listener.playing)
        self.assertEqual(music.listeners, 0)

    def test_unknown_class(self) -> None:
        """
        In place of a class that there is not the default one is heard.
        """
        listener = self.played(self.music().play(self.pair.a, "nonsense"))
        self.advance(0.1)
        listener.stop()
        self.assertTrue(encode_mulaw(self.piece).startswith(self.heard(self.pair.alice)))
