"""
As whom the bundled PostgreSQL runs: it refuses to be root, and its files must belong to whom it runs as.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
"""A user namespace in which root's own files belong to nobody: not root for PostgreSQL, root's for the machine."""

SERVICE_USERS = ("pbx", "postgres", "nobody")
"""Whom root lets the server run as where user namespaces are forbidden (many containers): the first that exists."""


class WrongOwnerError(Exception):
    """
    The database directory belongs to another user than the one this program runs as.
    """


@frozen
class Account:
    """
    Who runs the server.

    Attributes:
        prefix: What stands before the command.
        uid: Whom the files belong to.
        gid: Their group.
    """

    prefix: tuple[str, ...]
    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """
        Give a directory of ours and all that is in it to this account, where it is not already.
        """
        if path.stat().st_uid == self.uid:
            return
        os.chown(path, self.uid, self.gid)
        for folder, folders, files in os.walk(path):
            for name in [*folders, *files]:
                os.chown(f"{folder}/{name}", self.uid, self.gid, follow_symlinks=False)


def account_for(directory: Path) -> Account:
    """
    Who is to run a server on a directory, which need not exist yet. Starts a process: run it in a thread.

    Raises:
        WrongOwnerError: The directory belongs to somebody whom this program can't run the server as.
    """
    uid = os.geteuid()
    status = directory.stat() if directory.exists() else None
    if uid != 0:
        if status is not None and status.st_uid != uid:
            raise WrongOwnerError(
                f"{directory} belongs to user {_name(status.st_uid)}, and this program runs as {_name(uid)}. "
                f"Run it as {_name(status.st_uid)}, or choose another data directory."
            )
        return Account((), uid, os.getegid())
    if status is not None and status.st_uid != 0:
        return _other(status.st_uid, status.st_gid)
    if _has_namespaces():
        return Account(NAMESPACE, 0, 0)
    for name in SERVICE_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _other(entry.pw_uid, entry.pw_gid)
    return _other(65534, 65534)


def _other(uid: int, gid: int) -> Account:
    return Account(("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"), uid, gid)


def _has_namespaces() -> bool:
    if shutil.which(NAMESPACE[0]) is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0  # noqa: S603 - constant


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
