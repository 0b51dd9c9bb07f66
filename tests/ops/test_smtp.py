"""
Tests of :mod:`pbx.ops.smtp`, over a real SMTP server.
"""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from pbx.ops import smtp
from pbx.ops.certificate import OwnCertificate
from pbx.ops.mail import MailError, TestLetter
from tests.ops.post import MailTestCase


class SmtpTests(MailTestCase):
    """
    The ways to the server: encrypted, and with a password.
    """

    def certificate(self) -> tuple[ssl.SSLContext, bytes]:
        """
        A server's side of TLS, and the certificate to trust.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        OwnCertificate(folder / "crt", folder / "key", "localhost", ["127.0.0.1"]).ensure(dt.datetime.now(dt.UTC))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "crt", folder / "key")
        return context, (folder / "crt").read_bytes()

    async def once(self, **server: Any) -> str:
        """
        What comes of a test mail.
        """
        sender = await self.sender(**server)
        try:
            await sender.test(TestLetter("t1", "ann@example.com"))
        except MailError as error:
            return str(error)
        return ""

    async def test_starttls_with_password(self) -> None:
        """
        Over STARTTLS the password is told, and only to a server whose certificate is right.
        """
        context, trusted = self.certificate()
        asked: list[LoginPassword] = []

        def who(server: SMTP, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
            asked.append(data)
            return AuthResult(success=data.password == b"secret", handled=False)

        self.serve(tls_context=context, require_starttls=True, auth_required=True, authenticator=who)
        good = {"host": "localhost", "username": "pbx", "use_tls": True, "authority": trusted}
        self.assertEqual(await self.once(**good, password="secret"), "")
        self.assertEqual((asked[0].login, len(self.post.taken)), (b"pbx", 1))
        refused = await self.once(**good, password="geheim")
        self.assertRegex(refused, "535")
        self.assertNotIn("geheim", refused)
        count = len(asked)
        self.assertRegex(await self.once(**good | {"authority": None}, password="secret"), "certificate|TLS")
        self.assertEqual((len(asked), len(self.post.taken)), (count, 1))

    async def test_wrong_password_is_not_the_mails_fault(self) -> None:
        """
        A mail waits while the password is wrong, although the server says 5xx: the operator will put it right.
        """
        context, trusted = self.certificate()
        self.serve(
            tls_context=context, require_starttls=True, auth_required=True,
            authenticator=lambda *_: AuthResult(success=False, handled=False),
        )
        await self.queue()
        await self.sender(host="localhost", username="pbx", password="x", use_tls=True, authority=trusted)
        self.assertRegex(await self.until("queued", 1), "535")

    async def test_no_encryption_offered(self) -> None:
        """
        Where encryption is wanted and not offered nothing is sent.
        """
        self.serve()
        self.assertRegex(await self.once(use_tls=True, host="localhost"), "TLS")
        self.assertEqual(self.post.taken, [])

    async def test_tls_from_the_first_byte(self) -> None:
        """
        On the port for it TLS begins with the first byte.
        """
        context, trusted = self.certificate()
        self.patch(smtp, "TLS_PORT", self.port)
        self.serve(ssl_context=context)
        # The controller looks whether its server answers, which it does over TLS.
        self.assertEqual(await self.once(host="localhost", use_tls=True, authority=trusted), "")
        self.assertEqual(len(self.post.taken), 1)
