"""
Bodies that change something: what they leave out stays as it is.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


def changed(new: type[msgspec.Struct], *without: str) -> type[msgspec.Struct]:
    """
    The body that changes what another body adds: the same fields, of which any may be left out.

    Args:
        new: The body that adds one.
        without: Fields that it does not have.
    """
    fields = [
        (field.name, field.type | UnsetType, UNSET)
        for field in msgspec.structs.fields(new)
        if field.name not in without
    ]
    return msgspec.defstruct(
        f"Changed{new.__name__}", fields, frozen=True, module=new.__module__,
        namespace={"__doc__": f"The body that changes a :class:`{new.__name__}`."},
    )


def given(body: msgspec.Struct) -> dict[str, Any]:
    """
    The fields that a body has, as plain values: what JSON has no type for, such as an amount, as text.
    """
    plain: dict[str, Any] = msgspec.to_builtins(body)
    return plain


def named(body: msgspec.Struct) -> dict[str, Any]:
    """
    The fields that a body has, each as the value that it was read as.
    """
    return {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
