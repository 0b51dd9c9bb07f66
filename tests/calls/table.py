"""
The table of failures: what goes wrong, and what exactly the exchange makes of it.

Each row becomes a test. Its input plays out what happens and returns the status that the phone was answered with, or
``None`` when nothing was. Then the log, the record and, at the row's time, the absence of everything are checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from pbx.sip.message import Request
from pbx.sip.reasons import parse_reasons
from tests.calls.case import ExchangeCase
from tests.calls.phone import Phone

Input = Callable[[ExchangeCase], int | None]


def refused(case: ExchangeCase, phone: Phone, invite: Request, cause: int = 0) -> int:
    """
    Acknowledge the refusal that a caller got, which names its cause; its status.
    """
    answer = phone.last("INVITE")
    case.assertEqual(phone.responses("INVITE").count(answer.status), 1)
    phone.acknowledge_refusal(invite, answer)
    if cause:
        (reason,) = parse_reasons(answer.headers.get_all("Reason"))
        case.assertEqual((reason.protocol, reason.cause), ("Q.850", cause))
    return answer.status


@frozen
class Row:
    """
    One way for things to go wrong.

    Attributes:
        input: Plays it; its docstring says what it is.
        status: What the phone is answered; ``None`` for nothing.
        log: A pattern for the one line that is logged about it; empty for none at warning or above.
        disposition: What the CDR says; ``None`` when there is none.
        reason: The reason in the CDR.
        within: Seconds after the input by which no port, timer, dialog or transaction is left.
        options: How the exchange differs from a usual one.
    """

    input: Input
    status: int | None
    log: str = ""
    disposition: str | None = None
    reason: str = ""
    within: float = 33.0
    options: dict[str, Any] = field(factory=dict)


class TableCase(ExchangeCase):
    """
    A table: a subclass gives its rows, and has a test for each.

    Attributes:
        rows: The table.
    """

    rows: tuple[Row, ...] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for row in cls.rows:
            name = f"test_{row.input.__name__}"
            if hasattr(cls, name):
                raise ValueError(f"{name} stands in the table twice")
            setattr(cls, name, _test(row))

    def setUp(self) -> None:
        """
        Start the row's exchange.
        """
        row = getattr(type(self), self._testMethodName).row
        self.options = row.options
        self.within = row.within
        super().setUp()


def _test(row: Row) -> Callable[[TableCase], None]:
    def test(self: TableCase) -> None:
        self.assertEqual(row.input(self), row.status)
        self.network.advance(row.within)
        self.within = 0.0
        self.assert_nothing_left()
        if row.log:
            found = [line for _, line in self.lines if re.search(row.log, line)]
            self.assertEqual(len(found), 1, self.lines)
            self.assertEqual([line for line in self.loud if line not in found], [])
        else:
            self.assertEqual(self.loud, [])
        told = [(record["disposition"], record["reason"]) for record in self.exchange.records]
        self.assertEqual(told, [] if row.disposition is None else [(row.disposition, row.reason)])
        for record in self.exchange.records:
            ended = f"{record['id']}: {record['disposition']}: {record['reason']}"
            told_so = record["disposition"] != "answered" or record["hangup_by"] == "system"
            self.assertEqual([line for _, line in self.lines].count(ended), int(told_so), self.lines)
            # One reason for all: the status the caller was answered is the one the record has.
            if record["status"] is not None:
                self.assertEqual(record["status"], row.status)

    test.__name__ = f"test_{row.input.__name__}"
    test.__doc__ = row.input.__doc__
    test.row = row  # type: ignore[attr-defined]
    return test
