"""
What was dialled: the number or name in a Request-URI as a person would write it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from pbx.sip.uri import URI

_looks_dialled = re.compile(r"[0-9+*#().\- ]+").fullmatch
_SEPARATORS = str.maketrans("", "", "-.() ")
"""RFC 3966 5.1.1: visual separators; the blank comes from phone books (``%20``)."""


def dialled_number(uri: URI) -> str:
    """
    The number or name that a URI's user part stands for; empty without one.

    Escapes are resolved (``*72%23`` is ``*72#``), parameters of a telephone number are taken off
    (``1006;phone-context=+49`` is ``1006``), and so are visual separators, when the user part is a telephone number:
    with ``user=phone``, in a tel URI, or when there is nothing else in it. A user part that hides control characters
    stays as written and so names nobody.
    """
    user = uri.user
    if not user:
        return ""
    # RFC 3966 5.1.5: a phone-context says where a number is known; it is no prefix to it (+1 and 911 are not +1911).
    user = user.partition(";")[0]
    if user.isdigit():
        return user
    if "%" in user:
        plain = unquote(user)
        if not plain.isprintable():
            return user
        user = plain
    if uri.scheme == "tel" or _looks_dialled(user) is not None or uri.param("user") == "phone":
        return user.translate(_SEPARATORS) or user
    return user
