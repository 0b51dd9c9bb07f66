"""
Tests for :mod:`tests.wire.namespaces`: what the routers do to plain datagrams.
"""

from __future__ import annotations

import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.wire.namespaces import Town


class TownTests(SynchronousTestCase):
    """
    Two households and an echo on the street.
    """

    def setUp(self) -> None:
        """
        Build the town, with an echo at its address.
        """
        self.town = Town()
        self.town.build()
        self.addCleanup(self.town.remove)
        self.echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.echo.bind((self.town.address, 0))
        self.echo.settimeout(2)
        self.addCleanup(self.echo.close)

    def _call_out(self, phone: socket.socket) -> tuple[str, int]:
        phone.settimeout(2)
        phone.sendto(b"hello", self.echo.getsockname())
        data, seen = self.echo.recvfrom(100)
        self.echo.sendto(data, seen)
        self.assertEqual(phone.recvfrom(100), (b"hello", self.echo.getsockname()))
        return str(seen[0]), int(seen[1])

    def test_masquerade(self) -> None:
        """
        Phones with the same inner address are seen at two outer ones, each socket at a port of its own.
        """
        first, second = self.town.households
        ann, bob = first.udp(), second.udp()
        self.addCleanup(ann.close)
        self.addCleanup(bob.close)
        self.assertEqual(self._call_out(ann)[0], first.outer)
        self.assertEqual(self._call_out(bob)[0], second.outer)
        self.assertEqual(self._call_out(ann), self._call_out(ann))
        self.assertNotEqual(self._call_out(ann)[1], ann.getsockname()[1])

    def test_forgotten(self) -> None:
        """
        After a flush what is sent to the old mapping is lost, and the next packet from inside makes a new one.
        """
        household = self.town.households[0]
        phone = household.udp()
        self.addCleanup(phone.close)
        before = self._call_out(phone)
        household.forget_mappings()
        self.echo.sendto(b"anyone?", before)
        phone.settimeout(0.3)
        self.assertRaises(TimeoutError, phone.recvfrom, 100)
        # The router said so by ICMP, which the socket reports once.
        self.echo.settimeout(0.1)
        self.assertRaises(OSError, self.echo.recvfrom, 100)
        self.echo.settimeout(2)
        self.assertNotEqual(self._call_out(phone), before)

    def test_nothing_left(self) -> None:
        """
        Removing leaves no namespace and no interface.
        """
        self.town.remove()
        left = [path.name for path in [*Path("/run/netns").glob("*"), *Path("/sys/class/net").glob("*")]]
        self.assertEqual([name for name in left if name.startswith(self.town.households[0].room[:-7])], [])
