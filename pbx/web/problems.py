"""
Errors as the API tells them: problem documents (RFC 9457) that name the field.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the RFC's word
    """
    Why a request is not answered as it was meant.

    Attributes:
        status: The HTTP status.
        detail: What is wrong and what can be done, for people.
        fields: What is wrong with which field, as (path, text).
        headers: Further headers of the answer.
        members: Further members of the document (RFC 9457 3.2).
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        fields: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.fields = fields
        self.headers = dict(headers or {})
        self.members = members

    def document(self) -> dict[str, Any]:
        """
        The body of the answer. ``field`` is the first of ``errors``, for who reads only one.
        """
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.fields:
            document["field"] = self.fields[0][0]
            document["errors"] = [{"field": field, "detail": text} for field, text in self.fields]
        return {**document, **self.members}


def unauthorized() -> Problem:
    """
    The answer to whoever has not shown who they are (RFC 9110 15.5.2).
    """
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "This needs an administrator. On the machine itself, run the command as root, as the exchange's own user, or "
        "as a member of the group pbx-admin, and ask https://localhost.",
        headers={"WWW-Authenticate": 'Bearer realm="pbx"'},
    )


def too_large(most: int) -> Problem:
    """
    The answer to a body that has more bytes than are taken.
    """
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body of this request may have {most:,} bytes at most.", most=most
    )


def wrong_fields(fields: Sequence[tuple[str, str]]) -> Problem:
    """
    The answer to a request whose fields cannot be, each named.
    """
    count = "One field is" if len(fields) == 1 else f"{len(fields)} fields are"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{count} not acceptable.", fields=fields)
