"""
What a decision costs with thousands of routes, beside one with few: ``python tools/bench/routing_bench.py``.

Both sides decide about the same calls, in and out, in turns of the same run. Reading a number takes longer than all the
rest of a decision, and is remembered; so each side is measured with the numbers read and forgotten.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pbx.directory import numbering
from pbx.directory.decision import RouteRequest
from pbx.directory.dialplan import decide
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.inbound_route import InboundRoute, Target
from pbx.directory.outbound_route import OutboundRoute
from pbx.directory.plan import Plan, Site
from pbx.directory.situation import Situation
from pbx.directory.trunk import Trunk

LIMIT = 2.0
"""What a decision may cost with 5,000 routes and 10,000 DIDs, as a multiple of one with 50 and 100."""

FEW, MANY = (50, 100), (5_000, 10_000)
"""Routes and DIDs."""

READERS = (numbering._dialled, numbering._received, numbering._writings)


def situation(routes: int, dids: int) -> Situation:
    """
    An exchange with so many ways out, by beginnings of numbers, and ways in; the last way out takes every number.
    """
    outbound = [
        OutboundRoute(f"Route {number}", (f"0{100_000 + number}." if number % 2 else f"00{1_000 + number}XX.",))
        for number in range(routes - 1)
    ]
    desk = Target("extension", "1001")
    inbound = [InboundRoute(f"DID {number}", desk, f"+4930{1_000_000 + number}") for number in range(dids)]
    plan = Plan(
        Site("DE", "30", "Europe/Berlin"), {name: Trunk(name, "192.0.2.1") for name in ("A", "B")},
        (*outbound, OutboundRoute("Rest", ("0.",))), tuple(inbound),
    )
    return Situation(Directory([Extension("1001", "Anna", allow_external=True)]), {"1001": 1}, plan=plan)


def requests() -> dict[str, list[RouteRequest]]:
    """
    Calls in and out that both sides can serve.
    """
    return {
        "out": [RouteRequest("1001", f"0{891_000_000 + 7_919 * number}") for number in range(200)],
        "in": [RouteRequest("+4915112345678", f"+4930{1_000_000 + number % 100}", trunk="A") for number in range(200)],
    }


def cost(where: Situation, calls: list[RouteRequest], *, forget: bool) -> float:
    """
    CPU of a decision in µs.
    """
    rounds = 3 if forget else 30
    before = time.process_time()
    for _ in range(rounds):
        if forget:
            for reader in READERS:
                reader.cache_clear()
        for call in calls:
            decide(call, where)
    return (time.process_time() - before) / rounds / len(calls) * 1e6


def main() -> int:
    """
    Print the table; 1 when the limit was missed.
    """
    parser = argparse.ArgumentParser(description="A decision with thousands of routes, beside one with few.")
    parser.add_argument("--turns", type=int, default=7, help="in which both are measured one after the other")
    options = parser.parse_args()
    few, many = situation(*FEW), situation(*MANY)
    out = sys.stdout
    out.write("calls  numbers    few \u00b5s  many \u00b5s  ratio  limit\n")
    missed = False
    for way, calls in requests().items():
        for forget in (False, True):
            # The first decision of each puts its routes in order, and is not counted.
            pairs = [
                (cost(few, calls, forget=forget), cost(many, calls, forget=forget))
                for _ in range(options.turns + 1)
            ][1:]
            ratio = statistics.median(ours / theirs for theirs, ours in pairs)
            theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
            missed |= ratio > LIMIT
            out.write(
                f"{way:<6} {'forgotten' if forget else 'known':<9} {theirs:>7.1f} {ours:>8.1f} {ratio:>6.2f} {LIMIT:>6}"
                f"{'  MISSED' if ratio > LIMIT else ''}\n"
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
