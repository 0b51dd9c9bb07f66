"""
Tests for :mod:`tests.wire.baresip`: two phones without an exchange.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.wire.baresip import Account, Phone


class PeersTests(TestCase):
    """
    Two phones that call each other directly.
    """

    timeout = 40

    async def _pair(self, transport: str = "udp", encryption: str | None = None) -> tuple[Phone, Phone]:
        phones = []
        for number, name in enumerate(("ann", "bob")):
            account = Account(name, "127.0.0.1", transport=transport, register=0, media_encryption=encryption)
            phone = Phone(account, voice=number + 1)
            await phone.start()
            self.addCleanup(phone.stop)
            phones.append(phone)
        return phones[0], phones[1]

    async def _talk(self, ann: Phone, bob: Phone, transport: str = "udp") -> None:
        await ann.dial(f"sip:bob@127.0.0.1:{bob.sip_port};transport={transport}")
        await ann.event("CALL_ESTABLISHED")
        await bob.event("CALL_ESTABLISHED")
        await ann.hears(bob.said)
        await bob.hears(ann.said)
        self.assertLess(ann.heard(ann.said).score, 0.5)

    async def test_audio_both_ways(self) -> None:
        """
        What each says is found in what the other records; the one that did not hang up sees the call end.
        """
        ann, bob = await self._pair()
        await self._talk(ann, bob)
        await bob.hang_up()
        await ann.event("CALL_CLOSED")

    async def test_encrypted(self) -> None:
        """
        The same over TCP, with SRTP.
        """
        ann, bob = await self._pair("tcp", "srtp-mand")
        await self._talk(ann, bob, "tcp")
        await ann.hang_up()
        await bob.event("CALL_CLOSED")

