"""
The REST API as the commands ask it, and which certificate they accept from it.
"""

from __future__ import annotations

import ipaddress
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.web.client import BrowserLikePolicyForHTTPS, RequestTransmissionFailed, ResponseNeverReceived
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from pbx.ops.place import place

if TYPE_CHECKING:
    import argparse
    from typing import Never

    from treq.client import HTTPClient

TIMEOUT = 30.0
"""Seconds for an answer."""

PATIENCE = 180.0
"""Seconds for an answer to what takes longer: a file that is sent, or a text that is spoken."""


class CliError(Exception):
    """
    What the person at the terminal is told instead of a result.
    """


class UnsuccessfulError(CliError):
    """
    A result that the person is shown as usual, although the command has failed.

    Attributes:
        answer: What the API gave.
    """

    def __init__(self, answer: object, text: str) -> None:
        super().__init__(text)
        self.answer = answer


class OtherVersionError(CliError):
    """
    The exchange that runs answers as one of another version does.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: the exchange that runs is of another version than pbxctl, and is to be restarted.")


class Answer(dict[str, Any]):
    """
    An object of an answer: who takes a member that it does not have gets :class:`OtherVersionError`, and the person at
    the terminal no traceback.
    """

    def __missing__(self, name: str) -> Never:
        raise OtherVersionError(f"Its answer has no {name!r}")


class Api:
    """
    The REST API of one exchange.
    """

    def __init__(self, client: HTTPClient, url: str) -> None:
        """
        An API that is not asked yet.

        Args:
            client: treq's client, which knows what certificate to expect.
            url: Where the exchange is, ``https://host:port``.

        Raises:
            CliError: That is no address.
        """
        if not _is_address(url):
            raise CliError(f"{url!r} is no address of an exchange, such as https://localhost:8080.")
        self._client = client
        self._url = url.rstrip("/")

    async def ask(self, method: str, path: str, body: object = None, *, timeout: float = TIMEOUT) -> Any:
        """
        Send a request and return the JSON of the answer.

        Args:
            method: The HTTP method.
            path: What is asked for, with its query.
            body: What JSON can say, bytes for a file, or ``None``.
            timeout: Seconds for an answer.

        Raises:
            CliError: The exchange cannot be reached, refuses, or is of another version.
        """
        more: dict[str, Any] = {"timeout": timeout}
        if isinstance(body, bytes):
            more |= {"data": body, "headers": {"Content-Type": ["application/octet-stream"]}}
        elif body is not None:
            more |= {"data": json.dumps(body).encode(), "headers": {"Content-Type": ["application/json"]}}
        try:
            response = await self._client.request(method, self._url + path, **more)
            content = await response.content()
        except (ConnectError, DNSLookupError) as error:
            raise CliError(f"{self._url} cannot be reached: {error} Is the exchange running?")
        except CancelledError:
            raise CliError(f"{self._url} did not answer within {timeout:.0f} seconds.")
        except (RequestTransmissionFailed, ResponseNeverReceived) as error:
            reasons = "; ".join(failure.getErrorMessage() for failure in error.reasons)
            raise CliError(
                f"{self._url} gave no answer: {reasons}.\n"
                "If it is the certificate: name it by --cert (<data>/ssl/pbx.crt), or use -k to accept any."
            )
        try:
            answer = json.loads(content, object_hook=Answer) if content else Answer()
        except ValueError:
            raise CliError(f"{self._url} answered what is no JSON (status {response.code}).")
        if response.code >= 400:
            raise CliError(_problem(answer, response.code))
        if not isinstance(answer, dict):
            raise OtherVersionError("Its answer is no object")
        return answer


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only asking for the port shows whether it is one.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _problem(answer: Any, status: int) -> str:
    """
    A problem document (RFC 9457) in words.
    """
    if not isinstance(answer, dict):
        return f"The exchange answered {status}."
    lines = [str(answer.get("detail") or answer.get("title") or f"The exchange answered {status}.")]
    if status == HTTPStatus.METHOD_NOT_ALLOWED or (status == HTTPStatus.NOT_FOUND and " /api/" in lines[0]):
        # It has no such path: what was typed has a / in it, or the exchange knows less than this command.
        lines[0] += " If pbxctl was updated since the exchange was started, restart the exchange."
    lines += [f"  {each.get('field')}: {each.get('detail')}" for each in answer.get("errors", [])]
    return "\n".join(lines)


@implementer(IPolicyForHTTPS)
class AnyCertificate:
    """
    TLS to whoever answers, as ``curl -k`` has it.
    """

    def creatorForNetloc(self, hostname: bytes, port: int) -> CertificateOptions:  # noqa: N802 - Twisted calls it
        """
        The TLS state for a connection.
        """
        return CertificateOptions(verify=False)


def policy(options: argparse.Namespace) -> Any:
    """
    Which certificate is accepted: any, the named one, on this machine the exchange's own, else the authorities'.

    Raises:
        CliError: The file cannot be read.
    """
    if options.insecure:
        return AnyCertificate()
    path = options.cert
    if path is None and _is_local(urlsplit(options.url).hostname or ""):
        own = place().data / "ssl" / "pbx.crt"
        try:
            path = own if own.is_file() else None
        except OSError:
            # The data directory is its owner's; then the system's authorities are asked.
            path = None
    if path is None:
        return BrowserLikePolicyForHTTPS()
    try:
        certificate = Certificate.loadPEM(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CliError(f"{path}: {error}")
    return BrowserLikePolicyForHTTPS(trustRootFromCertificates([certificate]))


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
