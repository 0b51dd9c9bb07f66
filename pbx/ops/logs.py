"""
The log file: ``YYYY-MM-DD HH:MM:SS - PBX - LEVEL - message``, one line an event.
"""

from __future__ import annotations

import atexit
import logging
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.logger import ILogObserver, Logger, LogLevel, eventAsText, formatEvent, globalLogPublisher
from zope.interface import implementer

from pbx.ops.lines import AppendedFile, QueuedLines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from constantly import NamedConstant  # type: ignore[import-untyped]  # it has no stubs
    from twisted.logger import LogEvent, LogPublisher

LEVELS: dict[str, NamedConstant] = {
    "DEBUG": LogLevel.debug,
    "INFO": LogLevel.info,
    "WARNING": LogLevel.warn,
    "ERROR": LogLevel.error,
    "CRITICAL": LogLevel.critical,
}
"""The levels as the configuration and the log name them."""

_NAMES = {level: name for name, level in LEVELS.items()}

_SECRETS = re.compile(
    r"""(?ix)
    (?P<dsn>\w+://[^\s:/@]+:)[^\s/@]+(?=@)                            # postgresql://user:password@host
    | (?P<field>["']?\b(?:password|passwd|secret|ha1|a1|token)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;&)}\]]+)
    | (?P<digest>\bresponse\s*=\s*)"[0-9a-f]{16,}"                    # an Authorization header
    """
)

_TELLTALES = ("passw", "secret", "a1", "token", "response")
"""One of these is in every text that the expression changes, but for those with a URL."""

_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}
_CONTROL.update({ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"})


def redacted(text: str) -> str:
    """
    A text without the passwords and digests that it may hold by mistake; the last net, not the first.
    """
    # What nearly every line is: the expression below takes longer than all else that is done for one.
    lowered = text.lower()
    if "://" not in text and not any(word in lowered for word in _TELLTALES):
        return text
    return _SECRETS.sub(lambda match: f"{match['dsn'] or match['field'] or match['digest']}<hidden>", text)


def is_shown(event: LogEvent, least: NamedConstant) -> bool:
    """
    Whether an event belongs into a log of a level.

    Twisted tells of every port it opens, which with four ports a call nobody wants: from Twisted, and from what uses
    its old way of logging, anything below a warning needs the level DEBUG.
    """
    level = event.get("log_level") or LogLevel.info
    if level < least:
        return False
    if level >= LogLevel.warn or least == LogLevel.debug:
        return True
    namespace = str(event.get("log_namespace", ""))
    return not namespace.startswith(("twisted", "log_legacy", "stdlib", "treq", "klein"))


def is_urgent(event: LogEvent) -> bool:
    """
    Whether an event becomes text at once, since it may hold a failure or somebody else's object that changes meanwhile.

    What the exchange tells of calls and phones are numbers and texts: that can wait for the thread.
    """
    if (event.get("log_level") or LogLevel.info) >= LogLevel.warn or "log_failure" in event:
        return True
    return not str(event.get("log_namespace", "")).startswith("pbx.")


def level_name(event: LogEvent) -> str:
    """
    The level of an event as the log names it.
    """
    return _NAMES.get(event.get("log_level") or LogLevel.info, "INFO")


def message(event: LogEvent) -> str:
    """
    What an event says, on one line: what a peer sent cannot begin a line of its own.

    A traceback follows on lines of its own, each indented.
    """
    known: str | None = event.get("pbx_message")
    if known is not None:
        # The terminal and the file tell the same.
        return known
    text = redacted(_said(event)).strip()
    if not text.isprintable():
        text = text.translate(_CONTROL)
    if "log_failure" not in event:
        event["pbx_message"] = text
        return text
    trace = redacted(eventAsText(event, includeTimestamp=False, includeSystem=False))
    lines = [line.translate(_CONTROL) for line in trace.splitlines()[1:]]
    return "\n    ".join([text or "failure", *lines])


def _said(event: LogEvent) -> str:
    template = event.get("log_format")
    if type(template) is str and "(" not in template and "log_flattened" not in event:
        # Nothing in it is to be called, as nearly always: Python alone does it in a fifth of the time.
        try:
            return template.format_map(event)
        except Exception:  # noqa: BLE001, S110 - Twisted says what is wrong with it
            pass
    return formatEvent(event) or ""


class _Clock:
    """
    The local time as the log writes it, worked out once a second.
    """

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, seconds: float) -> str:
        second = int(seconds)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return self._text


@implementer(ILogObserver)
class LogFile(Service):
    """
    The log file as a service: events are taken from construction on, and written from the start to the process's end.

    It does not stop with the other services, since what they do last is worth a line too.
    """

    def __init__(self, path: Path, level: str, publisher: LogPublisher = globalLogPublisher) -> None:
        """
        Open the file and begin to listen.

        Args:
            path: The file; its folder is made when it is not there.
            level: A key of :data:`LEVELS`.
            publisher: Where events come from.

        Raises:
            OSError: The file cannot be written.
        """
        self.lines = QueuedLines(_opened(path))
        self._path = path
        self.level = LEVELS[level]
        self._clock = _Clock()
        self._publisher = publisher
        self._early: list[LogEvent] | None = []
        publisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """
        Take an event, as an ``ILogObserver``.
        """
        if self._early is not None:
            # When twistd has set up its own log, it tells everybody what happened before once more.
            if any(event is known for known in self._early):
                return
            self._early.append(event)
        # The banner holds the one-time link: it is for whoever sits at the terminal.
        if is_shown(event, self.level) and not event.get("terminal"):
            self.lines.add(self._line(event) if is_urgent(event) else partial(self._line, event))

    def _line(self, event: LogEvent) -> str:
        when = self._clock.text(event.get("log_time", 0.0))
        return f"{when} - PBX - {level_name(event)} - {message(event)}\n"

    def prepare(self, path: Path, level: str) -> Callable[[], None]:
        """
        Open a file that takes the place of this one, or be ready to write to the same.

        Args:
            path: The file.
            level: A key of :data:`LEVELS`.

        Returns:
            What goes over to them, which cannot fail.

        Raises:
            OSError: The file cannot be written.
        """
        target = _opened(path) if path != self._path else None

        def put() -> None:
            self._path, self.level = path, LEVELS[level]
            if target is not None:
                self.lines.turn_to(target)

        return put

    def startService(self) -> None:
        """
        Begin to write.
        """
        Service.startService(self)
        self._early = None
        self.lines.start()
        atexit.register(self.close)

    def close(self) -> None:
        """
        Write what is left, and take no more events. Happens by itself at the end of the process.
        """
        atexit.unregister(self.close)
        self._publisher.removeObserver(self)
        self.lines.stop()


def _opened(path: Path) -> AppendedFile:
    try:
        return AppendedFile(path)
    except OSError as error:
        raise OSError(
            f"The log {path} cannot be written: {error.strerror}. Make its folder writable for the exchange's "
            "user, or choose another file by logging.file in the configuration."
        ) from error


class FromStandardLogging(logging.Handler):
    """
    What hands on the records of libraries that use Python's ``logging``, which would be lost otherwise.
    """

    log = Logger(namespace="stdlib")

    def emit(self, record: logging.LogRecord) -> None:
        """
        Publish a record as a Twisted event of the same level.
        """
        name = logging.getLevelName(min(record.levelno - record.levelno % 10, logging.CRITICAL))
        fields: dict[str, Any] = {"name": record.name, "text": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            fields["text"] += f" ({record.exc_info[1]!r})"
        self.log.emit(LEVELS.get(name, LogLevel.info), "{name}: {text}", **fields)


def capture_standard_logging(level: int = logging.WARNING) -> Callable[[], None]:
    """
    Send Python's own logging and warnings into Twisted's.

    Args:
        level: The least level of a record that is handed on.

    Returns:
        What undoes it.
    """
    handler = FromStandardLogging()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)

    def undo() -> None:
        logging.captureWarnings(False)
        root.removeHandler(handler)

    return undo
