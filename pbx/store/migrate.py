"""
Migrations: the numbered ``.sql`` files beside this one, applied once each, in order, by one program at a time.

Everything here waits for the server: run it in a thread.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from pathlib import Path
from typing import Any

import psycopg2
from twisted.logger import Logger
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, default_migration_table

FOLDER = Path(__file__).parent / "migrations"

LOCK = 0x706278
"""The advisory lock held while migrating ("pbx")."""
LOCK_SECONDS = 60
"""How long to wait for another program that is migrating the same database."""
CONNECT_SECONDS = 5
"""How long the connection may take."""

log = Logger()


class DatabaseTooNew(Exception):  # noqa: N818 - says what is the matter
    """
    The database has migrations that this program lacks: a newer version has used it.
    """


class MigrationError(Exception):
    """
    A migration could not be applied; the message says which, and why.
    """


class _Backend(PostgresqlBackend):
    """
    yoyo's PostgreSQL backend, with a migration and the mark that it was applied in one transaction.
    """

    create_lock_table_sql = PostgresqlBackend.create_lock_table_sql.replace("TABLE", "TABLE IF NOT EXISTS")

    def connect(self, dburi: DatabaseURI) -> Any:
        connection = psycopg2.connect(dburi.database, connect_timeout=CONNECT_SECONDS, application_name="pbx")
        connection.autocommit = True
        return connection

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:
        log.info("Applying migration {id}", id=migration.id)
        self.ensure_internal_schema_updated()
        with self.transaction():
            migration.process_steps(self, "apply", force=force)
            self.log_migration(migration, "apply")
            self.mark_one(migration, log=False)

    def get_log_data(self, migration: Migration | None = None, operation: str = "apply") -> dict[str, Any]:
        # yoyo asks for the user's name, which need not exist, and for the host's full name, which waits for DNS.
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": f"uid {os.geteuid()}",
            "hostname": os.uname().nodename,
            "created_at_utc": dt.datetime.now(dt.UTC).replace(tzinfo=None),
            "operation": operation,
        }


def migrate(dsn: str, folder: Path = FOLDER) -> list[str]:
    """
    Bring the tables of a database up to date.

    Args:
        dsn: The connection string.
        folder: Where the migrations lie.

    Returns:
        The names of the migrations that were applied now.

    Raises:
        DatabaseTooNew: The database has migrations that are not in the folder; nothing was changed.
        MigrationError: One could not be applied; those before it were, nothing of it was.
        psycopg2.OperationalError: The server is not reachable.
    """
    backend = _Backend(DatabaseURI("postgresql", None, None, None, None, dsn, {}), default_migration_table)
    try:
        _lock(backend)
        migrations = read_migrations(str(folder))
        known = {migration.id for migration in migrations}
        unknown = sorted(_applied(backend) - known)
        if unknown:
            raise DatabaseTooNew(
                f"The database was used by a newer version of this program: it has {', '.join(unknown)}, "
                f"which this version lacks; the newest it knows is {max(known, default='none')}. "
                "Install that version, or restore a backup made by this one."
            )
        backend.create_lock_table()
        # Held under our lock alone: what is in yoyo's was left by a program that was killed.
        backend.break_lock()
        pending = backend.to_apply(migrations)
        for migration in pending:
            try:
                backend.apply_one(migration)
            except psycopg2.Error as error:
                raise MigrationError(f"Migration {migration.id} failed: {str(error).strip()}") from error
        return [migration.id for migration in pending]
    finally:
        backend.connection.close()


def _lock(backend: _Backend) -> None:
    backend.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    try:
        # Of the session: the server gives it back when this program ends, however it ends.
        backend.execute(f"SELECT pg_advisory_lock({LOCK})")
    except psycopg2.errors.LockNotAvailable:
        raise MigrationError(f"Another program has been migrating the database for {LOCK_SECONDS} s") from None


def _applied(backend: _Backend) -> set[str]:
    if backend.execute("SELECT to_regclass('_yoyo_migration')").fetchone()[0] is None:
        return set()
    return {row[0] for row in backend.execute("SELECT migration_id FROM _yoyo_migration").fetchall()}
