"""
Where mail goes, and why it may not.
"""

from __future__ import annotations

from attrs import field, frozen


class NotSentError(Exception):
    """
    A mail could not be sent; the text says why.

    Attributes:
        permanent: It never will be: the server says that it is the mail's or the address's fault.
    """

    def __init__(self, reason: str, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


@frozen
class SmtpServer:
    """
    Where mail goes.

    Attributes:
        host: Its name; the certificate must be for it.
        port: 465 for TLS from the first byte.
        username: As whom; empty when it does not ask.
        password: That user's.
        use_tls: Nothing goes unencrypted.
        authority: The certificate, PEM, that the server's must be signed by, instead of those that the machine trusts.
    """

    host: str
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    use_tls: bool = True
    authority: bytes | None = None
