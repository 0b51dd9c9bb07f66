"""
Tests of :mod:`pbx.directory.dialplan`: a table, one row a call.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.decision import Decision, Destination, Diversion, Ring, RouteRequest
from pbx.directory.dialplan import after, decide, ringing_plan
from pbx.directory.directory import Directory
from pbx.directory.extension import Extension
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.places import Menu, Places, RingGroup, Room
from pbx.directory.situation import Situation
from pbx.directory.star_codes import USUAL

EVERYTHING = frozenset({"ring_group", "menu", "conference", "voicemail", "mailbox", "directory", "star", "pickup"})
FAILURE = Destination("refuse", status=480, cause=19, text="No answer")
BUSY = Destination("refuse", status=486, cause=17, text="Busy here")
DND = Destination("refuse", status=486, cause=17, text="Do not disturb")
AWAY = Destination("refuse", status=480, cause=20, text="Not registered")
UNKNOWN = Destination("refuse", status=404, cause=1, text="Unallocated number")
TOO_OFTEN = Destination("refuse", status=482, cause=25, text="Exchange routing error: forwarded too often")
NO_BOX = Handling(voicemail=False)


def situation(offers: frozenset[str] = EVERYTHING, reachable: dict[str, int] | None = None,
              **handlings: Handling) -> Situation:
    """
    Extensions 1001 to 1009, with two phones each but for those told; ``x1002=`` says how 1002 is handled.
    """
    numbers = [f"100{last}" for last in range(1, 10)]
    directory = Directory(
        Extension(number, f"N{number[-1]}", handling=handlings.get(f"x{number}", NO_BOX)) for number in numbers
    )
    directory.put(Extension("1099", "Off", enabled=False))
    places = Places([RingGroup("600", "Sales"), Menu("500", "Main"), Room("700", "Team")])
    phones = dict.fromkeys(numbers, 2) | (reachable or {})
    return Situation(directory, phones, places, USUAL, frozenset({"800"}), offers)


def steps(*pairs: str) -> tuple[Diversion, ...]:
    """
    Diversions, each as ``number reason``.
    """
    return tuple(Diversion(*pair.split(" ", 1)) for pair in pairs)


PLAIN_CALLS: list[tuple[RouteRequest, dict[str, Any], Decision]] = [
    # Extensions
    (
        RouteRequest("1001", "1002"), {},
        Decision(Destination("extension", "1002"), ("1002 is the extension of N2", "2 of its phones ring")),
    ),
    (
        RouteRequest("1001", "1002"), {"reachable": {"1002": 0}},
        Decision(AWAY, ("1002 is the extension of N2", "none of its phones is registered")),
    ),
    (
        RouteRequest("1001", "1002"), {"reachable": {"1002": 0}, "x1002": Handling()},
        Decision(
            Destination("voicemail", "1002"),
            (
                "1002 is the extension of N2", "none of its phones is registered",
                "the caller may leave a message for 1002",
            ),
            steps("1002 unregistered"), "1002",
        ),
    ),
    (
        RouteRequest("1001", "1002"), {"reachable": {"1002": 0}, "x1002": Handling(), "offers": frozenset()},
        Decision(AWAY, ("1002 is the extension of N2", "none of its phones is registered")),
    ),
    (RouteRequest("1001", "1099"), {}, Decision(UNKNOWN, ("extension 1099 is disabled",))),
    (RouteRequest("1001", "2000"), {}, Decision(UNKNOWN, ("'2000' is no extension",))),
    (RouteRequest("1001", ""), {}, Decision(UNKNOWN, ("'' is no extension",))),
    # Places
    (RouteRequest("1001", "600"), {}, Decision(Destination("ring_group", "600"), ("600 is the ring group Sales",))),
    (RouteRequest("1001", "500"), {}, Decision(Destination("menu", "500"), ("500 is the menu Main",))),
    (RouteRequest("1001", "700"), {}, Decision(Destination("conference", "700"), ("700 is the conference Team",))),
    (
        RouteRequest("1001", "700"), {"offers": frozenset({"menu"})},
        Decision(UNKNOWN, ("700 is the conference Team", "there is no conference on this exchange")),
    ),
    (RouteRequest("1001", "800"), {}, Decision(Destination("voicemail", "800"), ("800 is a shared mailbox",))),
    # Star codes
    (
        RouteRequest("1001", "*97"), {},
        Decision(Destination("mailbox", "1001"), ("*97 is the star code of voicemail",)),
    ),
    (RouteRequest("1001", "*98"), {}, Decision(Destination("mailbox"), ("*98 is the star code of voicemail_any",))),
    (
        RouteRequest("1001", "*1002"), {},
        Decision(Destination("mailbox", "1002"), ("*1002 is the star code of voicemail_of",)),
    ),
    (
        RouteRequest("1001", "**1002"), {},
        Decision(Destination("pickup", "1002"), ("**1002 is the star code of pickup",)),
    ),
    (RouteRequest("1001", "**"), {}, Decision(Destination("star", "pickup"), ("** is the star code of pickup",))),
    (RouteRequest("1001", "*8"), {}, Decision(Destination("pickup"), ("*8 is the star code of pickup_group",))),
    (RouteRequest("1001", "*411"), {}, Decision(Destination("directory"), ("*411 is the star code of directory",))),
    (
        RouteRequest("1001", "*721003"), {},
        Decision(
            Destination("star", "forward_always_on", "1003"), ("*721003 is the star code of forward_always_on",)
        ),
    ),
    (
        RouteRequest("1001", "*78"), {},
        Decision(Destination("star", "dnd_on"), ("*78 is the star code of dnd_on",)),
    ),
    (RouteRequest("1001", "#99"), {}, Decision(UNKNOWN, ("'#99' is no star code",))),
    (
        RouteRequest("1001", "*78"), {"offers": frozenset()},
        Decision(UNKNOWN, ("*78 is the star code of dnd_on", "there is no star on this exchange")),
    ),
    (
        RouteRequest("1001", "*97", on_behalf="1004"), {},
        Decision(
            Destination("refuse", status=403, cause=21, text="Not allowed"),
            ("*97 is the star code of voicemail", "nobody can be sent to a star code by somebody else"),
            (), "1004",
        ),
    ),
    (
        RouteRequest("1001", "*97", "1001", steps("1001 always")), {},
        Decision(
            Destination("refuse", status=403, cause=21, text="Not allowed"),
            ("*97 is the star code of voicemail", "nobody can be sent to a star code by somebody else"),
            steps("1001 always"), "1001",
        ),
    ),
    (
        RouteRequest("1001", "*97", on_behalf="1001"), {},
        Decision(
            Destination("mailbox", "1001"), ("*97 is the star code of voicemail",), (), "1001",
        ),
    ),
]
"""A request, the situation, and what is decided."""

HANDLED_CALLS: list[tuple[RouteRequest, dict[str, Any], Decision]] = [
    # Blocked callers
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(blocked=("100*",))},
        Decision(BUSY, ("1002 is the extension of N2", "1002 refuses this caller: 100* is on its block list")),
    ),
    (
        RouteRequest("1001", "1002", anonymous=True),
        {"x1002": Handling(blocked=("anonymous",), forward_always="1003")},
        Decision(BUSY, ("1002 is the extension of N2", "1002 refuses this caller: anonymous is on its block list")),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(blocked=("1003",))},
        Decision(Destination("extension", "1002"), ("1002 is the extension of N2", "2 of its phones ring")),
    ),
    # Do not disturb
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(dnd=True, voicemail=False)},
        Decision(DND, ("1002 is the extension of N2", "1002 does not want to be disturbed")),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(dnd=True)},
        Decision(
            Destination("voicemail", "1002"),
            (
                "1002 is the extension of N2", "1002 does not want to be disturbed",
                "the caller may leave a message for 1002",
            ),
            steps("1002 dnd"), "1002",
        ),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(dnd=True, forward_busy="1003")},
        Decision(
            Destination("extension", "1003"),
            (
                "1002 is the extension of N2", "1002 does not want to be disturbed", "1002 forwards when busy to 1003",
                "1003 is the extension of N3", "2 of its phones ring",
            ),
            steps("1002 dnd"), "1002",
        ),
    ),
    # Forwarded always: also while it does not want to be disturbed, and while it is away.
    (
        RouteRequest("1001", "1002"),
        {"x1002": Handling(forward_always="1003", dnd=True), "reachable": {"1002": 0}},
        Decision(
            Destination("extension", "1003"),
            (
                "1002 is the extension of N2", "1002 forwards all calls to 1003", "1003 is the extension of N3",
                "2 of its phones ring",
            ),
            steps("1002 always"), "1002",
        ),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(forward_always="600")},
        Decision(
            Destination("ring_group", "600"),
            ("1002 is the extension of N2", "1002 forwards all calls to 600", "600 is the ring group Sales"),
            steps("1002 always"), "1002",
        ),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(forward_always="1002")},
        Decision(
            Destination("extension", "1002"),
            (
                "1002 is the extension of N2", "1002 forwards all calls to 1002: itself, so ignored",
                "2 of its phones ring",
            ),
        ),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(forward_always="1001")},
        Decision(
            Destination("extension", "1002"),
            (
                "1002 is the extension of N2", "1002 forwards all calls to 1001: the caller, so ignored",
                "2 of its phones ring",
            ),
        ),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(forward_always="2000")},
        Decision(
            Destination("extension", "1002"),
            (
                "1002 is the extension of N2", "1002 forwards all calls to 2000", "'2000' is no extension",
                "the forward leads nowhere, so ignored", "2 of its phones ring",
            ),
        ),
    ),
    (
        RouteRequest("1001", "1002"), {"x1002": Handling(forward_always="*97")},
        Decision(
            Destination("extension", "1002"),
            (
                "1002 is the extension of N2", "1002 forwards all calls to *97", "*97 is the star code of voicemail",
                "nobody can be sent to a star code by somebody else", "the forward leads nowhere, so ignored",
                "2 of its phones ring",
            ),
        ),
    ),
    (
        RouteRequest("1001", "1002"),
        {"x1002": Handling(forward_always="1003"), "x1003": Handling(forward_always="1002")},
        Decision(
            Destination("extension", "1003"),
            (
                "1002 is the extension of N2", "1002 forwards all calls to 1003", "1003 is the extension of N3",
                "1003 forwards all calls to 1002: it came from there, so ignored", "2 of its phones ring",
            ),
            steps("1002 always"), "1002",
        ),
    ),
    (
        RouteRequest("1001", "1002"),
        {f"x100{last}": Handling(forward_always=f"100{last + 1}") for last in range(2, 9)},
        Decision(
            TOO_OFTEN,
            (
                "1002 is the extension of N2", "1002 forwards all calls to 1003",
                "1003 is the extension of N3", "1003 forwards all calls to 1004",
                "1004 is the extension of N4", "1004 forwards all calls to 1005",
                "1005 is the extension of N5", "1005 forwards all calls to 1006",
                "1006 is the extension of N6", "1006 forwards all calls to 1007",
                "1007 is the extension of N7", "1007 forwards all calls to 1008",
                "it was forwarded 5 times already",
            ),
            steps("1002 always", "1003 always", "1004 always", "1005 always", "1006 always"), "1006",
        ),
    ),
    # Whom 1002 has blocked does not get through by a detour, and the detour's own rules hold.
    (
        RouteRequest("1001", "1003"),
        {"x1003": Handling(forward_always="1002"), "x1002": Handling(blocked=("1001",))},
        Decision(
            BUSY,
            (
                "1003 is the extension of N3", "1003 forwards all calls to 1002", "1002 is the extension of N2",
                "1002 refuses this caller: 1001 is on its block list",
            ),
            steps("1003 always"), "1003",
        ),
    ),
    # Unregistered
    (
        RouteRequest("1001", "1002"),
        {"x1002": Handling(forward_unregistered="1003"), "reachable": {"1002": 0}},
        Decision(
            Destination("extension", "1003"),
            (
                "1002 is the extension of N2", "none of its phones is registered",
                "1002 forwards without a phone to 1003", "1003 is the extension of N3", "2 of its phones ring",
            ),
            steps("1002 unregistered"), "1002",
        ),
    ),
    (
        RouteRequest("1001", "1002"),
        {"x1002": Handling(simultaneous=("1003", "1004")), "reachable": {"1002": 0, "1004": 0}},
        Decision(
            Destination("extension", "1002"),
            ("1002 is the extension of N2", "none of its phones is registered", "others ring for it: 1003"),
        ),
    ),
    (
        RouteRequest("1001", "1002"),
        {"x1002": Handling(simultaneous=("1003",), voicemail=False), "reachable": {"1002": 0, "1003": 0}},
        Decision(AWAY, ("1002 is the extension of N2", "none of its phones is registered")),
    ),
]

AFTERWARDS: list[tuple[str, Handling, RouteRequest, Decision]] = [
    ("busy", NO_BOX, RouteRequest("1001", "1002"), Decision(FAILURE, ("1002 is busy",))),
    ("no answer", NO_BOX, RouteRequest("1001", "1002"), Decision(FAILURE, ("1002 does not answer",))),
    ("failed", NO_BOX, RouteRequest("1001", "1002"), Decision(FAILURE, ("1002 could not be rung",))),
    (
        "unregistered", NO_BOX, RouteRequest("1001", "1002"),
        Decision(FAILURE, ("1002 has no phone that can be reached",)),
    ),
    (
        "no answer", Handling(), RouteRequest("1001", "1002"),
        Decision(
            Destination("voicemail", "1002"), ("1002 does not answer", "the caller may leave a message for 1002"),
            steps("1002 no answer"), "1002",
        ),
    ),
    (
        "busy", Handling(forward_busy="1003", forward_no_answer="1004"), RouteRequest("1001", "1002"),
        Decision(
            Destination("extension", "1003"),
            ("1002 is busy", "1002 forwards when busy to 1003", "1003 is the extension of N3", "2 of its phones ring"),
            steps("1002 busy"), "1002",
        ),
    ),
    (
        "no answer", Handling(forward_busy="1003", forward_no_answer="1004"), RouteRequest("1001", "1002"),
        Decision(
            Destination("extension", "1004"),
            (
                "1002 does not answer", "1002 forwards when nobody answers to 1004", "1004 is the extension of N4",
                "2 of its phones ring",
            ),
            steps("1002 no answer"), "1002",
        ),
    ),
    (
        "no answer", Handling(forward_no_answer="2000"), RouteRequest("1001", "1002"),
        Decision(
            Destination("voicemail", "1002"),
            (
                "1002 does not answer", "1002 forwards when nobody answers to 2000", "'2000' is no extension",
                "the forward leads nowhere, so ignored", "the caller may leave a message for 1002",
            ),
            steps("1002 no answer"), "1002",
        ),
    ),
    (
        "no answer", Handling(forward_no_answer="1003"),
        RouteRequest("1001", "1002", "1003", steps("1003 always")),
        Decision(
            Destination("voicemail", "1002"),
            (
                "1002 does not answer", "1002 forwards when nobody answers to 1003: it came from there, so ignored",
                "the caller may leave a message for 1002",
            ),
            steps("1003 always", "1002 no answer"), "1002",
        ),
    ),
    (
        "busy", Handling(forward_busy="1009"),
        RouteRequest("1001", "1002", "1007", steps("1003 busy", "1004 busy", "1005 busy", "1006 busy", "1007 busy")),
        Decision(
            TOO_OFTEN,
            ("1002 is busy", "1002 forwards when busy to 1009", "it was forwarded 5 times already"),
            steps("1003 busy", "1004 busy", "1005 busy", "1006 busy", "1007 busy"), "1007",
        ),
    ),
]
"""What came of ringing 1002, how it is handled, the request, and what is decided."""


class DecideTests(SynchronousTestCase):
    """
    Where a call goes at first.
    """

    def test_plain_calls(self) -> None:
        """
        Extensions, places, shared mailboxes and star codes are found; all else is no number.
        """
        for request, circumstances, decision in PLAIN_CALLS:
            self.assertEqual(decide(request, situation(**circumstances)), decision, request)

    def test_handled_calls(self) -> None:
        """
        An extension's wishes are followed: whom it refuses, its forwards, and that it does not want to be disturbed.
        """
        for request, circumstances, decision in HANDLED_CALLS:
            self.assertEqual(decide(request, situation(**circumstances)), decision, request)


class AfterTests(SynchronousTestCase):
    """
    Where a call goes when ringing came to nothing.
    """

    def test_what_follows(self) -> None:
        """
        The forward for that case, else voicemail, else the failure.
        """
        for outcome, handling, request, decision in AFTERWARDS:
            around = situation(x1002=handling)
            extension = around.numbers.extension("1002")
            assert extension is not None
            found = after(extension, outcome, request, around, FAILURE)  # type: ignore[arg-type]
            self.assertEqual(found, decision, (outcome, handling))


class RingingPlanTests(SynchronousTestCase):
    """
    Who rings for an extension.
    """

    def plan(self, handling: Handling, **circumstances: Any) -> tuple[Ring, ...]:
        """
        The plan of 1002.
        """
        around = situation(x1002=handling, **circumstances)
        extension = around.numbers.extension("1002")
        assert extension is not None
        return ringing_plan(extension, around)

    def test_itself_alone(self) -> None:
        """
        An extension that names no other rings alone.
        """
        self.assertEqual(self.plan(Handling()), (Ring("1002"),))
        self.assertEqual(self.plan(Handling(dnd=True)), (Ring("1002"),))

    def test_others_with_their_times(self) -> None:
        """
        Those together with it ring at once, those that follow at their times, each asked for a key if wanted.
        """
        handling = Handling(
            simultaneous=("1003",),
            follow_me=(FollowMe("1004", 10, 20), FollowMe("1003"), FollowMe("1005", 30, None, confirm=False)),
        )
        self.assertEqual(
            self.plan(handling),
            (Ring("1002"), Ring("1003"), Ring("1004", 10, 20, confirm=True), Ring("1005", 30)),
        )

    def test_leaves_out_who_cannot_or_will_not_ring(self) -> None:
        """
        Unknown and disabled numbers, extensions without a phone, and those not to be disturbed are not rung.
        """
        handling = Handling(simultaneous=("2000", "1099", "1003", "1004", "1002", "1005"))
        found = self.plan(handling, x1003=Handling(dnd=True), reachable={"1004": 0})
        self.assertEqual(found, (Ring("1002"), Ring("1005")))
