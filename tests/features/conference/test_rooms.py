"""
Tests for :mod:`pbx.features.conference.rooms`.
"""

from __future__ import annotations

from pbx.directory.places import Menu, Room
from pbx.features.conference.rooms import AD_HOC_LASTING, MAX_AD_HOC, TooManyRoomsError
from tests.features.conference.case import ConferenceCase


class RoomsTests(ConferenceCase):
    """
    All rooms.
    """

    def test_only_rooms(self) -> None:
        """
        A number of something else is no room.
        """
        self.places.put(Menu("8500", "Reception"))
        self.assertIsNone(self.rooms.room("8500"))

    def test_ad_hoc(self) -> None:
        """
        A room made for one conference can be called, and is gone when that has ended.
        """
        room = self.rooms.make(lambda number: Room(number, "Ad hoc", pin="12"))
        self.assertEqual((len(room.number), self.rooms.ad_hoc()), (7, [room]))
        callers = [self.dial(room=room.number, keys="12#") for _ in range(2)]
        self.assertEqual(len(self.meeting(room.number)), 2)
        self.now += AD_HOC_LASTING
        self.assertEqual(self.rooms.room(room.number), room)
        for caller in callers:
            caller.hang_up()
        self.assertIsNone(self.rooms.room(room.number))

    def test_nobody_comes(self) -> None:
        """
        One that nobody has called for a day is gone.
        """
        room = self.rooms.make(lambda number: Room(number, "Ad hoc"))
        self.now += AD_HOC_LASTING - 1
        self.assertEqual(self.rooms.room(room.number), room)
        self.now += 1
        self.assertIsNone(self.rooms.room(room.number))

    def test_too_many(self) -> None:
        """
        There can be so many, each with a number of its own.
        """
        rooms = [self.rooms.make(lambda number: Room(number, "Ad hoc")) for _ in range(MAX_AD_HOC)]
        self.assertEqual(len({room.number for room in rooms}), MAX_AD_HOC)
        with self.assertRaises(TooManyRoomsError):
            self.rooms.make(lambda number: Room(number, "Ad hoc"))

    def test_after_the_end(self) -> None:
        """
        Who comes while the last still hear their goodbye begins a conference of its own.
        """
        self.room()
        self.dial()
        before = self.meeting()
        before.ended = True
        self.dial()
        self.assertEqual((len(before), len(self.meeting())), (1, 1))
        self.callers[0].hang_up()
        self.assertEqual(len(self.meeting()), 1)

    def test_stop(self) -> None:
        """
        When the exchange stops, recordings are closed.
        """
        self.room(record=True)
        self.dial()
        self.rooms.stop()
        self.assertEqual(self.reels[0].closed, 1)
