"""
Tests of :mod:`pbx.directory.rate_list`.
"""

from __future__ import annotations

from decimal import Decimal
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory import rate_list
from pbx.directory.rate_list import BadLine, read, written
from pbx.directory.rates import Rate

BERLIN = Rate("4930", Decimal("0.0123"), Decimal("0.05"), 60, 1)
MOBILE = Rate("4915", Decimal("0.2"))


class ReadTests(SynchronousTestCase):
    """
    A provider's file.
    """

    def good(self, text: str, encoding: str = "utf-8") -> list[Rate]:
        """
        The rates of a file that has no mistakes.
        """
        rates, bad = read(text.encode(encoding))
        self.assertEqual(bad, [])
        self.assertEqual([rate.prefix for rate in rates.values()], list(rates))
        return list(rates.values())

    def test_usual(self) -> None:
        """
        Prefix, price of a minute, connection fee and increments, by line.
        """
        text = "prefix,rate,connection_fee,increments\r\n4930,0.0123,0.05,60/1\r\n4915,0.2,,\r\n"
        self.assertEqual(self.good(text), [BERLIN, MOBILE])

    def test_as_others_write_it(self) -> None:
        """
        Other names and orders of columns, further ones, semicolons with decimal commas, a byte order mark, quotes,
        empty lines, a plus sign and spaces in a prefix, and increments in two columns.
        """
        for text in (
            "Destination;Rate per minute;Dial-Code;Setup fee;First;Increment\nBerlin;0,0123;+49 30;0,05;60;1\n\n",
            "\ufeffcode\tprice\tconnect fee\tbilling increments\n49-30\t.0123\t0,05\t60 / 1\n",
            'increments,"rate","prefix",fee\n60/1,"0.0123","4930",0.05\n',
        ):
            self.assertEqual(self.good(text), [BERLIN], text)
        six = Rate("1", Decimal("0.01"), Decimal(0), 6, 6)
        self.assertEqual(self.good("prefix,rate,increments\n1,0.01,6\n"), [six])
        self.assertEqual(self.good("prefix,rate\n1,0.01"), [Rate("1", Decimal("0.01"))])

    def test_every_bad_line_is_named(self) -> None:
        """
        Each line that cannot be is named by its number, with what was found and what is allowed.
        """
        lines = [
            "prefix,rate,connection_fee,increments", "4930,0.01,0,60/1", "0049,0.01,0,60/1", "49x,0.01,0,60/1",
            "4931,cheap,0,60/1", "4932,-1,0,60/1", "4933,NaN,0,60/1", "4934,0.01,1e3,60/1", "4935,0.01,0,60-1",
            "4936,0.01,0,60/0", "4937,0.01,0,9999/1", "4930,0.02,0,60/1", "4938,\"0,01\",0,60/1", ",0.01,0,60/1",
            "4939",
        ]
        rates, bad = read("\n".join(lines).encode())
        self.assertEqual(list(rates), ["4930"])
        self.assertEqual([each.line for each in bad], list(range(3, 16)))
        self.assertIn("found '0049' as prefix; allowed are 1 to 15 digits", bad[0].text)
        self.assertIn("found 'cheap' as rate", bad[2].text)
        self.assertIn("second time", bad[9].text)
        self.assertIn("found '' as rate", bad[12].text)

    def test_header(self) -> None:
        """
        A file without the columns that are needed, or with one twice, says so, and an empty one too.
        """
        for text, wanted in (
            ("4930,0.01\n4931,0.02\n", "no column prefix and no column rate"),
            ("prefix,fee\n4930,0.01\n", "no column rate"),
            ("prefix,code,rate\n1,2,3\n", "two columns for prefix"),
            ("", "no column prefix"),
            ("prefix,rate\n", "at least one rate"),
        ):
            rates, bad = read(text.encode())
            self.assertEqual((rates, len(bad)), ({}, 1), text)
            self.assertIn(wanted, bad[0].text)

    def test_not_text(self) -> None:
        """
        What is no text is told with its line.
        """
        self.assertEqual(read(b"prefix,rate\n49,1\n\xff,1\n"), ({}, [BadLine(3, "it is not UTF-8")]))
        _, bad = read(b"prefix,rate\n4930,1\n" + b"x" * 200_000)
        self.assertEqual([each.line for each in bad], [3])

    def test_bounds(self) -> None:
        """
        A list has so many rates at most, and so many mistakes are named.
        """
        text = "prefix,rate\n" + "".join(f"{number},1\n" for number in range(10, 20))
        self.patch(rate_list, "MOST_RATES", 10)
        self.assertEqual(len(self.good(text)), 10)
        _, bad = read(text.encode() + b"20,1\n21,1\n")
        self.assertEqual([(each.line, each.text) for each in bad], [(12, "a list may have 10 rates at most")])
        with mock.patch.object(rate_list, "MOST_MISTAKES", 3):
            _, bad = read(b"prefix,rate\n" + b"x,1\n" * 10)
        self.assertEqual([each.line for each in bad], [2, 3, 4, 5])

    def test_written(self) -> None:
        """
        What is written is read as it was.
        """
        tiny = Rate("1", Decimal("0.00000001"), Decimal(100), 0, 3600)
        text = written([BERLIN, tiny, MOBILE])
        self.assertEqual(self.good(text), [tiny, MOBILE, BERLIN])
        self.assertEqual(text.splitlines()[1], "1,0.00000001,100,0/3600")
