"""
Tests for :mod:`pbx.sip.dialled`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.dialled import dialled_number
from pbx.sip.uri import URI

TABLE = [
    ("sip:1006@pbx", "1006"),
    ("sip:*72%23@pbx", "*72#"),
    ("sip:*72#@pbx", "*72#"),
    ("sip:%2A8@pbx", "*8"),
    ("sip:+49-30-123456@pbx", "+4930123456"),
    ("sip:+49(30)123.456@pbx", "+4930123456"),
    ("sip:030%20123%20456@pbx", "030123456"),
    ("sip:1006;phone-context=+49@pbx;user=phone", "1006"),
    ("sip:1006;phone-context=pbx.example.com@pbx", "1006"),
    ("sip:1-800-AB@pbx;user=phone", "1800AB"),
    ("sip:front-desk@pbx", "front-desk"),
    ("sip:john.doe@pbx", "john.doe"),
    ("sip:1005.k3f9@pbx", "1005.k3f9"),
    ("sip:J%C3%B6rg@pbx", "Jörg"),
    ("sip:null-%00-null@pbx", "null-%00-null"),
    ("sip:10%0D%0A06@pbx", "10%0D%0A06"),
    ("sip:100%@pbx", "100%"),
    ("sip:-.-@pbx", "-.-"),
    ("sip:+@pbx", "+"),
    ("sip:pbx", ""),
    ("tel:+1-201-555-0123", "+12015550123"),
    ("tel:7042;phone-context=example.com", "7042"),
]


class DialledNumberTests(SynchronousTestCase):
    """
    What a user part stands for.
    """

    def test_table(self) -> None:
        """
        Each URI and the number a person would write.
        """
        for text, number in TABLE:
            self.assertEqual(dialled_number(URI.parse(text)), number, text)
