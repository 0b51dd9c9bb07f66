"""
Tests of :mod:`pbx.store.values`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from pbx.directory.decision import Destination
from pbx.directory.handling import FollowMe, Handling
from pbx.directory.places import Choice, Menu
from pbx.store.values import packed, unpacked

MAIN = Menu("500", "Main", ("hello",), (Choice("1", Destination("extension", "1001")), Choice("2", language="de")))


class ValuesTests(SynchronousTestCase):
    """
    Frozen values as JSON documents.
    """

    def test_there_and_back(self) -> None:
        """
        What was packed is unpacked as the same value.
        """
        for value in (
            MAIN, Handling(), Handling(dnd=True, follow_me=(FollowMe("1002", 5),), blocked=("0900*",), voicemail=False),
        ):
            self.assertEqual(unpacked(type(value), json.loads(packed(value))), value)

    def test_holds_only_what_is_not_as_usual(self) -> None:
        """
        A document is short, so that a usual value that changes one day changes for all.
        """
        self.assertEqual(json.loads(packed(Handling(dnd=True))), {"dnd": True})
        self.assertEqual(json.loads(packed(MAIN))["choices"][0], {"key": "1", "destination": {
            "kind": "extension", "target": "1001"}})

    def test_what_is_no_such_value(self) -> None:
        """
        A document of another shape is an error that names the place; what nobody knows is left out.
        """
        with self.assertRaises(ValueError) as caught:
            unpacked(Handling, {"follow_me": [{"number": 5}]})
        self.assertIn("$.follow_me[0].number", str(caught.exception))
        self.assertEqual(unpacked(Handling, {"dnd": True, "colour": "red"}), Handling(dnd=True))
