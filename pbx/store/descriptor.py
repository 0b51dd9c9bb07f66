"""
A file descriptor of our own for a socket that libpq opens and closes as it likes.

The reactor must forget a descriptor before it is closed: one that was closed under it stays on its lists, and the next
socket that gets the same number is never heard. libpq closes its socket the moment a server dies, or refuses on one of
several addresses, and tells nobody.
"""

from __future__ import annotations

import os


class OwnDescriptor:
    """
    A duplicate of another's descriptor, which lives until :meth:`close`, or until the other has another socket.
    """

    def __init__(self) -> None:
        self._own = -1
        self._socket: tuple[int, int] | None = None

    def of(self, theirs: int) -> int:
        """
        Ours for theirs.

        Args:
            theirs: The other's descriptor, -1 when it has none any more.

        Returns:
            The duplicate, also while the other has none any more; -1 before there was any, and after :meth:`close`.
        """
        if theirs < 0:
            return self._own
        try:
            found = os.fstat(theirs)
            if (found.st_dev, found.st_ino) != self._socket:
                # The same number may be another socket by now.
                self.close()
                self._own = os.dup(theirs)
                self._socket = found.st_dev, found.st_ino
        except OSError:
            return self._own
        return self._own

    def close(self) -> None:
        """
        Close the duplicate; the reactor must not watch it any more.
        """
        own, self._own, self._socket = self._own, -1, None
        if own >= 0:
            os.close(own)
