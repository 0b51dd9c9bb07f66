"""
Tests for :mod:`pbx.audio.phrases` and :mod:`pbx.audio.english`, read back by a tiny reader.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.audio import phrases
from pbx.audio.english import LARGEST, English
from pbx.audio.wording import read

WORDS = read((Path(phrases.__file__).parent.parent / "sounds" / "en.txt").read_text(encoding="utf-8"))
ENGLISH = English()
NOON = dt.datetime(2026, 11, 23, 12, 0)  # noqa: DTZ001 - the clock on the wall; a Monday
NUMBERS = st.integers(0, 2000) | st.integers(0, LARGEST)


def value(names: list[str]) -> int:
    """
    The number that somebody hears.
    """
    total = part = 0
    for name in names:
        word = name.removeprefix("number-")
        if word.isdigit():
            assert part % 100 == 0 or (part % 10 == 0 and part % 100 > 10 and int(word) < 10), names
            part += int(word)
        elif word == "hundred":
            assert 0 < part < 10, names
            part *= 100
        else:
            total += part * {"thousand": 1000, "million": 1_000_000}[word]
            part = 0
    return total + part


def spoken(names: list[str]) -> str:
    """
    What is heard.
    """
    return " ".join(WORDS[name] for name in names).replace("1", "one")


class NumberTests(SynchronousTestCase):
    """
    Numbers, and how many of something.
    """

    @given(NUMBERS)
    def test_numbers(self, number: int) -> None:
        """
        Whoever hears the words writes down the number; every one of them is a prompt.
        """
        names = ENGLISH.number(number)
        self.assertEqual(value(names), number)
        self.assertLessEqual(set(names), set(WORDS))

    def test_words(self) -> None:
        """
        Numbers sound as people say them.
        """
        for number, words in (
            (0, "zero"),
            (20, "twenty"),
            (21, "twenty one"),
            (100, "one hundred"),
            (2_019, "two thousand nineteen"),
            (999_000_999, "nine hundred ninety nine million nine hundred ninety nine"),
        ):
            self.assertEqual(spoken(ENGLISH.number(number)), words)

    def test_no_words(self) -> None:
        """
        There are no words for less than nothing and for a thousand million.
        """
        for number in (-1, LARGEST + 1):
            self.assertRaises(ValueError, ENGLISH.number, number)
        self.assertRaises(ValueError, ENGLISH.ordinal, 0)

    def test_ordinals(self) -> None:
        """
        Ordinals have words as far as the days of a month go; later ones are numbers.
        """
        self.assertEqual(spoken(ENGLISH.ordinal(31)), "thirty-first")
        self.assertEqual(spoken(ENGLISH.ordinal(32)), "number thirty two")
        for number in range(1, 101):
            self.assertLessEqual(set(ENGLISH.ordinal(number)), set(WORDS))

    def test_count(self) -> None:
        """
        One is singular, none and many are plural.
        """
        for number, words in ((0, "no messages"), (1, "one message"), (2, "two messages"), (101, None)):
            heard = spoken(ENGLISH.count(number, "vm-message", "vm-messages"))
            self.assertEqual(heard, words or "one hundred one messages")


class NameTests(SynchronousTestCase):
    """
    Digits, telephone numbers and letters.
    """

    def test_digits(self) -> None:
        """
        Each digit and key is said; what is none is not.
        """
        self.assertEqual(ENGLISH.digits("*72#1 0a"), [f"digit-{key}" for key in ("star", *"72", "pound", *"10")])

    def test_telephone(self) -> None:
        """
        A number is said without its separators, a name letter by letter.
        """
        self.assertEqual(spoken(ENGLISH.telephone("+49 (30) 1-2")), "plus four nine three zero one two")
        self.assertEqual(ENGLISH.telephone("bob.7"), ["letter-b", "letter-o", "letter-b", "digit-7"])

    def test_letters(self) -> None:
        """
        A text is spelled; accents are left out, and what has no name.
        """
        self.assertEqual(spoken(ENGLISH.letters("Zoé-1 ☎")), "Z O E dash one space")

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """
        Whatever a name holds, only prompts come out.
        """
        for names in (ENGLISH.letters(text), ENGLISH.telephone(text), ENGLISH.digits(text)):
            self.assertLessEqual(set(names), set(WORDS))


class TimeTests(SynchronousTestCase):
    """
    Days, times and durations.
    """

    def test_times(self) -> None:
        """
        A time of day is said in twelve hours.
        """
        for hour, minute, words in (
            (0, 0, "midnight"),
            (0, 1, "twelve oh one A.M."),
            (8, 0, "eight A.M."),
            (11, 59, "eleven fifty nine A.M."),
            (12, 0, "noon"),
            (12, 10, "twelve ten P.M."),
            (15, 5, "three oh five P.M."),
            (23, 30, "eleven thirty P.M."),
        ):
            self.assertEqual(spoken(ENGLISH.time(dt.time(hour, minute))), words)

    def test_dates(self) -> None:
        """
        A day near by is said by its name, one of this year with its weekday, another with its year.
        """
        for day, words in (
            (dt.date(2026, 11, 23), "today"),
            (dt.date(2026, 11, 22), "yesterday"),
            (dt.date(2026, 11, 24), "tomorrow"),
            (dt.date(2026, 11, 17), "Tuesday"),
            (dt.date(2026, 11, 16), "Monday November sixteenth"),
            (dt.date(2026, 11, 25), "Wednesday November twenty-fifth"),
            (dt.date(2025, 3, 1), "March first twenty twenty five"),
            (dt.date(2008, 12, 31), "December thirty-first two thousand eight"),
            (dt.date(1905, 1, 2), "January second nineteen oh five"),
            (dt.date(1900, 1, 3), "January third nineteen hundred"),
        ):
            self.assertEqual(spoken(ENGLISH.date(day, NOON.date())), words)

    def test_moment(self) -> None:
        """
        A day and a time together; whether it was yesterday is told by midnight, not by 24 hours.
        """
        late = dt.datetime(2026, 11, 22, 23, 58)  # noqa: DTZ001
        self.assertEqual(spoken(ENGLISH.moment(late, NOON)), "yesterday at eleven fifty eight P.M.")

    @given(st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(2999, 12, 31)))  # noqa: DTZ001
    def test_any_moment(self, moment: dt.datetime) -> None:
        """
        There are prompts for every moment, and the minute is heard.
        """
        names = ENGLISH.moment(moment, NOON)
        self.assertLessEqual(set(names), set(WORDS))
        clock = [name for name in names[names.index("time-at") + 1 :] if name != "time-oh"]
        if clock[0] in {"time-noon", "time-midnight"}:
            self.assertEqual((moment.hour, moment.minute), (12 if clock[0] == "time-noon" else 0, 0))
        else:
            hour = value(clock[:1]) % 12 + (12 if clock[-1] == "time-pm" else 0)
            self.assertEqual((hour, value(clock[1:-1])), (moment.hour, moment.minute))

    def test_durations(self) -> None:
        """
        A duration is said to the second below an hour, to the minute above.
        """
        for seconds, words in (
            (0, "zero seconds"),
            (0.6, "one second"),
            (59.7, "one minute"),
            (61, "one minute one second"),
            (132, "two minutes twelve seconds"),
            (3600, "one hour"),
            (7384, "two hours three minutes"),
        ):
            self.assertEqual(spoken(ENGLISH.duration(seconds)), words)

    @given(st.floats(0, 1e6))
    def test_any_duration(self, seconds: float) -> None:
        """
        There are prompts for every duration.
        """
        names = ENGLISH.duration(seconds)
        self.assertTrue(names)
        self.assertLessEqual(set(names), set(WORDS))


class LanguageTests(SynchronousTestCase):
    """
    Languages beside English.
    """

    def test_languages(self) -> None:
        """
        A region takes its language's way; a language without one takes the English one.
        """
        for language in ("en", "en-gb", "EN_us", "xx"):
            self.assertIsInstance(phrases.phrases(language), English)

        class Short(English):
            """
            A language of one word.
            """

            def digits(self, text: str) -> list[str]:
                """
                Hardly anything.
                """
                return ["digit-0"] * len(text)

        self.patch(phrases, "LANGUAGES", {**phrases.LANGUAGES, "sh": Short})
        self.assertEqual(phrases.digits("12", "sh-xx"), ["digit-0", "digit-0"])

    def test_functions(self) -> None:
        """
        What is asked for most is a function too.
        """
        self.assertEqual(phrases.digits("1"), ["digit-1"])
        self.assertEqual(phrases.number(1), ["number-1"])
        self.assertEqual(phrases.count(2, "a", "b"), ["number-2", "b"])
        self.assertEqual(phrases.telephone("1"), ["digit-1"])
        self.assertEqual(phrases.duration(1), ["number-1", "time-second"])
        self.assertEqual(phrases.moment(NOON, NOON), ["time-today", "time-at", "time-noon"])
