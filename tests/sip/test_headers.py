"""
Tests for :mod:`pbx.sip.headers`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pbx.sip.headers import Headers
from pbx.sip.message import ParseError


class HeadersTests(SynchronousTestCase):
    """
    Rows of names and values.
    """

    def setUp(self) -> None:
        """
        Rows with a name that returns, and one that nobody knows.
        """
        self.headers = Headers()
        for name, value in (("v", "1"), ("X-Tree", "oak"), ("Via", "2"), ("call-id", "c"), ("x-tree", "elm")):
            self.headers.add(name, value)

    def test_names(self) -> None:
        """
        Known names are spelt as the RFC does, compact ones in full, others as given.
        """
        names = [name for name, _ in self.headers.items()]
        self.assertEqual(names, ["Via", "X-Tree", "Via", "Call-ID", "x-tree"])

    def test_get(self) -> None:
        """
        The first row of a name, whatever its case and length.
        """
        for name in ("Via", "v", "V", "via", "VIA", "vIA"):
            self.assertEqual(self.headers.get(name), "1")
            self.assertIn(name, self.headers)
        self.assertEqual(self.headers.get("X-TREE"), "oak")
        self.assertIsNone(self.headers.get("To"))
        self.assertIsNone(self.headers.get("X-None"))
        self.assertNotIn("X-None", self.headers)

    def test_get_all(self) -> None:
        """
        All rows of a name, in order.
        """
        self.assertEqual(self.headers.get_all("via"), ["1", "2"])
        self.assertEqual(self.headers.get_all("X-tree"), ["oak", "elm"])
        self.assertEqual(self.headers.get_all("Call-ID"), ["c"])
        self.assertEqual(self.headers.get_all("To"), [])
        once = Headers([("Via", "1"), ("X-Tree", "oak")])
        self.assertEqual((once.get_all("v"), once.get_all("x-tree")), (["1"], ["oak"]))

    def test_set(self) -> None:
        """
        One row in the place of the first, or after all others.
        """
        self.headers.set("via", "3")
        self.headers.set("X-TREE", "ash")
        self.headers.set("To", "t")
        rows = [("Via", "3"), ("X-TREE", "ash"), ("Call-ID", "c"), ("To", "t")]
        self.assertEqual(self.headers.items(), rows)
        self.assertEqual(self.headers.get("v"), "3")

    def test_set_first(self) -> None:
        """
        Only the first row is replaced; without one it is our mistake.
        """
        self.assertEqual(self.headers.get("Via"), "1")
        self.headers.set_first("v", "3")
        self.headers.set_first("x-tREE", "ash")
        self.assertEqual(self.headers.get_all("Via"), ["3", "2"])
        self.assertEqual(self.headers.get("Via"), "3")
        self.assertEqual(self.headers.get_all("x-tree"), ["ash", "elm"])
        with self.assertRaises(KeyError):
            self.headers.set_first("To", "t")

    def test_prepend_remove(self) -> None:
        """
        A row before all others; all rows of a name taken out.
        """
        self.headers.prepend("Via", "0")
        self.assertEqual(self.headers.get_all("Via"), ["0", "1", "2"])
        self.headers.remove("v")
        self.headers.remove("X-TREE")
        self.headers.remove("To")
        self.assertEqual(self.headers.items(), [("Call-ID", "c")])
        self.assertEqual(len(self.headers), 1)

    def test_copy(self) -> None:
        """
        A copy is changed on its own, and so is a list of rows.
        """
        other = self.headers.copy()
        self.assertEqual(other, self.headers)
        other.add("To", "t")
        other.items().clear()
        self.assertNotEqual(other, self.headers)
        self.assertNotIn("To", self.headers)

    def test_single(self) -> None:
        """
        A header that must stand once and stands twice is the peer's mistake.
        """
        self.assertEqual(self.headers.single("Call-ID"), "c")
        self.assertIsNone(self.headers.single("To"))
        with self.assertRaises(ParseError):
            self.headers.single("Via")

    def test_content_length(self) -> None:
        """
        Content-Length belongs to the message.
        """
        for name in ("Content-Length", "l", "CONTENT-length"):
            with self.assertRaises(ValueError):
                self.headers.add(name, "1")
            with self.assertRaises(ValueError):
                self.headers.set(name, "1")
            self.headers.remove(name)

    def test_memo(self) -> None:
        """
        What was read is forgotten at each change.
        """
        for change in (
            lambda: self.headers.add("To", "t"),
            lambda: self.headers.set("To", "u"),
            lambda: self.headers.set_first("To", "v"),
            lambda: self.headers.prepend("To", "w"),
            lambda: self.headers.remove("To"),
        ):
            self.headers.memo["x"] = 1
            change()
            self.assertEqual(self.headers.memo, {})
