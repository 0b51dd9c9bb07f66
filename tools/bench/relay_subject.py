"""
The relay under measurement: our media engine alone, in a process of its own, with its calls up.

``python relay_subject.py HOST FIRST STREAMS TARGET``: session i is bound to HOST:FIRST+2i, its peer is
HOST:TARGET+2i, and it is bridged to session i^1. Says ``ready`` on standard output, and ends with its standard input,
having printed the quality it measured.
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

from pbx.media.bridge import Bridge
from pbx.media.engine import InProcessEngine
from pbx.media.poller import RtpPoller
from pbx.media.settings import MediaSettings
from pbx.sdp.audio import Audio, Format


def main(host: str, first: int, streams: int, target: int) -> None:
    """
    Relay until standard input ends.
    """
    reactor = epollreactor.EPollReactor()
    reactor.seconds = partial(time.clock_gettime, time.CLOCK_BOOTTIME)  # as the PBX does
    settings = MediaSettings(port_range_start=first, port_range_end=first + 2 * streams)
    engine = InProcessEngine(reactor, settings, RtpPoller(reactor))
    formats = [Format(0, "PCMU"), Format(101, "telephone-event")]
    sessions = [engine.open(host, host, call_id=f"bench-{number}") for number in range(streams)]
    for session in sessions:
        session.configure(Audio(host, target + session.port - first, tuple(formats)), formats, formats)
    for number in range(0, streams, 2):
        Bridge(sessions[number], sessions[number + 1])

    class UntilClosed(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            qualities = [session.quality() for session in sessions]
            lost = sum(quality.lost_in for quality in qualities)
            jitter = max(quality.jitter_ms for quality in qualities)
            sys.stdout.write(f"{lost} {jitter:.2f}\n")
            engine.stop()
            reactor.stop()

    stdio.StandardIO(UntilClosed(), reactor=reactor)
    gc.set_threshold(50_000, 20, 1000)
    gc.freeze()
    reactor.callWhenRunning(sys.stdout.write, "ready\n")
    reactor.callWhenRunning(sys.stdout.flush)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], *[int(argument) for argument in sys.argv[2:5]])
