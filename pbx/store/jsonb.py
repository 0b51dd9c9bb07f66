"""
JSON that PostgreSQL takes: a value from a stranger's message must not make a whole batch unacceptable.
"""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def document(value: Any) -> bytes:
    """
    A value as JSON text for a ``jsonb`` parameter.

    PostgreSQL has no NUL in its texts, and UTF-8 has no lone surrogates: both become U+FFFD.
    """
    try:
        text = _encode(value)
    except UnicodeEncodeError:
        text = _encode(_mended(value))
    if b"\\u0000" in text:
        text = text.replace(b"\\u0000", b"\\ufffd")
    return text


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value
