"""
The connection string: what an operator wrote in ``database.url``, as the parameters a connection is made with.
"""

from __future__ import annotations

import socket

import psycopg2
from psycopg2.extensions import parse_dsn

DEFAULTS = {
    "application_name": "pbx",
    # A server that vanished without a word (its machine lost power) is noticed by the kernel.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""libpq's parameters where the connection string does not say otherwise."""


def parameters_of(dsn: str, *, statement_seconds: int, lock_seconds: int) -> dict[str, str]:
    """
    The libpq parameters of a connection string or URI, with our defaults and limits added.

    Raises:
        ValueError: It is not a connection string. The message does not quote it: it may hold a password.
    """
    try:
        settings = parse_dsn(dsn)
    except psycopg2.Error:
        raise ValueError("not a PostgreSQL connection string (postgresql://user@host/database)") from None
    limits = f"-c statement_timeout={statement_seconds}s -c lock_timeout={lock_seconds}s -c TimeZone=UTC"
    return {
        **DEFAULTS,
        **settings,
        "options": f"{settings.get('options', '')} {limits}".strip(),
        "client_encoding": "UTF8",
    }


def names_to_look_up(parameters: dict[str, str]) -> bool:
    """
    Whether libpq would have to look a host name up.
    """
    return (
        "hostaddr" not in parameters
        and "service" not in parameters
        and not parameters.get("host", "/").startswith(("/", "@"))
    )


def looked_up(parameters: dict[str, str]) -> dict[str, str]:
    """
    The same parameters with every address of every host in ``hostaddr``; waits for the resolver, so run it in a thread.

    Raises:
        psycopg2.OperationalError: A name has no address.
    """
    found: list[tuple[str, str, str]] = []
    names = parameters["host"].split(",")
    ports = parameters.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(names)
    for name, port in zip(names, ports, strict=False):
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError as error:
            raise psycopg2.OperationalError(f"{name}: {error.strerror}") from error
        found.extend((name, str(answer[4][0]), port) for answer in answers)
    return {
        **parameters,
        "host": ",".join(name for name, _, _ in found),
        "hostaddr": ",".join(address for _, address, _ in found),
        "port": ",".join(port for _, _, port in found),
    }
