"""
Rate lists as providers send them: CSV (RFC 4180) with a header row, to :class:`~pbx.directory.rates.Rate` and back.
"""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from attrs import frozen

from pbx.directory.rates import Rate

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_RATES: Final = 100_000
"""Rates of one trunk: all are kept in memory, and the longest lists that are sold have some ten thousand."""

MOST_MISTAKES: Final = 1_000
"""Mistakes of one list that are named: whoever has more has sent another file."""

LONGEST_SECONDS: Final = 3600
"""Seconds that an increment may have."""

COLUMNS: Final = {
    "prefix": ("prefix", "code", "dial_code"),
    "rate": ("rate", "rate_per_minute", "price", "price_per_minute"),
    "connection_fee": ("connection_fee", "connect_fee", "setup_fee", "fee"),
    "increments": ("increments", "billing_increments"),
    "first": ("first", "first_increment", "minimum"),
    "increment": ("increment", "next_increment"),
}
"""What a column may be called, in lower case and with ``_`` for spaces and hyphens."""

HEADER: Final = "prefix,rate,connection_fee,increments"


@frozen
class BadLine:
    """
    What is wrong with a line of a list.

    Attributes:
        line: Its number, from 1 on.
        text: What is wrong.
    """

    line: int
    text: str


def read(content: bytes) -> tuple[dict[str, Rate], list[BadLine]]:
    """
    The rates of a list, by prefix, and all that is wrong with it.

    Columns may stand in any order; those that nobody knows are left out. They are separated by commas, semicolons or
    tabs; behind the latter two an amount may have a comma for its point.

    Args:
        content: The file.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return {}, [BadLine(line, "it is not UTF-8")]
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rates: dict[str, Rate] = {}
    bad: list[BadLine] = []
    try:
        columns = _columns(next(rows, []))
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(bad) >= MOST_MISTAKES:
                bad.append(BadLine(rows.line_num, "this and what comes behind it was not looked at"))
                break
            try:
                rate = _rate(row, columns, comma=delimiter != ",")
            except ValueError as error:
                bad.append(BadLine(rows.line_num, str(error)))
                continue
            if len(rates) >= MOST_RATES:
                bad.append(BadLine(rows.line_num, f"a list may have {MOST_RATES:,} rates at most"))
                break
            if rates.setdefault(rate.prefix, rate) is not rate:
                bad.append(BadLine(rows.line_num, f"prefix {rate.prefix} stands here for the second time"))
    except (csv.Error, ValueError) as error:
        # A line that is longer than any rate, or a header without what is needed: the rest makes no sense then.
        bad.append(BadLine(max(rows.line_num, 1), str(error)))
    if not rates and not bad:
        bad.append(BadLine(2, "missing; needed is at least one rate"))
    return rates, bad


def written(rates: Iterable[Rate]) -> str:
    """
    Rates as a list that :func:`read` takes.
    """
    lines = [
        f"{rate.prefix},{rate.rate:f},{rate.connection_fee:f},{rate.first}/{rate.increment}\r\n"
        for rate in sorted(rates, key=lambda rate: rate.prefix)
    ]
    return f"{HEADER}\r\n{''.join(lines)}"


def _columns(header: list[str]) -> dict[str, int]:
    """
    Where which column stands.
    """
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in header]
    columns: dict[str, int] = {}
    for column, known in COLUMNS.items():
        places = [index for index, name in enumerate(names) if name in known]
        if len(places) > 1:
            raise ValueError(f"the header row has two columns for {column}")
        if places:
            columns[column] = places[0]
    missing = [column for column in ("prefix", "rate") if column not in columns]
    if missing:
        raise ValueError(f"the header row has no column {' and no column '.join(missing)}; such as {HEADER}")
    return columns


def _rate(row: list[str], columns: dict[str, int], *, comma: bool) -> Rate:
    cells = {name: row[index].strip() if index < len(row) else "" for name, index in columns.items()}
    prefix = re.sub(r"[\s-]+", "", cells["prefix"]).removeprefix("+")
    if re.fullmatch("[1-9][0-9]{0,14}", prefix) is None:
        raise ValueError(f"found {_shown(cells['prefix'])} as prefix; allowed are 1 to 15 digits that begin with a"
                         " country code, such as 4930")
    first, increment = 60, 60
    if cells.get("increments"):
        match = re.fullmatch(r"(\d{1,4})(?:\s*/\s*(\d{1,4}))?", cells["increments"], re.ASCII)
        if match is None:
            raise ValueError(f"found {_shown(cells['increments'])} as increments; allowed are two numbers of seconds"
                             " such as 60/1")
        first, increment = int(match[1]), int(match[2] or match[1])
    else:
        first = _seconds("first", cells.get("first", ""), first)
        increment = _seconds("increment", cells.get("increment", ""), increment)
    if not (0 <= first <= LONGEST_SECONDS and 1 <= increment <= LONGEST_SECONDS):
        raise ValueError(f"found {first}/{increment} as increments; allowed are 0 to {LONGEST_SECONDS} and then 1 to"
                         f" {LONGEST_SECONDS} seconds")
    return Rate(
        prefix,
        _amount("rate", cells["rate"], comma=comma),
        _amount("connection_fee", cells.get("connection_fee") or "0", comma=comma),
        first,
        increment,
    )


def _seconds(name: str, text: str, usual: int) -> int:
    if not text:
        return usual
    if re.fullmatch("[0-9]{1,4}", text) is None:
        raise ValueError(f"found {_shown(text)} as {name}; allowed are whole seconds")
    return int(text)


def _amount(name: str, text: str, *, comma: bool) -> Decimal:
    if comma:
        text = text.replace(",", ".")
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,8})?|\.[0-9]{1,8}", text) is None:
        raise ValueError(f"found {_shown(text)} as {name}; allowed is an amount such as 0.0123")
    return Decimal(text)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
