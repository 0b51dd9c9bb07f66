"""
What a resource of the API is made of: routes, what each takes, and what it answers.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from pbx.ops.strict import Mistake, convert
from pbx.web.problems import Problem, wrong_fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


LARGEST_BODY = 65_536
"""Bytes of a request's body: an extension has some hundred, and all of a body is kept in memory."""


@attrs.frozen
class Upload:
    """
    A body that is a file.

    Attributes:
        content: The file.
        content_type: What it was said to be, in lower case and without parameters; may be empty or wrong.
    """

    content: bytes
    content_type: str = ""


@attrs.frozen
class Ask:
    """
    A request as a route sees it: checked and typed.

    Attributes:
        actor: Who asks; empty on an open route.
        path: The variable parts of the path, by name.
        body: The body, of the type that the route names, or an :class:`Upload`.
        query: The query, of the type that the route names.
    """

    actor: str = ""
    path: Mapping[str, str] = attrs.field(factory=dict)
    body: Any = None
    query: Any = None


@attrs.frozen
class Reply:
    """
    An answer that is more than a body.

    Attributes:
        body: What JSON can say, or bytes that are sent as they are.
        status: The HTTP status.
        headers: Further headers.
    """

    body: Any = None
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Route:
    """
    One method of one path.

    Attributes:
        method: The HTTP method.
        path: The path, with variables as ``<name>``.
        answer: Takes an :class:`Ask`; gives a :class:`Reply` or the body of one, or raises a
            :class:`~pbx.web.problems.Problem`.
        body: The struct that the JSON body must be, or ``None`` when there is none.
        query: The struct that the query must be, or ``None`` when there is none.
        form: Whether the body is a form of a page, given to ``answer`` as a dict of text.
        upload: The most bytes of a file that it takes as its body, given to ``answer`` as an :class:`Upload`; 0 for a
            route that takes none. A body that is JSON is still what ``body`` says.
        is_open: Whether anyone may ask.
    """

    method: str
    path: str
    answer: Callable[[Ask], Awaitable[object]]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    form: bool = False
    upload: int = 0
    is_open: bool = False

    @property
    def writes(self) -> bool:
        """
        Whether it changes something, so that it must run to its end even if nobody waits for the answer.
        """
        return self.method not in {"GET", "HEAD"}


def is_json(content_type: str) -> bool:
    """
    Whether a ``Content-Type`` header says JSON.
    """
    return _plain_type(content_type) == "application/json"


def upload_body(content_type: str, content: bytes) -> Upload:
    """
    The body of a request that is a file.

    Raises:
        Problem: 415 for a form with files in it, 400 for no file.
    """
    if _plain_type(content_type).startswith("multipart/"):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body must be the file itself, not a form that holds it: curl -T FILE, or --data-binary @FILE.",
        )
    if not content:
        raise Problem(HTTPStatus.BAD_REQUEST, "The body is empty; it must be a file.")
    return Upload(content, _plain_type(content_type))


def _plain_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def json_body(struct: type[msgspec.Struct], content_type: str, content: bytes) -> msgspec.Struct:
    """
    The body of a request, checked.

    Raises:
        Problem: 415 for what is no JSON by its type, 400 for what is none by its text, 422 naming each wrong field.
    """
    if not is_json(content_type):
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON: Content-Type: application/json.")
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.")
    if not isinstance(raw, dict):
        raise Problem(HTTPStatus.BAD_REQUEST, "The body must be a JSON object.")
    return _checked(struct, raw)


def query_values(struct: type[msgspec.Struct], arguments: Mapping[bytes, list[bytes]]) -> msgspec.Struct:
    """
    The query of a request, checked. Whole numbers are read from their digits; what may be given several times becomes a
    list.

    Raises:
        Problem: 400 for what is no text, 422 naming each wrong field.
    """
    fields = msgspec.structs.fields(struct)
    numbers = {field.encode_name for field in fields if isinstance(field.default, int)}
    lists = {field.encode_name for field in fields if isinstance(field.default, tuple)}
    raw: dict[str, object] = {}
    try:
        for key, values in arguments.items():
            name, text = key.decode("utf-8"), values[-1].decode("utf-8")
            if name in lists:
                raw[name] = [value.decode("utf-8") for value in values]
                continue
            raw[name] = int(text) if name in numbers and text.isascii() and text.isdigit() else text
    except UnicodeDecodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, "The query is not UTF-8.")
    return _checked(struct, raw)


def _checked(struct: type[msgspec.Struct], raw: dict[str, object]) -> msgspec.Struct:
    mistakes: list[Mistake] = []
    value = convert(struct, raw, "", mistakes)
    if value is None:
        raise wrong_fields([(mistake.path, mistake.text) for mistake in mistakes])
    return value
