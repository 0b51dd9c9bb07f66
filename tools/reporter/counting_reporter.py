"""
A trial reporter whose last line counts the tests, for people and programs alike.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.reporter import VerboseTextReporter

COUNTS_VARIABLE = "PBX_TEST_COUNTS"
"""
The environment variable that names a file for the counting line, so that who started trial need not look for it in
the output.
"""


class CountingReporter(VerboseTextReporter):
    """
    Trial's verbose reporter, with ``N passed, N failed, N skipped`` as the very last line.

    An expected failure (``todo``) counts as skipped, since it proves nothing; an unexpected success has failed.
    """

    def counts(self) -> str:
        """
        The counting line, from trial's own result.
        """
        failed = len(self.failures) + len(self.errors) + len(self.unexpectedSuccesses)
        skipped = len(self.skips) + len(self.expectedFailures)
        return f"{self.successes} passed, {failed} failed, {skipped} skipped"

    def done(self) -> None:
        """
        Write trial's summary, then the counting line, to the file that is asked for or else to the terminal.
        """
        super().done()  # type: ignore[no-untyped-call]  # trial is not annotated
        line = self.counts()
        path = os.environ.get(COUNTS_VARIABLE)
        if path:
            Path(path).write_text(line + "\n", encoding="utf-8")
        else:
            self._writeln("%s", line)  # type: ignore[no-untyped-call]  # trial is not annotated
