"""
Encrypted audio: TLS with SRTP, whose keys go in the SDP (RFC 4568).
"""

from __future__ import annotations

from tests.wire.case import ExchangeTestCase


class EncryptedTests(ExchangeTestCase):
    """
    Phones that insist on SRTP.
    """

    async def test_both(self) -> None:
        """
        Two phones over TLS with SRTP hear each other; the record says so.
        """
        caller = await self.phone("1005", "tls", media_encryption="srtp-mand")
        callee = await self.phone("1006", "tls", media_encryption="srtp-mand")
        await caller.dial("1006")
        await caller.hears(callee.said)
        await callee.hears(caller.said)
        await callee.hang_up()
        await caller.event("CALL_CLOSED")
        (record,) = await self.new_records()
        self.assertEqual((record["disposition"], record["hangup_by"]), ("answered", "callee"))
        # The callee, which insists, refuses the first offer, whose keys need not be taken.
        suites = [leg["quality"]["srtp"] for leg in record["legs"] if leg["answered"] is not None]
        self.assertEqual(suites, ["AES_CM_128_HMAC_SHA1_80"] * 2)
        await self.nothing_left()

    async def test_one(self) -> None:
        """
        A phone over TLS with SRTP and one over UDP in the clear hear each other: each leg has its own encryption,
        and the record says which has one.
        """
        caller = await self.phone("1005", "tls", media_encryption="srtp-mand")
        callee = await self.phone("1006")
        await caller.dial("1006")
        await caller.hears(callee.said)
        await callee.hears(caller.said)
        await caller.hang_up()
        await callee.event("CALL_CLOSED")
        (record,) = await self.new_records()
        encrypted = {leg["party"]: leg["quality"]["srtp"] is not None for leg in record["legs"]}
        self.assertEqual(encrypted, {"1005": True, "1006": False})
        await self.nothing_left()

    async def test_keys_in_the_clear(self) -> None:
        """
        Keys that would come over UDP, where anyone can read them, are refused with 488.
        """
        caller = await self.phone("1005", media_encryption="srtp-mand")
        await self.phone("1006")
        await caller.dial("1006")
        self.assertIn("488", (await caller.event("CALL_CLOSED")).param)
        await self.nothing_left()
