"""
Tests of :mod:`pbx.store.jsonb`.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pbx.store.jsonb import document

TEXTS = st.text(st.characters(exclude_categories=()))


class DocumentTests(SynchronousTestCase):
    """
    Values as JSON that PostgreSQL takes.
    """

    def test_what_strangers_send(self) -> None:
        """
        NUL and lone surrogates become U+FFFD, wherever they are; what only looks like them stays; NaN is null.
        """
        value = {"a\0": ["x\0y", "q\ud800z", "\\u0000", "😀", float("nan"), 1, True, None], "\udcff": {"b": ("\0",)}}
        text = document(value)
        self.assertEqual(
            json.loads(text),
            {"a\ufffd": ["x\ufffdy", "q\ufffdz", "\\ufffd", "😀", None, 1, True, None], "\ufffd": {"b": ["\ufffd"]}},
        )

    @settings(derandomize=True, max_examples=200, deadline=None)
    @given(st.recursive(TEXTS | st.integers(-(2**53), 2**53) | st.none(), lambda inner: st.lists(inner, max_size=4)))
    def test_always_json(self, value: Any) -> None:
        """
        Whatever the texts, the result is JSON without NUL and without lone surrogates.
        """
        text = document(value)
        self.assertNotIn(b"\\u0000", text)
        json.loads(text.decode("utf-8"))
