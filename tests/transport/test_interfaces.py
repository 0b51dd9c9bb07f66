"""
Tests for :mod:`pbx.transport.interfaces`, and that those who stand in for others are like them.
"""

from __future__ import annotations

import socket
import struct

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.transport.interfaces import (
    ADDRESS_MESSAGE,
    HEADER,
    IFA_ADDRESS,
    IFA_F_TENTATIVE,
    IFA_LOCAL,
    NLMSG_DONE,
    NLMSG_ERROR,
    RT_SCOPE_LINK,
    RTM_NEWADDR,
    IInterfaces,
    KernelInterfaces,
    _read_addresses,
)
from pbx.transport.reception import IMessageReceiver
from pbx.transport.trace import ITrace, NoTrace
from tests.network import Network
from tests.transport.rig import Receiver, Trace


def told(address: str, flags: int = 0, scope: int = 0, peer: str | None = None) -> bytes:
    """
    What the kernel says of one address.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    attributes = b""
    for kind, text in ((IFA_ADDRESS, peer or address), (IFA_LOCAL, address)):
        if kind == IFA_LOCAL and family == socket.AF_INET6:
            continue
        packed = socket.inet_pton(family, text)
        attributes += struct.pack("=HH", 4 + len(packed), kind) + packed
    # A label of three letters, so that there is padding.
    attributes += struct.pack("=HH", 8, 3) + b"lo0\0"
    body = ADDRESS_MESSAGE.pack(family, 24, flags, scope, 1) + attributes
    return HEADER.pack(HEADER.size + len(body), RTM_NEWADDR, 2, 1, 0) + body


class KernelTests(SynchronousTestCase):
    """
    The kernel's answer.
    """

    def test_addresses(self) -> None:
        """
        Addresses that can be bound to are found, in order; link-local and not yet usable ones are left out.
        """
        found: dict[str, None] = {}
        data = (
            told("127.0.0.1") + told("10.0.0.1", peer="10.0.0.99") + told("2001:db8::1")
            + told("fe80::1", scope=RT_SCOPE_LINK) + told("2001:db8::2", flags=IFA_F_TENTATIVE)
        )  # fmt: skip
        self.assertFalse(_read_addresses(data, found))
        self.assertEqual(list(found), ["127.0.0.1", "10.0.0.1", "2001:db8::1"])
        self.assertTrue(_read_addresses(HEADER.pack(HEADER.size + 4, NLMSG_DONE, 2, 1, 0) + bytes(4), found))

    def test_refused(self) -> None:
        """
        When the kernel refuses, or its answer makes no sense, that is an error.
        """
        for data in (HEADER.pack(36, NLMSG_ERROR, 0, 1, 0) + bytes(20), HEADER.pack(0, RTM_NEWADDR, 0, 1, 0)):
            self.assertRaises(OSError, _read_addresses, data, {})


class ProviderTests(SynchronousTestCase):
    """
    Who stands in for whom.
    """

    def test_providers(self) -> None:
        """
        The real ones and those of tests provide the same interfaces.
        """
        verifyObject(IInterfaces, KernelInterfaces())
        verifyObject(ITrace, NoTrace())
        verifyObject(ITrace, Trace())
        verifyObject(IMessageReceiver, Receiver())
        host = Network().reactor("10.0.0.1")
        self.assertEqual(host.local_addresses(), ["127.0.0.1", "10.0.0.1"])
        self.assertEqual(host.source_for("10.9.0.1"), "10.0.0.1")
        self.assertIsNone(host.source_for("2001:db8::1"))
