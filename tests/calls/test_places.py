"""
Tests of calls to places: star codes, ring groups and menus, served for phones on a network in memory.
"""

from __future__ import annotations

import random
from typing import Any

from attrs import evolve
from zope.interface import implementer

from pbx.directory.decision import Destination
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.places import Choice, Member, Menu, Places, RingGroup
from pbx.directory.star_codes import USUAL
from pbx.features.follow_me import confirmation
from pbx.features.menu import Menus
from pbx.features.ring_group import RingGroups
from pbx.features.star import IHandling, StarCodes
from pbx.sip.message import Request
from tests.calls.case import ExchangeCase
from tests.calls.phone import Phone

KEYS = "application/dtmf-relay"


@implementer(IHandling)
class HandlingInMemory:
    """
    Keeps in the directory alone how extensions are handled.
    """

    def __init__(self, directory: Any) -> None:
        self.directory = directory

    async def change(self, number: str, **changes: Any) -> None:
        """
        Change some of it.
        """
        extension = self.directory.extension(number)
        self.directory.put(evolve(extension, handling=evolve(extension.handling, **changes)))


class PlacesCase(ExchangeCase):
    """
    An exchange with star codes, ring groups and menus.
    """

    def setUp(self) -> None:
        """
        Three phones, and the places.
        """
        super().setUp()
        self.places = Places()
        kinds: dict[str, Any] = dict.fromkeys(("star", "ring_group", "menu"))
        self.features(places=kinds, numbers=self.places, star_codes=USUAL, confirm=confirmation)
        directory = self.exchange.directory
        kinds["star"] = StarCodes(directory, HandlingInMemory(directory), directory.__contains__)
        kinds["ring_group"] = RingGroups(self.places, directory, self.network.clock, random.Random(1))  # noqa: S311
        kinds["menu"] = Menus(self.places, directory)
        self.ann, self.bob, self.cat = (self.phone(number) for number in ("1001", "1002", "1003"))

    def dial(self, number: str, phone: Phone | None = None) -> tuple[Phone, Request]:
        """
        Dial, and wait a moment.
        """
        caller = phone or self.ann
        invite = caller.call(number)
        self.network.advance(0.1)
        return caller, invite

    def accept(self, caller: Phone, invite: Request) -> None:
        """
        Acknowledge the answer.
        """
        answer = caller.last("INVITE")
        self.assertEqual(answer.status, 200)
        caller.acknowledge(invite, answer)

    def press(self, caller: Phone, invite: Request, key: str, cseq: int) -> None:
        """
        Press a key, told by INFO.
        """
        body = f"Signal={key}\r\nDuration=160\r\n".encode()
        info = caller.within("INFO", invite, caller.last("INVITE"), cseq=cseq)
        info.headers.set("Content-Type", KEYS)
        info.body = body
        caller.send(info)
        self.network.advance(0.2)

    def bye(self, phone: Phone, invite: Request, cseq: int = 50) -> None:
        """
        Hang up what it dialled.
        """
        phone.send(phone.within("BYE", invite, phone.last("INVITE"), cseq=cseq))
        self.network.advance(0.1)

    def of(self, number: str) -> Handling:
        """
        How an extension is handled.
        """
        extension = self.exchange.directory.extension(number)
        assert extension is not None
        return extension.handling


class StarCodeCallTests(PlacesCase):
    """
    A phone dials star codes.
    """

    def test_do_not_disturb(self) -> None:
        """
        *78 is answered, spoken to and hung up; from then on callers find the extension busy, until *79.
        """
        for code, dnd, status in (("*78", True, 486), ("*79", False, 200)):
            caller, invite = self.dial(code)
            self.accept(caller, invite)
            self.network.advance(10)
            self.assertEqual(len(caller.requests("BYE")), 1)
            self.assertEqual(self.of("1001").dnd, dnd)
            caller.received.clear()
            self.bob.received.clear()
            self.bob.call("1001")
            self.network.advance(0.1)
            if status == 200:
                (rung,) = self.ann.requests("INVITE")
                self.ann.reply(rung, 486)
            self.assertEqual(self.bob.last("INVITE").status, 486)
            self.network.advance(1)

    def test_forward_with_the_number_asked_for(self) -> None:
        """
        *72 asks for the number, which is keyed in; calls then go there.
        """
        caller, invite = self.dial("*72")
        self.accept(caller, invite)
        for cseq, key in enumerate("1003#", 10):
            self.press(caller, invite, key, cseq)
        self.network.advance(20)
        self.assertEqual(self.of("1001").forward_always, "1003")
        self.bob.call("1001")
        self.network.advance(0.1)
        self.assertEqual(self.ann.requests("INVITE"), [])
        (rung,) = self.cat.requests("INVITE")
        self.cat.reply(rung, 486)
        self.assertEqual(self.bob.last("INVITE").status, 486)


class FollowMeCallTests(PlacesCase):
    """
    Another number rings, and whoever picks up is asked.
    """

    def setUp(self) -> None:
        """
        1002 is followed by 1003 after ten seconds; 1001 calls it, and 1003 picks up.
        """
        super().setUp()
        bob = self.exchange.directory.extension("1002")
        assert bob is not None
        handling = Handling(follow_me=(FollowMe("1003", 10),), voicemail=False)
        self.exchange.directory.put(evolve(bob, handling=handling))
        self.caller, self.invite = self.dial("1002")
        (self.own,) = self.bob.requests("INVITE")
        self.bob.reply(self.own, 180)
        self.assertEqual(self.cat.requests("INVITE"), [])
        self.network.advance(10)
        (self.rung,) = self.cat.requests("INVITE")
        self.picked = self.cat.reply(self.rung, 200, body=self.cat.sdp())
        self.network.advance(2)
        # Nobody has the caller yet: the phone of 1002 rings on.
        self.assertEqual(self.bob.requests("CANCEL"), [])
        self.assertNotIn(200, self.caller.responses("INVITE"))

    def press_there(self, key: str) -> None:
        """
        Press a key on the phone that was picked up.
        """
        info = self.cat.within_received("INFO", self.rung, self.picked)
        info.headers.set("Content-Type", KEYS)
        info.body = f"Signal={key}\r\nDuration=160\r\n".encode()
        self.cat.send(info)
        self.network.advance(0.2)

    def test_accepted(self) -> None:
        """
        1 takes the call: the other phone stops ringing, and the caller is answered.
        """
        self.press_there("1")
        self.assertEqual(len(self.bob.requests("CANCEL")), 1)
        self.accept(self.caller, self.invite)
        self.network.advance(1)
        self.bye(self.caller, self.invite)
        self.assertEqual(len(self.cat.requests("BYE")), 1)
        self.assertEqual(self.record["disposition"], "answered")

    def test_declined(self) -> None:
        """
        2 declines: that phone is hung up on, the other rings on and can answer.
        """
        self.press_there("2")
        self.network.advance(5)
        self.assertEqual(len(self.cat.requests("BYE")), 1)
        self.assertEqual(self.bob.requests("CANCEL"), [])
        self.bob.reply(self.own, 200, body=self.bob.sdp())
        self.accept(self.caller, self.invite)
        self.bye(self.caller, self.invite)

    def test_a_machine_that_answers(self) -> None:
        """
        Who presses nothing does not get the call, and nobody is left with it.
        """
        self.network.advance(25)
        self.assertNotIn(200, self.caller.responses("INVITE"))
        self.assertEqual(self.caller.last("INVITE").status, 480)
        self.assertEqual(len(self.cat.requests("BYE")), 1)


class RingGroupCallTests(PlacesCase):
    """
    A phone dials ring groups.
    """

    def test_in_turn(self) -> None:
        """
        The first member rings for its time, then the second, who answers and has the caller.
        """
        self.places.put(RingGroup("600", "Sales", "in turn", (Member("1002", lasting=10), Member("1003"))))
        caller, invite = self.dial("600")
        (rung,) = self.bob.requests("INVITE")
        self.bob.reply(rung, 180)
        self.assertEqual(self.cat.requests("INVITE"), [])
        self.network.advance(10)
        self.assertEqual(len(self.bob.requests("CANCEL")), 1)
        (rung,) = self.cat.requests("INVITE")
        self.cat.reply(rung, 200, body=self.cat.sdp())
        self.accept(caller, invite)
        self.network.advance(1)
        self.bye(caller, invite)
        self.assertEqual(len(self.cat.requests("BYE")), 1)
        self.assertEqual((self.record["disposition"], self.record["callee"]), ("answered", "600"))

    def test_nobody(self) -> None:
        """
        A group whose members can't be rung refuses; one that sends its callers on does so.
        """
        self.places.put(RingGroup("600", "Sales", members=(Member("1004"), Member("1005"))))
        self.dial("600")
        self.assertEqual(self.ann.last("INVITE").status, 480)
        self.places.put(
            RingGroup("600", "Sales", members=(Member("1004"),), otherwise=Destination("extension", "1003"))
        )
        self.dial("600")
        (rung,) = self.cat.requests("INVITE")
        self.cat.reply(rung, 486)
        self.assertEqual(self.ann.last("INVITE").status, 486)


class RoundTests(PlacesCase):
    """
    Places that send callers round and round.
    """

    def test_at_once(self) -> None:
        """
        Groups that nobody can be rung in, and that name each other, end the call, and it is said why.
        """
        for here, there in (("600", "601"), ("601", "600")):
            self.places.put(
                RingGroup(here, "Round", members=(Member("1004"),), otherwise=Destination("ring_group", there))
            )
        self.dial("600")
        self.assertEqual(self.ann.last("INVITE").status, 482)
        self.assertEqual(self.record["reason"], "Exchange routing error: sent round in a circle")

    def test_slowly(self) -> None:
        """
        Menus that name each other do not keep a caller for ever that presses nothing.
        """
        for here, there in (("500", "501"), ("501", "500")):
            self.places.put(Menu(here, "Round", ("ivr-welcome",), tries=1, on_timeout=Destination("menu", there)))
        caller, invite = self.dial("500")
        self.accept(caller, invite)
        self.network.advance(3600)
        self.assertEqual(len(caller.requests("BYE")), 1)
        self.assertEqual(self.record["reason"], "Exchange routing error: sent round in a circle")


class MenuCallTests(PlacesCase):
    """
    A phone dials menus.
    """

    def test_key_during_the_greeting(self) -> None:
        """
        The menu answers; a key pressed while it speaks rings the phone it stands for, and the two talk.
        """
        self.places.put(Menu(
            "500", "Main", ("ivr-welcome", "ivr-please-choose"), (Choice("1", Destination("extension", "1002")),)
        ))
        caller, invite = self.dial("500")
        self.accept(caller, invite)
        self.network.advance(0.5)
        self.press(caller, invite, "1", 10)
        (rung,) = self.bob.requests("INVITE")
        self.bob.reply(rung, 180)
        self.bob.reply(rung, 200, body=self.bob.sdp())
        self.network.advance(1)
        self.bye(caller, invite)
        self.assertEqual(len(self.bob.requests("BYE")), 1)
        self.assertIn("menu 500: the caller pressed 1: extension 1002", self.record["route"])

    def test_nested_and_dialled_directly(self) -> None:
        """
        A menu leads to a menu, where an extension is dialled.
        """
        self.places.put(Menu("500", "Main", ("ivr-welcome",), (Choice("2", Destination("menu", "501")),)))
        self.places.put(Menu("501", "Inner", ("ivr-please-choose",), direct_dial=True))
        caller, invite = self.dial("500")
        self.accept(caller, invite)
        for cseq, key in enumerate("21003", 10):
            self.press(caller, invite, key, cseq)
        (rung,) = self.cat.requests("INVITE")
        self.cat.reply(rung, 486)
        # The caller is answered already, and hears that nobody comes.
        self.network.advance(30)
        self.assertEqual(len(self.ann.requests("BYE")), 1)

    def test_hangs_up_on_who_presses_nothing(self) -> None:
        """
        A caller that presses nothing hears goodbye in the end; one that hangs up meanwhile leaves nothing behind.
        """
        self.places.put(Menu("500", "Main", ("ivr-welcome",), tries=2))
        caller, invite = self.dial("500")
        self.accept(caller, invite)
        self.network.advance(40)
        self.assertEqual(len(caller.requests("BYE")), 1)
        caller, invite = self.dial("500", self.bob)
        self.accept(caller, invite)
        self.network.advance(1)
        self.bye(caller, invite)
        self.assertEqual(len(self.exchange.records), 2)
