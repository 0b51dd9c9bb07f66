"""
Music under measurement: our media engine alone, in a process of its own, with everybody on hold.

``python music_subject.py HOST FIRST STREAMS TARGET``: session i is bound to HOST:FIRST+2i and hears the music at
HOST:TARGET+2i. Says ``ready`` on standard output, and ends with its standard input.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soundfile
from twisted.internet import epollreactor, stdio
from twisted.internet.protocol import Protocol

from pbx.media.engine import InProcessEngine
from pbx.media.music import DEFAULT, Music, MusicClass
from pbx.media.poller import RtpPoller
from pbx.media.settings import MediaSettings
from pbx.media.sounds import Sounds
from pbx.sdp.audio import Audio, Format
from pbx.tasks import Tasks

SECONDS = 60
"""Of the piece that is played."""


def main(host: str, first: int, streams: int, target: int) -> None:
    """
    Play until standard input ends.
    """
    reactor = epollreactor.EPollReactor()
    reactor.seconds = partial(time.clock_gettime, time.CLOCK_BOOTTIME)  # as the PBX does
    settings = MediaSettings(port_range_start=first, port_range_end=first + 2 * streams)
    engine = InProcessEngine(reactor, settings, RtpPoller(reactor))
    with tempfile.TemporaryDirectory() as directory:
        piece = Path(directory) / "piece.wav"
        time_axis = np.arange(16_000 * SECONDS) / 16_000
        soundfile.write(piece, 0.3 * np.sin(2 * np.pi * 440 * time_axis), 16_000)
        music = Music(Sounds(reactor, []), engine.pacer, Tasks(), [MusicClass(DEFAULT, (piece,))])
        formats = [Format(0, "PCMU"), Format(101, "telephone-event")]
        sessions = [engine.open(host, host, call_id=f"bench-{number}") for number in range(streams)]
        for session in sessions:
            session.configure(Audio(host, target + session.port - first, tuple(formats)), formats, formats)
            music.play(session)

        class UntilClosed(Protocol):
            def connectionLost(self, reason: object = None) -> None:
                engine.stop()
                reactor.stop()

        stdio.StandardIO(UntilClosed(), reactor=reactor)
        gc.set_threshold(50_000, 20, 1000)
        gc.freeze()
        # By then the piece is read.
        reactor.callLater(0.5, sys.stdout.write, "ready\n")
        reactor.callLater(0.5, sys.stdout.flush)
        reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], *[int(argument) for argument in sys.argv[2:5]])
