"""
How a statement can fail, in words of what a caller can do about it.
"""

from __future__ import annotations

import psycopg2
from psycopg2.errors import LockNotAvailable, UniqueViolation
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionClosed


class DatabaseError(Exception):
    """
    A statement failed for a reason other than those of the subclasses.
    """


class DatabaseDown(DatabaseError):  # noqa: N818 - says what happened
    """
    The server is not reachable, or went away during the statement (which may or may not have had its effect).
    """


class DatabaseTimeout(DatabaseError):  # noqa: N818 - says what happened
    """
    The statement, or a lock it waited for, took too long; it has had no effect.
    """


class Rejected(DatabaseError):  # noqa: N818 - says what happened
    """
    The values of a statement are not acceptable to the tables (SQLSTATE classes 22 and 23).
    """


class Duplicate(Rejected):
    """
    A row with this key is there already.

    Attributes:
        constraint: The name of the violated constraint.
    """

    def __init__(self, message: str, constraint: str) -> None:
        super().__init__(message)
        self.constraint = constraint


def translated(error: Exception, *, lost: bool) -> DatabaseError:
    """
    What psycopg2 and txpostgres raise, as one of ours.

    Args:
        error: What was raised.
        lost: The connection is closed now.
    """
    code: str = getattr(error, "pgcode", None) or ""
    text = str(error).strip()
    # Class 57P: the server is shutting down, crashed, or has not started yet.
    if lost or code.startswith("57P") or isinstance(error, psycopg2.InterfaceError | ConnectionClosed):
        return DatabaseDown(text or "connection lost")
    if isinstance(error, CancelledError):
        # What txpostgres makes of QueryCanceled; we never cancel, so it was statement_timeout.
        return DatabaseTimeout("a statement took too long")
    if isinstance(error, LockNotAvailable):
        return DatabaseTimeout("a lock was not had in time")
    if isinstance(error, UniqueViolation):
        return Duplicate(text, error.diag.constraint_name or "")
    if code[:2] in {"22", "23"}:
        return Rejected(text)
    return DatabaseError(text)
