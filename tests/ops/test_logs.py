"""
Tests for :mod:`pbx.ops.logs` and :mod:`pbx.ops.terminal`.
"""

from __future__ import annotations

import logging
import logging.config
import re
import time
from pathlib import Path

from twisted.logger import ILogObserver, LimitedHistoryLogObserver, Logger, LogLevel, LogPublisher, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pbx.ops.logs import LogFile, capture_standard_logging, redacted
from pbx.ops.terminal import line

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - PBX - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - .+$")


class LogCase(SynchronousTestCase):
    """
    A log file of its own for each test.
    """

    level = "INFO"

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute() / "pbx.log"
        self.publisher = LogPublisher()
        self.file = LogFile(self.path, self.level, self.publisher)
        self.log = Logger(namespace="pbx.registrar.registrar", observer=self.publisher)

    def written(self) -> list[str]:
        """
        Close the file and return its lines.
        """
        self.file.startService()
        self.file.close()
        return self.path.read_text(encoding="utf-8").splitlines()


class FormatTests(LogCase):
    """
    What a line looks like.
    """

    def test_told_twice(self) -> None:
        """
        What happened before the log was set up, and is told to every observer again then, stands there once.
        """
        history = LimitedHistoryLogObserver()
        self.publisher.addObserver(history)
        self.log.info("early")
        self.log.info("early")
        self.publisher.removeObserver(history)
        history.replayTo(self.publisher)
        self.assertEqual(len(self.written()), 2)

    def test_line(self) -> None:
        """
        Date and time in local time, PBX, the level, the message.
        """
        self.log.warn("authentication failed: user {user} from {address}", user="1005", address="192.0.2.7")
        [text] = self.written()
        self.assertRegex(text, LINE)
        self.assertTrue(text.endswith(" - PBX - WARNING - authentication failed: user 1005 from 192.0.2.7"), text)
        stamp = time.mktime(time.strptime(text[:19], "%Y-%m-%d %H:%M:%S"))
        self.assertTrue(abs(stamp - time.time()) < 60)

    def test_levels(self) -> None:
        """
        Each level has the word that the manual greps for.
        """
        self.log.info("a")
        self.log.error("b")
        self.log.critical("c")
        words = [text.split(" - ")[2] for text in self.written()]
        self.assertEqual(words, ["INFO", "ERROR", "CRITICAL"])

    def test_filter(self) -> None:
        """
        What is below the configured level is left out, and so is Twisted's talk of ports.
        """
        self.log.debug("not this")
        Logger(namespace="twisted.internet.udp", observer=self.publisher).info("RtpProtocol starting on 10000")
        Logger(namespace="twisted.internet.udp", observer=self.publisher).warn("this")
        self.assertEqual([text.split(" - ")[3] for text in self.written()], ["this"])

    def test_failure(self) -> None:
        """
        A failure is one line that names it, and its traceback indented below.
        """
        self.log.failure("call {call_id} failed", failure=Failure(RuntimeError("broken\nin two")), call_id="a1")
        lines = self.written()
        self.assertTrue(lines[0].endswith("CRITICAL - call a1 failed"), lines[0])
        self.assertTrue(all(text.startswith("    ") for text in lines[1:]), lines)
        self.assertIn("RuntimeError: broken", "\n".join(lines))

    def test_forged_line(self) -> None:
        """
        A peer that sends line ends or escape sequences begins no line of its own and paints nothing.
        """
        self.log.info("user {user}", user="x\r\n2026-01-01 00:00:00 - PBX - CRITICAL - all is lost\x1b[2J")
        [text] = self.written()
        self.assertTrue(text.endswith("user x\\r\\n2026-01-01 00:00:00 - PBX - CRITICAL - all is lost\\x1b[2J"), text)

    def test_banner(self) -> None:
        """
        What is for the terminal alone, the one-time link, is not in the file.
        """
        self.log.info("{text}", text="https://localhost/first/abc", terminal=True)
        self.assertEqual(self.written(), [])

    def test_unformattable(self) -> None:
        """
        A format that names a missing field is still a line.
        """
        self.log.error("lost {thing}")
        [text] = self.written()
        self.assertRegex(text, LINE)

    def test_not_writable(self) -> None:
        """
        A file that cannot be written is named, with what to do.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        error = str(self.assertRaises(OSError, LogFile, folder, "INFO", self.publisher))
        self.assertIn(f"{folder} cannot be written: Is a directory", error)
        self.assertIn("logging.file", error)
        self.written()

    def test_observer(self) -> None:
        """
        It is a log observer.
        """
        verifyObject(ILogObserver, self.file)
        self.written()


class SecretTests(SynchronousTestCase):
    """
    The last net for secrets.
    """

    def test_hidden(self) -> None:
        """
        Passwords in addresses, in fields and in digests are taken out.
        """
        for text in (
            "connecting to postgresql://pbx:hunter22@db/pbx",
            "body {'number': '1005', 'password': 'hunter22', 'name': 'A'}",
            'body {"password": "hunter22 hunter22"}',
            "PASSWORD=hunter22 set",
            'Digest username="1005", response="hunter22"'.replace("hunter22", "0123456789abcdef0123456789abcdef"),
        ):
            shown = redacted(text)
            self.assertNotIn("hunter22", shown)
            self.assertNotIn("0123456789abcdef", shown)
            self.assertIn("<hidden>", shown)

    def test_rest_is_kept(self) -> None:
        """
        What only speaks of passwords stays as it is.
        """
        text = "authentication failed: wrong password for 1005 from 192.0.2.7"
        self.assertEqual(redacted(text), text)


class GrowthTests(LogCase):
    """
    The file over a long time.
    """

    def test_grows_on(self) -> None:
        """
        Long after the start, after migrations, after other libraries' logging was set up, lines still arrive.
        """
        self.file.startService()
        undo = capture_standard_logging()
        self.addCleanup(undo)
        self.addCleanup(self._enable_loggers)
        for round_ in range(20):
            self.log.info("round {round}", round=round_)
            logging.getLogger("yoyo.migrations").warning("library %d", round_)
            if round_ == 5:
                # What alembic-style set-ups do: every logger that exists is switched off.
                logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
            if round_ == 10:
                self.path.rename(self.path.with_suffix(".1"))
            self.file.lines._wanted.set()
            time.sleep(0.06 if round_ in (9, 10) else 0)
        self.file.close()
        old, new = self.path.with_suffix(".1").read_text(), self.path.read_text()
        self.assertIn("round 0\n", old)
        self.assertIn("round 19\n", new)
        rounds = re.findall(r"round (\d+)", old + new)
        self.assertEqual([int(each) for each in rounds], list(range(20)))

    def _enable_loggers(self) -> None:
        for logger in logging.root.manager.loggerDict.values():
            if isinstance(logger, logging.Logger):
                logger.disabled = False

    def test_standard_logging(self) -> None:
        """
        Warnings of libraries that use Python's logging reach the log; their chatter does not.
        """
        globalLogPublisher.addObserver(self.file)
        self.addCleanup(globalLogPublisher.removeObserver, self.file)
        undo = capture_standard_logging()
        logging.getLogger("yoyo").warning("table %s is locked", "x")
        logging.getLogger("yoyo").info("chatter")
        undo()
        texts = [text.split(" - ", 2)[2] for text in self.written()]
        self.assertEqual(texts, ["WARNING - yoyo: table x is locked"])


class PrepareTests(LogCase):
    """
    Another file or level while the log is written.
    """

    def test_another_file(self) -> None:
        """
        Nothing goes to another file before it takes the place of this one, and everything after.
        """
        other = self.path.parent / "new" / "other.log"
        self.file.startService()
        self.log.info("one")
        put = self.file.prepare(other, "ERROR")
        self.log.info("two")
        self.file.lines.stop()
        self.file.lines.start()
        put()
        self.log.info("three")
        self.log.error("four")
        self.file.close()
        self.assertEqual([line[-3:] for line in self.path.read_text().splitlines()], ["one", "two"])
        self.assertEqual([line.split()[-1] for line in other.read_text().splitlines()], ["four"])

    def test_another_level(self) -> None:
        """
        The level alone is another, in the same file.
        """
        self.file.prepare(self.path, "DEBUG")()
        self.log.debug("quiet")
        self.assertEqual(len(self.written()), 1)

    def test_a_file_that_cannot_be(self) -> None:
        """
        A file that cannot be written is told, and the log goes on as it was.
        """
        (self.path.parent / "taken").write_text("")
        error = self.assertRaises(OSError, self.file.prepare, self.path.parent / "taken" / "x.log", "ERROR")
        self.assertIn("cannot be written", str(error))
        self.log.info("one")
        self.assertEqual(len(self.written()), 1)


class TerminalTests(SynchronousTestCase):
    """
    What is shown in the foreground.
    """

    def test_line(self) -> None:
        """
        Time and message, with the level when it is not the usual one.
        """
        event = {"log_level": LogLevel.info, "log_time": 0.0, "log_format": "REGISTER {user}", "user": "1005"}
        self.assertRegex(line(event), r"^\d\d:00:00 REGISTER 1005\n$")
        event["log_level"] = LogLevel.error
        self.assertRegex(line(event), r"^\d\d:00:00 ERROR REGISTER 1005\n$")

    def test_banner(self) -> None:
        """
        The banner keeps its lines and stands without a clock.
        """
        event = {"log_level": LogLevel.info, "log_format": "{text}", "text": "one\ntwo", "terminal": True}
        self.assertEqual(line(event), "one\ntwo\n")
