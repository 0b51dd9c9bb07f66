"""
The debug shell: a Python prompt in the running exchange, over SSH, on loopback, for whoever has an authorized key.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from twisted.application.service import Service
from twisted.conch.checkers import IAuthorizedKeysDB, SSHPublicKeyChecker, readAuthorizedKeyFile
from twisted.conch.ssh.keys import Key
from twisted.logger import Logger
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IListeningPort, IReactorTCP

LOOPBACK = "127.0.0.1"

_KINDS: dict[str, Callable[[], Any]] = {
    # Only with an RSA host key are RSA keys of users taken.
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def host_keys(folder: Path) -> dict[bytes, Key]:
    """
    The keys by which the shell is known again, made where they are missing.

    Args:
        folder: Where they lie, one file a kind, readable by their owner only.

    Returns:
        Private keys by their SSH type (RFC 4253 6.6).

    Raises:
        OSError: They cannot be read or written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = {}
    for kind, make in _KINDS.items():
        path = folder / f"host_{kind}"
        if not path.exists():
            half = path.with_suffix(".new")
            half.unlink(missing_ok=True)
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - with its mode
                file.write(Key(make()).toString("openssh"))
            half.rename(path)
        key = Key.fromString(path.read_bytes())
        keys[key.sshType()] = key
    return keys


@implementer(IAuthorizedKeysDB)
class AuthorizedKeys:
    """
    The ``authorized_keys`` file, read anew at each login, so that a key that is taken out no longer opens.
    """

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path

    def getAuthorizedKeys(self, avatarId: bytes) -> Iterable[Key]:  # noqa: N802, N803 - conch calls it so
        """
        The keys in the file, whatever the user calls himself.
        """
        try:
            with self._path.open("rb") as file:
                return list(readAuthorizedKeyFile(file))
        except OSError as error:
            self.log.error("The keys for the debug shell cannot be read: {error}", error=str(error))
            return []


class Manhole(Service):
    """
    The listening shell.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTCP,
        port: int,
        authorized_keys: Path,
        keys: Mapping[bytes, Key],
        namespace: Mapping[str, object],
    ) -> None:
        """
        A shell that does not listen yet.

        Args:
            reactor: What listens.
            port: On 127.0.0.1.
            authorized_keys: A file as sshd has it.
            keys: From :func:`host_keys`.
            namespace: The names that are there at the prompt.
        """
        self._reactor = reactor
        self._port = port
        # Conch's terminals import the reactor: not before there is one.
        from pbx.ops.shell import shell_factory

        self._authorized_keys = authorized_keys
        self._authorized = AuthorizedKeys(authorized_keys)
        self._factory = shell_factory(SSHPublicKeyChecker(self._authorized), keys, namespace)
        self._listening: IListeningPort | None = None

    @property
    def port(self) -> int:
        """
        The port it listens on, once it does.
        """
        if self._listening is None:
            return self._port
        address: Any = self._listening.getHost()
        port: int = address.port
        return port

    def startService(self) -> None:
        """
        Listen.
        """
        Service.startService(self)
        self._listening = self._reactor.listenTCP(self._port, self._factory, interface=LOOPBACK)
        self.log.info("The debug shell listens on {host}:{port}", host=LOOPBACK, port=self.port)
        if not self._authorized.getAuthorizedKeys(b""):
            path = str(self._authorized_keys)
            self.log.warn("The debug shell opens for nobody: there is no key in {path}", path=path)

    def stopService(self) -> Deferred[None] | None:
        """
        Listen no more.
        """
        Service.stopService(self)
        listening, self._listening = self._listening, None
        return listening.stopListening() if listening else None
