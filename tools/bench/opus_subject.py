"""
The converter under measurement: our media engine alone, in a process of its own, with its calls up.

``python opus_subject.py HOST FIRST STREAMS TARGET``: session i is bound to HOST:FIRST+2i, its peer is HOST:TARGET+2i,
and it is bridged to session i^1; even ones have µ-law, odd ones Opus. Says ``ready`` on standard output, and ends with
its standard input, having printed the states of its bridges.
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

PCMU = Format(0, "PCMU")
OPUS = Format(111, "opus", 48_000, 2)


def main(host: str, first: int, streams: int, target: int) -> None:
    """
    Convert until standard input ends.
    """
    reactor = epollreactor.EPollReactor()
    reactor.seconds = partial(time.clock_gettime, time.CLOCK_BOOTTIME)  # as the PBX does
    settings = MediaSettings(port_range_start=first, port_range_end=first + 2 * streams)
    engine = InProcessEngine(reactor, settings, RtpPoller(reactor))
    sessions = sorted((engine.open(host, host, call_id=f"bench-{n}") for n in range(streams)), key=lambda one: one.port)
    for number, session in enumerate(sessions):
        formats = (OPUS if number % 2 else PCMU,)
        session.configure(Audio(host, target + session.port - first, formats), formats, formats)
    bridges = [Bridge(sessions[number], sessions[number + 1]) for number in range(0, streams, 2)]

    class UntilClosed(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            sys.stdout.write(" ".join({bridge.state for bridge in bridges}) + "\n")
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
