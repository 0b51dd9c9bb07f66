"""
Tests for :mod:`pbx.reloading`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.ops.settings import Settings, SettingsError, load
from pbx.reloading import LISTED, Part, Reloading
from pbx.web.reload import IReloading
from tests.media.threads import VirtualThreads


class ReloadingCase(SynchronousTestCase):
    """
    A configuration file, and parts that go by it.
    """

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.file = folder / "config.yml"
        self.write("")
        self.clock = Clock()
        self.threads = VirtualThreads(self.clock)
        self.reads = 0
        self.latch: list[str] = []
        self.reloading = Reloading(self.threads, self.read(), self.read)
        self.reloading.add(Part("media", self.prepared))
        self.lines: list[tuple[LogLevel, str]] = []
        globalLogPublisher.addObserver(self.logged)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged)

    def logged(self, event: Any) -> None:
        """
        Keep a line of the log.
        """
        self.lines.append((event["log_level"], formatEvent(event)))

    def write(self, text: str) -> None:
        """
        Change the file.
        """
        self.file.write_text(text, encoding="utf-8")

    def read(self) -> Settings:
        """
        Read the file.
        """
        self.reads += 1
        return load(self.file, {})

    def prepared(self, settings: Settings) -> Callable[[], object]:
        """
        A part that notes what it went over to.
        """
        return lambda: self.latch.append(settings.media.latch)

    def reload(self) -> Deferred[Any]:
        """
        Ask for a reload.
        """
        return Deferred.fromCoroutine(self.reloading.reload("local:root"))

    def texts(self, level: LogLevel) -> list[str]:
        """
        The lines of a level.
        """
        return [text for each, text in self.lines if each is level]


class ReloadTests(ReloadingCase):
    """
    One reload.
    """

    def test_interface(self) -> None:
        """
        It is what the resource asks for.
        """
        verifyObject(IReloading, self.reloading, tentative=True)

    def test_good(self) -> None:
        """
        Every part goes over, the caller is told what is different, and the log says it too.
        """
        self.write("media: {latch: strict}\nserver: {sip_port: 5070}\n")
        asked = self.reload()
        self.assertEqual(self.latch, [])
        self.clock.advance(0)
        report = self.successResultOf(asked)
        self.assertEqual(self.latch, ["strict"])
        self.assertEqual([str(change) for change in report.changed], ['media.latch: "normal" -> "strict"'])
        self.assertEqual([change.key for change in report.waiting], ["server.sip_port"])
        self.assertIn('reload: media.latch: "normal" -> "strict"', self.texts(LogLevel.info))
        (waits,) = self.texts(LogLevel.warn)
        self.assertIn("server.sip_port: 5060 -> 5070 waits for a restart: ", waits)

    def test_doubts(self) -> None:
        """
        What a part doubts once it has gone over is told, with what it went over to.
        """
        self.reloading.add(Part("sip_trunks", lambda settings: lambda: None, lambda: [f"latch is {self.latch[-1]}"]))
        self.write("media: {latch: strict}\n")
        asked = self.reload()
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(asked).doubts, ("latch is strict",))

    def test_many(self) -> None:
        """
        The log lists some of very many changes.
        """
        self.write("outbound_routes:\n" + "".join(f"- {{name: R{n}}}\n" for n in range(LISTED + 7)))
        asked = self.reload()
        self.clock.advance(0)
        self.assertEqual(len(self.successResultOf(asked).changed), LISTED + 7)
        told = [text for text in self.texts(LogLevel.info) if text.startswith("reload: ")]
        self.assertEqual((len(told), told[-1]), (LISTED + 1, "reload: and more"))

    def test_read_in_a_thread(self) -> None:
        """
        Calls go on while the file is read: that is done in a thread.
        """
        self.threads.hold()
        reads, asked = self.reads, self.reload()
        self.clock.advance(1)
        self.assertEqual((self.reads, self.latch), (reads, []))
        self.threads.release()
        self.successResultOf(asked)

    def test_bad_file(self) -> None:
        """
        Nothing changes, every mistake is told with its line, and the next good file is compared with the last good one.
        """
        self.write("media: {latch: strict}\n")
        self.reload()
        self.clock.advance(0)
        self.write("media:\n  latch: loose\nblf:\n  max: 1\n")
        asked = self.reload()
        self.clock.advance(0)
        error: Any = self.failureResultOf(asked, SettingsError).value
        self.assertEqual(self.latch, ["strict"])
        self.assertEqual([(m.path, line) for m, line in zip(error.mistakes, error.lines, strict=True)],
                         [("media.latch", 2), ("blf.max", 4)])
        told = self.texts(LogLevel.error)
        self.assertEqual(len(told), 3)
        self.assertIn("nothing was changed", told[0])
        self.assertIn("line 4, blf.max", told[2])
        self.write("media: {latch: normal}\n")
        asked = self.reload()
        self.clock.advance(0)
        self.assertEqual([str(c) for c in self.successResultOf(asked).changed], ['media.latch: "strict" -> "normal"'])

    def test_a_part_that_cannot(self) -> None:
        """
        When one part cannot go by it, no part does: all that cannot are told at once, with the line in the file.
        """
        def without(settings: Settings) -> Callable[[], object]:
            raise OSError("/etc/pbx/pbx.crt: No such file or directory")

        self.reloading.add(Part("api.ssl", without), Part("voicemail.smtp", without))
        self.write("api:\n  ssl: {}\nmedia: {latch: strict}\n")
        asked = self.reload()
        self.clock.advance(0)
        error: Any = self.failureResultOf(asked, SettingsError).value
        self.assertEqual(self.latch, [])
        self.assertEqual([mistake.path for mistake in error.mistakes], ["api.ssl", "voicemail.smtp"])
        self.assertIn("No such file", error.mistakes[0].text)
        self.assertEqual(error.lines, [2, None])

    def test_a_part_that_fails(self) -> None:
        """
        A part that breaks while it goes over keeps nobody else from it, and stands in the log.
        """
        self.reloading.add(Part("blf", lambda settings: lambda: 1 / 0), Part("media", self.prepared))
        asked = self.reload()
        self.clock.advance(0)
        self.successResultOf(asked)
        self.assertEqual(self.latch, ["normal", "normal"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_one_after_the_other(self) -> None:
        """
        Two reloads at once: the second reads when the first is done, and is compared with it.
        """
        self.write("media: {latch: strict}\n")
        self.threads.hold()
        first, second = self.reload(), self.reload()
        reads = self.reads
        self.assertEqual(len(self.threads.held or []), 1)
        self.threads.release()
        self.assertEqual(len(self.successResultOf(first).changed), 1)
        self.assertNoResult(second)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(second).changed, ())
        self.assertEqual(self.reads, reads + 2)

    def test_after_a_failure(self) -> None:
        """
        What goes wrong in one keeps none from coming after it.
        """
        self.write("nonsense: 1\n")
        asked = self.reload()
        self.clock.advance(0)
        self.failureResultOf(asked, SettingsError)
        self.write("")
        asked = self.reload()
        self.clock.advance(0)
        self.successResultOf(asked)


class HangUpTests(ReloadingCase):
    """
    SIGHUP.
    """

    def test_after_the_start(self) -> None:
        """
        It reloads, and a bad file is a matter of the log.
        """
        self.reloading.begin()
        self.write("media: {latch: strict}\n")
        done = self.reloading.hung_up()
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(self.latch, ["strict"])
        self.write("media: []\n")
        done = self.reloading.hung_up()
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertIn("SIGHUP", self.texts(LogLevel.error)[0])

    def test_during_the_start(self) -> None:
        """
        While the exchange starts it waits: what is built is built of what was read first.
        """
        self.write("media: {latch: strict}\n")
        self.reloading.hung_up()
        self.reloading.hung_up()
        self.clock.advance(0)
        self.assertEqual(self.latch, [])
        self.reloading.begin()
        self.clock.advance(0)
        self.assertEqual(self.latch, ["strict"])
