"""
Tests of :mod:`pbx.store.dsn`.
"""

from __future__ import annotations

import socket

import psycopg2
from twisted.trial.unittest import SynchronousTestCase

from pbx.store import dsn
from pbx.store.dsn import looked_up, names_to_look_up, parameters_of


def parameters(text: str) -> dict[str, str]:
    """
    The parameters of a connection string, with the limits of these tests.
    """
    return parameters_of(text, statement_seconds=5, lock_seconds=3)


class ParametersTests(SynchronousTestCase):
    """
    What an operator wrote, as parameters.
    """

    def test_both_forms(self) -> None:
        """
        A URI and a list of words mean the same.
        """
        uri = parameters("postgresql://pbx_user:s%40@db.example.com:5433/pbx_system?sslmode=require")
        words = parameters("host=db.example.com port=5433 dbname=pbx_system user=pbx_user password=s@ sslmode=require")
        self.assertEqual(uri, words)
        self.assertEqual(uri["password"], "s@")

    def test_limits_are_added_to_options(self) -> None:
        """
        The operator's own server options are kept; the timeouts are added to them.
        """
        made = parameters("dbname=x options='-c search_path=pbx' keepalives_idle=60")
        self.assertEqual(
            made["options"], "-c search_path=pbx -c statement_timeout=5s -c lock_timeout=3s -c TimeZone=UTC"
        )
        self.assertEqual(made["keepalives_idle"], "60")
        self.assertEqual(made["application_name"], "pbx")

    def test_nonsense_is_refused_without_quoting_it(self) -> None:
        """
        What is no connection string is refused, and the message holds nothing of it.
        """
        for text in ("host=h password=secret port", "secret", "postgresql://%zz"):
            error = self.assertRaises(ValueError, parameters, text)
            self.assertNotIn("secret", str(error))


class LookUpTests(SynchronousTestCase):
    """
    Host names, looked up before libpq would.
    """

    def test_only_names(self) -> None:
        """
        Sockets, given addresses and services need no look-up.
        """
        self.assertTrue(names_to_look_up(parameters("host=localhost")))
        for text in ("dbname=x", "host=/run/postgresql", "host=@abstract", "host=db hostaddr=192.0.2.1", "service=pbx"):
            self.assertFalse(names_to_look_up(parameters(text)), text)

    def test_every_address_of_every_host(self) -> None:
        """
        Each address of a host becomes one of libpq's alternatives, with that host's name and port.
        """
        known = {"a": ["192.0.2.1", "2001:db8::1"], "b": ["192.0.2.2"]}

        def getaddrinfo(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
            return [(0, 0, 0, "", (address, 0)) for address in known[name]]

        self.patch(dsn.socket, "getaddrinfo", getaddrinfo)
        for given, ports in (("5433", "5433,5433,5433"), ("1,2", "1,1,2"), ("", ",,")):
            made = looked_up(parameters(f"host=a,b port='{given}'"))
            self.assertEqual(made["host"], "a,a,b")
            self.assertEqual(made["hostaddr"], "192.0.2.1,2001:db8::1,192.0.2.2")
            self.assertEqual(made["port"], ports)

    def test_unknown_name(self) -> None:
        """
        A name without an address is reported like a server that is not there.
        """

        def getaddrinfo(*_: object, **__: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        self.patch(dsn.socket, "getaddrinfo", getaddrinfo)
        error = self.assertRaises(psycopg2.OperationalError, looked_up, parameters("host=nowhere.example"))
        self.assertEqual(str(error), "nowhere.example: Name or service not known")
