"""
Frozen values as JSON documents and back.
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs
import msgspec

from pbx.store.jsonb import document

T = TypeVar("T")


def packed(value: attrs.AttrsInstance) -> str:
    """
    An attrs value as JSON text, without what is as it would be anyway.
    """
    changed = attrs.asdict(value, filter=lambda attribute, part: part != attribute.default)
    return document(changed).decode()


def unpacked(kind: type[T], raw: Any) -> T:
    """
    The value that a document from the database says; keys that the class does not know are left out.

    Raises:
        ValueError: It is none of this class.
    """
    return msgspec.convert(raw, kind)
