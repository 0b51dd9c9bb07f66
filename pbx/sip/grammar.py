"""
The small words that every header shares: tokens, quoted strings, parameters, lists (RFC 3261 25.1).

No pattern here can backtrack: the alternatives of each repetition start with different characters.
"""

from __future__ import annotations

import re

from pbx.sip.error import ParseError

Params = tuple[tuple[str, str | None], ...]
"""Parameters in order, as written: name, and value (a quoted string with its quotes) or ``None`` without ``=``."""

BLANK = " \t"

is_token = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+").fullmatch
"""Matches a token (RFC 3261 25.1)."""

is_host = re.compile(r"[A-Za-z0-9._\-]+").fullmatch
"""Matches a host name or IPv4 address. The underscore is ours: container and Windows hosts have it in their names."""

_parameter = re.compile(
    r";[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*"
    r"""(?:=[ \t]*("(?:[^"\\]|\\.)*"|[^\x00-\x20\x7f;,"<>\\]+)[ \t]*)?"""
).match
PLAIN_PARAMS = r"""(?:;[A-Za-z0-9\-.!%*_+`'~]+(?:=[^\x00-\x20\x7f;,"<>\\]+)?)*"""
"""A pattern of what nearly all parameters look like: no blanks, no quotes."""

_plain_parameters = re.compile(PLAIN_PARAMS).fullmatch
_plain_parameter = re.compile(r";([^;=]+)=?([^;]*)").findall
_quoted = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match
_list_item = re.compile(r'(?:[^",<]|"(?:[^"\\]|\\.)*"|<[^>]*>)*', re.DOTALL).match
_escape = re.compile(r"\\(.)", re.DOTALL)
_control = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def parse_params(text: str, what: str) -> Params:
    """
    Parameters from the text that holds nothing else: empty, or from the first ``;`` on.

    Args:
        text: Such as ``;tag=a;x="y z"``.
        what: The header's name, for the error.

    Raises:
        ParseError: The text is not a row of parameters.
    """
    if not text:
        return ()
    if _plain_parameters(text) is not None:
        return split_plain_params(text)
    params: list[tuple[str, str | None]] = []
    at, end = 0, len(text)
    while at < end:
        found = _parameter(text, at)
        if found is None:
            raise ParseError(f"Malformed {what}")
        params.append((found[1], found[2]))
        at = found.end()
    return tuple(params)


def split_plain_params(text: str) -> Params:
    """
    Parameters from text already known to hold only such without blanks and quotes.
    """
    return tuple([(name, value or None) for name, value in _plain_parameter(text)])


def format_params(params: Params) -> str:
    """
    The text of parameters, each with its leading ``;``.
    """
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


def find_param(params: Params, name: str) -> str | None:
    """
    A parameter's value with quotes taken off: ``""`` when it has none, ``None`` when there is no such parameter.

    Args:
        params: Where to look.
        name: In lower case.
    """
    for key, value in params:
        if key == name or key.lower() == name:
            return "" if value is None else value if value[:1] != '"' else unquote(value)
    return None


def replace_param(params: Params, name: str, value: str | None) -> Params:
    """
    The parameters with one set: in its place when it is there, else at the end.
    """
    result = []
    done = False
    wanted = name.lower()
    for pair in params:
        if pair[0] != wanted and pair[0].lower() != wanted:
            result.append(pair)
        elif not done:
            result.append((name, value))
            done = True
    if not done:
        result.append((name, value))
    return tuple(result)


def split_list(text: str, what: str) -> list[str]:
    """
    The elements of a comma-separated header value; commas in quoted strings and in ``<>`` divide nothing.

    Raises:
        ParseError: A quote or bracket is not closed, or an element is empty.
    """
    if "," not in text:
        parts = [text]
    elif '"' not in text and "<" not in text:
        parts = text.split(",")
    else:
        parts = []
        at, end = 0, len(text)
        while True:
            found = _list_item(text, at)
            at = found.end() if found else at
            parts.append(found[0] if found else "")
            if at >= end:
                break
            if text[at] != ",":
                raise ParseError(f"Malformed {what}")
            at += 1
    parts = [part.strip(BLANK) for part in parts]
    if not all(parts):
        raise ParseError(f"Malformed {what}")
    return parts


def take_quoted(text: str) -> tuple[str, str] | None:
    """
    The quoted string that a text starts with, its escapes resolved, and what follows it; ``None`` without one.
    """
    found = _quoted(text)
    if found is None:
        return None
    value = found[1]
    return (_escape.sub(r"\1", value) if "\\" in value else value), text[found.end() :]


def unquote(value: str) -> str:
    """
    A parameter's value as meant: a quoted string loses quotes and escapes, anything else is returned as it is.
    """
    if value[:1] == '"' and (taken := take_quoted(value)) is not None and not taken[1]:
        return taken[0]
    return value


def quote(value: str) -> str:
    """
    A value as a quoted string.

    Raises:
        ValueError: It holds CR or LF, which no quoted string can.
    """
    if "\r" in value or "\n" in value:
        raise ValueError("a quoted string holds no line break")
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def without_controls(text: str) -> str:
    """
    The text without control characters (RFC 4475 3.1.1.2 has NUL and BEL in a name; no record should).
    """
    return text if text.isprintable() else _control.sub("", text)


def number(text: str, what: str, most: int) -> int:
    """
    A decimal number as SIP writes it: digits only.

    Args:
        text: The digits.
        what: The header's name, for the error.
        most: The greatest value allowed.

    Raises:
        ParseError: It is no number, or greater.
    """
    # int() alone would take signs, blanks, underscores and the digits of other scripts, and fail on thousands of them.
    if not (text.isdigit() and text.isascii()) or len(text) > 40 or (value := int(text)) > most:
        raise ParseError(f"Malformed {what}")
    return value
