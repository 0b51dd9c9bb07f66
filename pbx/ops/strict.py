"""
Plain values from a file turned into a frozen struct, with every mistake listed at once.

msgspec checks each value; it stops at the first error, so the structure is walked here, field by field.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import types
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

S = TypeVar("S", bound=msgspec.Struct)

fields_of = functools.cache(msgspec.structs.fields)  # One entry a struct; msgspec reckons each answer anew.


@attrs.frozen
class Mistake:
    """
    One thing that is wrong with a configuration.

    Attributes:
        path: The key, such as ``server.sip_port`` or ``sip_trunks[0].host``.
        text: What was found and what is allowed.
    """

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class BrokenError(Exception):
    """
    Something was asked of a value that could not be read.
    """


class _Broken:
    """
    What stands for a value that could not be read, so that all that does not depend on it can be judged: whoever asks
    anything of it but whether it is ``None`` gets :class:`BrokenError`.
    """

    def _asked(self, *others: object) -> Never:
        raise BrokenError

    __bool__ = __hash__ = __iter__ = __len__ = __eq__ = __ne__ = __contains__ = __getitem__ = __getattr__ = _asked
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = __str__ = __format__ = _asked


BROKEN: Any = _Broken()
"""The only one."""


def convert(
    struct: type[S], raw: object, path: str, mistakes: list[Mistake], reveal: Callable[[str], str] = str
) -> S | None:
    """
    Build a struct from plain values.

    A field's :class:`msgspec.Meta` may carry a ``description`` of what is allowed, and in ``extra`` a ``check``: a
    function that raises ``ValueError`` for a value of the right type that still cannot be. A field with ``secret`` in
    ``extra`` is never shown in a mistake.

    Args:
        struct: What to build; its fields may be structs, lists of structs, or values.
        raw: What was read from the file. ``None`` stands for an empty section.
        path: Where it stood, for the mistakes; empty at the top.
        mistakes: Grows by what is wrong.
        reveal: Turns what stands in the file for a secret into the secret; raises ``ValueError``.

    Returns:
        The struct, or ``None`` when something in it was wrong.
    """
    before = len(mistakes)
    built = attempt(struct, raw, path, mistakes, reveal)
    return built if len(mistakes) == before else None


def attempt(
    struct: type[S], raw: object, path: str, mistakes: list[Mistake], reveal: Callable[[str], str] = str
) -> S:
    """
    Build a struct as far as it goes, as :func:`convert` does.

    Returns:
        The struct, in which :data:`BROKEN` stands for whatever was wrong; that itself where there is no section.
    """
    given = {} if raw is None else raw
    if not isinstance(given, Mapping):
        mistakes.append(Mistake(path or "the file", f"found {_shown(raw)}; allowed is a section with keys"))
        return BROKEN  # type: ignore[no-any-return]  # It is of any type.
    fields = {field.encode_name: field for field in fields_of(struct)}
    known = list(fields)
    mistakes.extend(Mistake(_join(path, key), _unknown(key, known)) for key in given if key not in fields)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in given:
            values[field.name] = _value(field.type, given[name], _join(path, name), mistakes, reveal)
        elif field.required:
            mistakes.append(Mistake(_join(path, name), f"missing; needed is {_allowed(field.type)}"))
            values[field.name] = BROKEN
        elif _section(field.type):
            # An absent section has its defaults, the same as an empty one.
            values[field.name] = _value(field.type, {}, _join(path, name), mistakes, reveal)
    return struct(**values)


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _unknown(key: object, known: list[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known))}"
    return f"unknown key; {hint}"


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        text = "a section"
    elif isinstance(value, list):
        # What sections in it hold may be secret.
        plain = value and not any(isinstance(each, Mapping | list) for each in value)
        text = f"[{', '.join(map(_shown, value))}]" if plain else "a list"
    elif value is None:
        text = "null"
    elif isinstance(value, dt.date):
        text = value.isoformat()
    else:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _lacks_quotes(kind: Any, raw: object) -> bool:
    """
    Whether what is not text would have to be: YAML takes 112, 2026-12-24 and NO for something else.
    """
    if isinstance(raw, list):
        item = next((item for item in map(_item, _alternatives(kind)) if item is not None), None)
        return item is not None and any(_lacks_quotes(item, each) for each in raw)
    if not isinstance(raw, bool | int | float | dt.date):
        return False
    return all(map(_is_text, _alternatives(kind)))


def _alternatives(kind: Any) -> list[Any]:
    """
    What a type may be besides null, without what is said of it.
    """
    if typing.get_origin(kind) is typing.Annotated:
        return _alternatives(typing.get_args(kind)[0])
    if _is_union(kind):
        return [part for each in typing.get_args(kind) for part in _alternatives(each)]
    return [] if kind in (types.NoneType, msgspec.UnsetType) else [kind]


def _item(kind: Any) -> Any:
    arguments = typing.get_args(kind)
    return arguments[0] if typing.get_origin(kind) is tuple and arguments else None


def _is_text(kind: Any) -> bool:
    if typing.get_origin(kind) is typing.Literal:
        return all(isinstance(each, str) for each in typing.get_args(kind))
    return kind is str


def _section(kind: Any) -> type[msgspec.Struct] | None:
    """
    The struct that a field's type is, also where it may be absent (``X | None`` counts only when something is given).
    """
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def _optional_section(kind: Any) -> type[msgspec.Struct] | None:
    if _is_union(kind):
        for part in typing.get_args(kind):
            if _section(part):
                return _section(part)
    return None


def _item_section(kind: Any) -> type[msgspec.Struct] | None:
    """
    The struct that the items of a ``tuple[X, ...]`` are, also where the tuple may be absent.
    """
    if _is_union(kind):
        return next(filter(None, map(_item_section, typing.get_args(kind))), None)
    arguments = typing.get_args(kind)
    return _section(arguments[0]) if typing.get_origin(kind) is tuple and arguments else None


def _value(kind: Any, raw: object, path: str, mistakes: list[Mistake], reveal: Callable[[str], str]) -> Any:
    section = _section(kind)
    if section is None and raw is not None:
        section = _optional_section(kind)
    if section is not None:
        return attempt(section, raw, path, mistakes, reveal)
    item = _item_section(kind)
    if item is not None and isinstance(raw, list):
        return tuple(attempt(item, each, f"{path}[{index}]", mistakes, reveal) for index, each in enumerate(raw))
    secret = is_secret(kind)
    found = "a secret that is not shown" if secret else _shown(raw)
    try:
        value = msgspec.convert(reveal(raw) if secret and isinstance(raw, str) else raw, kind)
        check = _extra(kind, "check")
        if check is not None:
            check(value)
    except msgspec.ValidationError:
        hint = "; it needs quotes" if _lacks_quotes(kind, raw) else ""
        mistakes.append(Mistake(path, f"found {found}{hint}; allowed is {_allowed(kind)}"))
    except ValueError as error:
        mistakes.append(Mistake(path, f"found {found}; {error}; allowed is {_allowed(kind)}"))
    else:
        return value
    return BROKEN


def _metas(kind: Any) -> list[msgspec.Meta]:
    """
    What a field's type says of itself besides the type; of ``X | None``, what ``X`` says.
    """
    if typing.get_origin(kind) is typing.Annotated:
        return [each for each in typing.get_args(kind)[1:] if isinstance(each, msgspec.Meta)]
    if _is_union(kind):
        return [meta for part in typing.get_args(kind) for meta in _metas(part)]
    return []


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (types.UnionType, typing.Union)


def _extra(kind: Any, key: str) -> Any:
    for meta in _metas(kind):
        if meta.extra and key in meta.extra:
            return meta.extra[key]
    return None


def is_secret(kind: Any) -> bool:
    """
    Whether a field of this type is never shown.
    """
    return bool(_extra(kind, "secret"))


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def _allowed(kind: Any) -> str:
    """
    What a field takes, in words.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if _is_union(kind):
        words = [_allowed(each) for each in arguments if each is not msgspec.UnsetType]
        # Some descriptions say it themselves.
        is_said = any(each.endswith(" or null") for each in words)
        return " or ".join(each for each in words if not (is_said and each == "null"))
    for meta in _metas(kind):
        if meta.description:
            return meta.description
    if origin is typing.Annotated:
        return _allowed(arguments[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(str(each) for each in arguments)
    if origin is tuple:
        return f"a list, each item {_allowed(arguments[0])}"
    if _section(kind):
        return "a section with keys"
    return _WORDS.get(kind, str(kind))
