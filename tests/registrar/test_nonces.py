"""
Tests for :mod:`pbx.registrar.nonces`.
"""

from __future__ import annotations

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pbx.registrar.nonces import DIGESTS, LIFETIME, Nonces, Verdict
from pbx.sip.digest import Credentials

PHONE = "192.0.2.5"
RESPONSE = "6629fae49393a05397450978507c4ef1"


def answer(nonce: str, count: int | None = 1, response: str = RESPONSE) -> Credentials:
    """
    What a phone answers; without qop when it has no count.
    """
    if count is None:
        return Credentials("1005", "pbx", nonce, "sip:pbx.example", response)
    return Credentials("1005", "pbx", nonce, "sip:pbx.example", response, "MD5", "auth", f"{count:08x}", "0a4f113b")


class NoncesTests(SynchronousTestCase):
    """
    Nonces on a virtual clock.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.nonces = Nonces(self.clock)

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def verdict(self, nonce: str, count: int | None = 1, response: str = RESPONSE, address: str = PHONE) -> str:
        """
        The verdict on an answer, in a word.
        """
        return self.nonces.check(answer(nonce, count, response), address).value

    def use(self, nonce: str, *counts: int) -> list[str]:
        """
        The verdicts on answers that are all right.
        """
        verdicts = []
        for count in counts:
            verdicts.append(self.verdict(nonce, count))
            if verdicts[-1] == "fresh":
                self.nonces.used(answer(nonce, count))
        return verdicts

    def test_fresh(self) -> None:
        """
        A nonce just made is good for the address it was made for, and no two are the same.
        """
        made = {self.nonces.make(PHONE) for _ in range(1000)}
        self.assertEqual(len(made), 1000)
        self.assertEqual({self.verdict(nonce) for nonce in made}, {"fresh"})
        self.assertRegex(made.pop(), r"^[0-9a-f]{60}$")

    def test_checking_remembers_nothing(self) -> None:
        """
        Strangers' nonces and wrong answers take no memory, and a wrong answer does not spoil the right one.
        """
        nonce = self.nonces.make(PHONE)
        for _ in range(3):
            self.assertEqual(self.verdict(nonce), "fresh")
        self.assertEqual(len(self.nonces), 0)

    def test_address(self) -> None:
        """
        Another address cannot use it; over IPv6 likewise.
        """
        nonce = self.nonces.make(PHONE)
        self.assertEqual(self.verdict(nonce, address="192.0.2.50"), "stale")
        nonce = self.nonces.make("2001:db8::5")
        self.assertEqual(self.verdict(nonce, address="2001:db8::5"), "fresh")
        self.assertEqual(self.verdict(nonce, address="2001:db8::6"), "stale")

    def test_lifetime(self) -> None:
        """
        Five minutes after it was made a nonce is stale, also one that was used in between.
        """
        nonce, unused = self.nonces.make(PHONE), self.nonces.make(PHONE)
        self.clock.advance(LIFETIME)
        self.assertEqual(self.use(nonce, 1), ["fresh"])
        self.clock.advance(0.002)
        self.assertEqual((self.verdict(nonce, 2), self.verdict(unused)), ("stale", "stale"))

    def test_lifetime_is_a_setting(self) -> None:
        """
        Another lifetime is kept as well.
        """
        self.nonces = Nonces(self.clock, lifetime=10)
        nonce = self.nonces.make(PHONE)
        self.clock.advance(10)
        self.assertEqual(self.verdict(nonce), "fresh")
        self.clock.advance(0.5)
        self.assertEqual(self.verdict(nonce), "stale")

    def test_made_before_this_start(self) -> None:
        """
        After a restart nobody's nonce is good any more.
        """
        self.assertEqual(self.verdict(Nonces(self.clock).make(PHONE)), "stale")

    def test_not_ours(self) -> None:
        """
        Whatever a stranger writes there is stale, and nothing else happens.
        """
        nonce = self.nonces.make(PHONE)
        changed = [nonce[:at] + ("0" if nonce[at] != "0" else "1") + nonce[at + 1 :] for at in range(len(nonce))]
        for text in [
            *changed, "", "x", nonce[:-1], nonce + "0", nonce.replace(nonce[0], "ß", 1), nonce.upper() + " ",
            " " * 60, "é" * 60, "\udcff" * 60, nonce[:-2] + "  ", "0" * 60,
        ]:  # fmt: skip
            self.assertEqual(self.verdict(text), "stale", text)

    def test_one_spelling(self) -> None:
        """
        A nonce written otherwise would have a window of its own: it is not ours.
        """
        nonce = next(made for made in iter(lambda: self.nonces.make(PHONE), "") if made.upper() != made)
        self.assertEqual(self.use(nonce, 1), ["fresh"])
        self.assertEqual(self.verdict(nonce.upper()), "stale")

    def test_each_count_once(self) -> None:
        """
        The same count again is a replay; the next one is not.
        """
        nonce = self.nonces.make(PHONE)
        self.assertEqual(
            self.use(nonce, 1, 1, 2, 2, 1, 3), ["fresh", "replayed", "fresh", "replayed", "replayed", "fresh"]
        )

    def test_counts_out_of_order(self) -> None:
        """
        Counts may come in any order within 64; what is further back is a replay for all we know.
        """
        nonce = self.nonces.make(PHONE)
        self.assertEqual(
            self.use(nonce, 70, 7, 7, 6, 69, 69), ["fresh", "fresh", "replayed", "replayed", "fresh", "replayed"]
        )
        verdicts = self.use(nonce, 71, 7, 8, 1000, 936, 937, 71)
        self.assertEqual(verdicts, ["fresh", "replayed", "fresh", "fresh", "replayed", "fresh", "replayed"])

    def test_like_a_set_of_all_counts(self) -> None:
        """
        Any order gives what a set of all counts seen, cut at 64 behind the highest, would.
        """
        dice = Random(3)  # noqa: S311  # dice, not keys
        nonce = self.nonces.make(PHONE)
        seen: set[int] = set()
        centre = 1
        for _ in range(5000):
            centre += dice.choice([0, 0, 0, 1, 1, 2, 80]) if dice.random() < 0.3 else 0
            count = max(1, centre + dice.randint(-70, 5))
            good = count not in seen and count > max(seen, default=0) - 64
            self.assertEqual(self.use(nonce, count), ["fresh" if good else "replayed"])
            if good:
                seen.add(count)

    def test_each_nonce_has_its_counts(self) -> None:
        """
        Two phones behind one address count for themselves.
        """
        one, other = self.nonces.make(PHONE), self.nonces.make(PHONE)
        self.assertEqual(self.use(one, 1, 2), ["fresh", "fresh"])
        self.assertEqual(self.use(other, 1, 2), ["fresh", "fresh"])

    def test_highest_count(self) -> None:
        """
        The highest count that can be written is one like another.
        """
        nonce = self.nonces.make(PHONE)
        self.assertEqual(self.use(nonce, 1, 0xFFFFFFFF, 0xFFFFFFFF, 2), ["fresh", "fresh", "replayed", "replayed"])

    def test_memory_does_not_grow_with_the_count(self) -> None:
        """
        However often a nonce is used, it is remembered in 64 bits.
        """
        nonce = self.nonces.make(PHONE)
        self.use(nonce, *range(1, 500))
        self.assertEqual(self.nonces._uses[nonce].seen.bit_length(), 64)

    def test_without_qop(self) -> None:
        """
        Without a count, the same answer again is a replay, in whatever case; another answer is not.
        """
        nonce = self.nonces.make(PHONE)
        self.assertEqual(self.verdict(nonce, None), "fresh")
        self.nonces.used(answer(nonce, None))
        self.assertEqual(self.verdict(nonce, None), "replayed")
        self.assertEqual(self.verdict(nonce, None, RESPONSE.upper()), "replayed")
        self.assertEqual(self.verdict(nonce, None, "0" * 32), "fresh")

    def test_without_qop_and_without_end(self) -> None:
        """
        The answers remembered for one nonce are limited; then a new nonce is asked for.
        """
        nonce = self.nonces.make(PHONE)
        for number in range(2 * DIGESTS):
            response = f"{number:032x}"
            self.assertEqual(self.verdict(nonce, None, response), "fresh" if number < DIGESTS else "replayed")
            self.nonces.used(answer(nonce, None, response))
        self.assertEqual(len(self.nonces._uses[nonce].digests), DIGESTS)

    def test_without_qop_when_allowed(self) -> None:
        """
        Where old clients are to be served, their answer may come again while the nonce lives.
        """
        self.nonces = Nonces(self.clock, repeat_without_qop=True)
        nonce = self.nonces.make(PHONE)
        self.nonces.used(answer(nonce, None))
        self.assertEqual(self.verdict(nonce, None), "fresh")
        self.assertEqual(self.use(nonce, 1, 1), ["fresh", "replayed"])
        self.clock.advance(LIFETIME + 1)
        self.assertEqual(self.verdict(nonce, None), "stale")

    def test_no_more_than_so_many(self) -> None:
        """
        Beyond the limit the least recently used is forgotten, and then it is stale, not fresh again.
        """
        self.nonces = Nonces(self.clock, remembered=3)
        made = []
        for _ in range(4):
            self.clock.advance(1)
            made.append(self.nonces.make(PHONE))
        never_used, late = made[0], self.nonces.make(PHONE)
        for nonce in made[1:]:
            self.use(nonce, 1)
        self.assertEqual(self.use(made[1], 2), ["fresh"])
        self.use(late, 1)
        self.assertEqual(len(self.nonces), 3)
        self.assertEqual([self.verdict(nonce, 3) for nonce in made[1:]], ["fresh", "stale", "fresh"])
        # It is older than the one forgotten: it might have been used and forgotten as well.
        self.assertEqual(self.verdict(never_used), "stale")
        self.clock.advance(1)
        self.assertEqual(self.verdict(self.nonces.make(PHONE)), "fresh")

    def test_aged_out(self) -> None:
        """
        What can no longer be used is not remembered, and makes nothing stale.
        """
        for _ in range(10):
            self.use(self.nonces.make(PHONE), 1)
        self.clock.advance(LIFETIME - 1)
        waiting = self.nonces.make(PHONE)
        self.clock.advance(2)
        self.use(self.nonces.make(PHONE), 1)
        self.assertEqual(len(self.nonces), 1)
        self.assertEqual(self.verdict(waiting), "fresh")

    def test_verdicts(self) -> None:
        """
        There are three.
        """
        self.assertEqual([verdict.name for verdict in Verdict], ["FRESH", "STALE", "REPLAYED"])
