"""
A request of ours outside any dialog, whose answer is awaited: REGISTER and OPTIONS (RFC 3261 8.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer

from pbx.transaction.user import IClientUser

if TYPE_CHECKING:
    from pbx.dialog.useragent import UserAgentCore
    from pbx.sip.message import Request, Response
    from pbx.transaction.client_transaction import ClientTransaction
    from pbx.transport.flow import Flow


class NoAnswer(Exception):  # noqa: N818  # it says what happened
    """
    No answer has come, and why.

    Attributes:
        silent: Whether nothing was heard; not when the connection refused to carry the request, or broke.
    """

    def __init__(self, reason: str, *, silent: bool) -> None:
        super().__init__(reason)
        self.silent = silent


async def ask(
    core: UserAgentCore, request: Request, flow: Flow, timeout: float, *, first_word: bool = False
) -> Response:
    """
    Send a request and await its final response.

    Args:
        core: The user agent core.
        request: Without Via, which is put on top of it.
        flow: Where it goes.
        timeout: Seconds without any response after which none is expected any more.
        first_word: Whether a provisional response will do.

    Raises:
        NoAnswer: None has come.
    """
    done: Deferred[Response] = Deferred()
    core.request(request, flow, Inquiry(done, first_word=first_word), timeout)
    return await done


@implementer(IClientUser)
class Inquiry:
    """
    The wait for an answer; who waits no longer cancels the Deferred.

    Args:
        done: Is given the response, or :class:`NoAnswer`.
        first_word: Whether a provisional response will do.
    """

    __slots__ = ("_done", "_first_word")

    def __init__(self, done: Deferred[Response], *, first_word: bool) -> None:
        self._done = done
        self._first_word = first_word

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        """
        It has come, or something on the way to it.
        """
        if (response.status >= 200 or self._first_word) and not self._done.called:
            self._done.callback(response)

    def timed_out(self, transaction: ClientTransaction) -> None:
        """
        Nothing has come.
        """
        if not self._done.called:
            self._done.errback(NoAnswer("no answer", silent=True))

    def failed(self, transaction: ClientTransaction, reason: str) -> None:
        """
        It could not be sent, or its connection has ended.
        """
        if not self._done.called:
            self._done.errback(NoAnswer(reason, silent=False))
