"""
Conferences under measurement: our media engine and mixer alone, in a process of their own, with all members there.

``python conference_subject.py HOST FIRST STREAMS TARGET SIZE``: session i is bound to HOST:FIRST+2i, its peer is
HOST:TARGET+2i, and it is in a room of SIZE members. Says ``ready`` on standard output, and ends with its standard
input.
"""

from __future__ import annotations

import gc
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from twisted.internet import epollreactor, stdio
from twisted.internet.protocol import Protocol

from pbx.audio import codec
from pbx.media.engine import InProcessEngine
from pbx.media.hearing import Hearing
from pbx.media.mixer import Mixer
from pbx.media.poller import RtpPoller
from pbx.media.settings import MediaSettings
from pbx.media.speaking import Speaking
from pbx.sdp.audio import Audio, Format


def main(host: str, first: int, streams: int, target: int, size: int) -> None:
    """
    Mix until standard input ends.
    """
    reactor = epollreactor.EPollReactor()
    reactor.seconds = partial(time.clock_gettime, time.CLOCK_BOOTTIME)  # as the PBX does
    settings = MediaSettings(port_range_start=first, port_range_end=first + 2 * streams)
    engine = InProcessEngine(reactor, settings, RtpPoller(reactor))
    mixer = Mixer(engine.pacer, codec.encoder)
    formats = [Format(0, "PCMU"), Format(101, "telephone-event")]
    sessions = [engine.open(host, host, call_id=f"bench-{number}") for number in range(streams)]
    for session in sessions:
        session.configure(Audio(host, target + session.port - first, tuple(formats)), formats, formats)
    # In the order of the ports, which the engine gives out in an order of its own.
    for session in sorted(sessions, key=lambda session: session.port):
        hearing = Hearing(session)
        hearing.start()
        mixer.join((session.port - first) // 2 // size, hearing, Speaking(session))

    class UntilClosed(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            engine.stop()
            reactor.stop()

    stdio.StandardIO(UntilClosed(), reactor=reactor)
    gc.set_threshold(50_000, 20, 1000)
    gc.freeze()
    reactor.callWhenRunning(sys.stdout.write, "ready\n")
    reactor.callWhenRunning(sys.stdout.flush)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], *[int(argument) for argument in sys.argv[2:6]])
