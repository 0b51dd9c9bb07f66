"""
What a call between µ-law and Opus costs, beside PyAV alone: ``python tools/bench/opus_bench.py``.

The reference decodes and encodes the same packets in a bare loop every 20 ms, in its own turns of the same run: no
sockets, no jitter buffer, nobody listening. What our call costs more is what it takes to hold a conversation.
"""

from __future__ import annotations

import argparse
import importlib
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from apart import start_apart
from relay_bench import HERE, HOST, cpu_of, free_ports

from pbx.audio.codec import OpusEncoder, decoder, encoder
from pbx.audio.g711 import MULAW_CODES, MULAW_LEVELS
from pbx.rtp.packet import Packet
from pbx.sdp.audio import Format

av: Any = importlib.import_module("av")

PCMU = Format(0, "PCMU")
OPUS = Format(111, "opus", 48_000, 2)

LIMIT = 2.0
"""The CPU a call may cost, as a multiple of what PyAV takes for its packets."""

ARRIVED = 97.0
"""Percent of the packets at least that must come out again; the first few wait in the jitter buffer."""

TICK = 0.02

PITCHES = (440.0, 740.0)
"""What the phone with µ-law says, and the one with Opus, in Hz, each with overtones."""


def said(pitch: float, item: Format, frames: int) -> list[bytes]:
    """
    Some sound in a codec, frame by frame.
    """
    speaker = encoder(item, 16_000)
    assert speaker is not None  # noqa: S101 - G.711 and Opus are known
    at = np.arange(frames * speaker.rate // 50) / speaker.rate
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * at)
    sound = swell * sum(np.sin(2 * np.pi * pitch * n * at) / n for n in (1, 2, 3))
    pcm = np.rint(6_000 * sound).astype(np.int16)
    return [speaker.encode(part) for part in pcm.reshape(frames, -1)]


def reference(calls: int, seconds: float, packets: tuple[list[bytes], list[bytes]]) -> float:
    """
    Seconds of CPU a call and second that PyAV and the tables of G.711 take for both directions.

    As many calls as ours, in the same rhythm: whoever works a little every 20 ms finds the processor's caches cold.
    """
    law, opus = packets
    decode_law, encode_law = MULAW_LEVELS, MULAW_CODES
    speakers = [OpusEncoder(8_000) for _ in range(calls)]
    listeners = [av.CodecContext.create("libopus", "r") for _ in range(calls)]
    for listener in listeners:
        listener.layout = "mono"
    rates = [av.AudioResampler(format="s16", layout="mono", rate=8_000) for _ in range(calls)]
    used = 0.0
    begun = time.monotonic()
    for number in range(int(seconds / TICK)):
        time.sleep(max(0.0, begun + number * TICK - time.monotonic()))
        before = time.thread_time()
        for speaker, listener, down in zip(speakers, listeners, rates, strict=True):
            speaker.encode(decode_law[np.frombuffer(law[number % len(law)], np.uint8)])
            for frame in listener.decode(av.Packet(opus[number % len(opus)])):
                for part in down.resample(frame):
                    encode_law[np.frombuffer(part.planes[0], np.uint16, part.samples)].tobytes()
        used += time.thread_time() - before
    return used / calls / seconds


class Phones:
    """
    Telephones that send what was prepared, all in the same rhythm, and count what comes.
    """

    def __init__(self, first: int, streams: int, target: int, packets: tuple[list[bytes], list[bytes]]) -> None:
        self.packets = packets
        self.targets = [target + 2 * number for number in range(streams)]
        self.sockets = []
        for number in range(streams):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((HOST, first + 2 * number))
            sock.setblocking(False)
            self.sockets.append(sock)
        self.number = 0
        self.sent = self.received = 0
        self.sample: tuple[list[bytes], list[bytes]] = ([], [])

    def talk(self, seconds: float) -> None:
        """
        Talk for a while.
        """
        begun = time.monotonic()
        for turn in range(int(seconds / TICK)):
            time.sleep(max(0.0, begun + turn * TICK - time.monotonic()))
            for number, sock in enumerate(self.sockets):
                item = OPUS if number % 2 else PCMU
                payloads = self.packets[number % 2]
                packet = Packet(
                    item.payload_type,
                    self.number & 0xFFFF,
                    self.number * item.clock // 50,
                    0x1000 + number,
                    payloads[self.number % len(payloads)],
                )
                sock.sendto(packet.to_bytes(), (HOST, self.targets[number]))
                self.sent += 1
                self.hear(number, sock)
            self.number += 1

    def hear(self, number: int, sock: socket.socket) -> None:
        """
        Take what has come.
        """
        while True:
            try:
                data = sock.recv(2_048)
            except BlockingIOError:
                return
            if data[1] & 0x7F not in (PCMU.payload_type, OPUS.payload_type):
                continue
            self.received += 1
            if number < 2:
                self.sample[number].append(Packet.parse(data).payload)

    def understood(self) -> bool:
        """
        Whether the first two phones hear each other's pitch.
        """
        for item, pitch, payloads in zip((PCMU, OPUS), reversed(PITCHES), self.sample, strict=True):
            listener = decoder(item)
            assert listener is not None  # noqa: S101 - it is known
            sound = np.concatenate([listener.decode(payload) for payload in payloads[25:]]).astype(float)
            spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
            if abs(float(spectrum.argmax()) * listener.rate / len(sound) - pitch) > 10:
                return False
        return True

    def close(self) -> None:
        """
        Give the ports back.
        """
        for sock in self.sockets:
            sock.close()


def ours(calls: int, seconds: float, packets: tuple[list[bytes], list[bytes]]) -> tuple[float, float, bool]:
    """
    Our converter with a number of calls.

    Returns:
        Seconds of CPU a call and second, the percent of packets that came through, and whether they were understood.
    """
    streams = 2 * calls
    first = free_ports(streams)
    target = free_ports(streams, first)
    phones = Phones(target, streams, first, packets)
    command = [sys.executable, str(HERE / "opus_subject.py"), HOST, str(first), str(streams), str(target)]
    try:
        with start_apart(command) as process:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            if process.stdout.readline() != "ready\n":
                raise SystemExit("the converter did not start")
            phones.talk(1.0)
            phones.sent = phones.received = 0
            before = cpu_of(process.pid)
            phones.talk(seconds)
            used = cpu_of(process.pid) - before
            words, _ = process.communicate(timeout=10)
    finally:
        phones.close()
    arrived = 100.0 * phones.received / phones.sent
    return used / calls / seconds, arrived, words.strip() == "transcode" and phones.understood()


def main() -> int:
    """
    Print the table; 1 when the limit was missed.
    """
    parser = argparse.ArgumentParser(description="CPU per call and second between µ-law and Opus, beside PyAV alone.")
    parser.add_argument("--calls", type=int, default=15, help="at once")
    parser.add_argument("--seconds", type=float, default=4.0, help="of conversation in a turn")
    parser.add_argument("--turns", type=int, default=3, help="in which both are measured one after the other")
    options = parser.parse_args()
    packets = said(PITCHES[0], PCMU, 200), said(PITCHES[1], OPUS, 200)
    theirs, costs, arrivals = [], [], []
    sound = True
    for _ in range(options.turns):
        theirs.append(reference(options.calls, options.seconds, packets) * 1_000)
        cost, arrived, understood = ours(options.calls, options.seconds, packets)
        costs.append(cost * 1_000)
        arrivals.append(arrived)
        sound &= understood
    ratio = statistics.median(cost / their for cost, their in zip(costs, theirs, strict=True))
    missed = ratio > LIMIT or min(arrivals) < ARRIVED or not sound
    out = sys.stdout
    out.write("calls  PyAV ms/s  ours ms/s  ratio  limit  arrived  sound\n")
    out.write(
        f"{options.calls:>5} {statistics.median(theirs):>10.2f} {statistics.median(costs):>10.2f} {ratio:>6.2f} "
        f"{LIMIT:>6} {min(arrivals):>7.2f}%  {'right' if sound else 'WRONG'}{'  MISSED' if missed else ''}\n"
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
