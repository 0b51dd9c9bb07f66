"""
The SSH sessions of the debug shell, with conch.

Importing this installs a reactor, since conch's terminals do; :mod:`pbx.ops.manhole` does it when there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.interfaces import IConchUser
from twisted.conch.manhole import ColoredManhole
from twisted.conch.manhole_ssh import ConchFactory, TerminalRealm, TerminalSession
from twisted.conch.ssh.transport import DISCONNECT_BY_APPLICATION, SSHServerTransport
from twisted.cred.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.conch.checkers import SSHPublicKeyChecker
    from twisted.conch.ssh.keys import Key


class Session(TerminalSession):
    """
    Conch's terminal session with what it leaves out: a window that is resized, and a client without a terminal.
    """

    width, height = 80, 24
    _terminal: Any = None
    _shell: Any = None

    def openShell(self, proto: Any) -> None:  # noqa: N802 - conch calls it
        """
        Begin.
        """
        self._terminal = proto
        # conch's adapters are not annotated.
        make, connect = cast("Any", self.chainedProtocolFactory), cast("Any", self.transportFactory)
        self._shell = make()
        connect(proto, self._shell, IConchUser(self.original), self.width, self.height)

    def windowChanged(self, newWindowSize: tuple[int, int, int, int]) -> None:  # noqa: N802, N803 - conch calls it
        """
        The window has another number of rows and columns.
        """
        self.height, self.width = newWindowSize[:2]
        if self._terminal is not None:
            self._shell.terminalProtocol.terminalSize(self.width, self.height)

    def eofReceived(self) -> None:
        """
        Nothing more will be typed.
        """
        if self._terminal is not None:
            self._terminal.loseConnection()


class _Connection(SSHServerTransport):
    """
    Conch's connection without an error in the log for each person who logs out.
    """

    def receiveError(self, reasonCode: int, description: bytes) -> None:  # noqa: N802, N803 - conch calls it
        """
        The client says why it disconnects.
        """
        if reasonCode != DISCONNECT_BY_APPLICATION:
            SSHServerTransport.receiveError(self, reasonCode, description)


def shell_factory(checker: SSHPublicKeyChecker, keys: Mapping[bytes, Key], namespace: Mapping[str, object]) -> Any:
    """
    The factory of SSH connections whose every session is a Python prompt.

    Args:
        checker: Who may come in.
        keys: Our private host keys, by SSH type.
        namespace: The names that are there at the prompt.
    """
    # Conch's annotations are of the time when keys were bytes, and its realm does not say that it is one.
    realm: Any = TerminalRealm()
    realm.sessionFactory = Session
    realm.chainedProtocolFactory = lambda: ServerProtocol(ColoredManhole, dict(namespace))
    factory = cast("Any", ConchFactory(Portal(realm, [checker])))
    factory.noisy = False
    factory.protocol = _Connection
    factory.privateKeys = dict(keys)
    factory.publicKeys = {kind: key.public() for kind, key in keys.items()}
    return factory
