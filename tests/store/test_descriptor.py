"""
Tests for :mod:`pbx.store.descriptor`.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from pbx.store.descriptor import OwnDescriptor


class OwnDescriptorTests(SynchronousTestCase):
    """
    A descriptor for a socket that somebody else closes.
    """

    def test_outlives_theirs(self) -> None:
        """
        It stays when theirs is closed, and hears the same socket; it is gone when it is closed.
        """
        ours, (one, other) = OwnDescriptor(), socket.socketpair()
        self.addCleanup(other.close)
        number = ours.of(one.fileno())
        self.assertNotEqual(number, one.fileno())
        self.assertEqual(ours.of(one.fileno()), number)
        one.close()
        self.assertEqual(ours.of(-1), number)
        other.send(b"x")
        self.assertEqual(os.read(number, 1), b"x")
        ours.close()
        self.assertEqual(ours.of(-1), -1)
        self.assertRaises(OSError, os.fstat, number)
        ours.close()

    def test_another_socket_of_the_same_number(self) -> None:
        """
        A socket that got the number of the one before is told from it.
        """
        ours, (one, other) = OwnDescriptor(), socket.socketpair()
        number = one.fileno()
        ours.of(number)
        for closed in (one, other):
            closed.close()
        pair = socket.socketpair()
        for end in pair:
            self.addCleanup(end.close)
        again = next(end for end in pair if end.fileno() == number)
        second = ours.of(number)
        pair[1 - pair.index(again)].send(b"y")
        self.assertEqual(os.read(second, 1), b"y")
        ours.close()

    def test_nothing_there(self) -> None:
        """
        A number that is no descriptor changes nothing.
        """
        ours = OwnDescriptor()
        self.assertEqual(ours.of(-1), -1)
        self.assertEqual(ours.of(999_999), -1)
