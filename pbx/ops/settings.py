"""
The configuration as the program uses it: read, checked as a whole, with its paths and secrets resolved.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import yaml

from pbx.directory import star_codes
from pbx.ops import plan_sections, sections
from pbx.ops.contradictions import contradictions
from pbx.ops.place import Place, machine_zone, place
from pbx.ops.plan_sections import as_plan
from pbx.ops.reload import hold
from pbx.ops.strict import Mistake, attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pbx.directory.plan import Plan


FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""What reads YAML ten times as fast where PyYAML has libyaml: thousands of routes are read while calls go on."""


class SettingsError(Exception):
    """
    A configuration that cannot be used; its text lists everything that is wrong.

    Attributes:
        path: The file.
        mistakes: What is wrong, one a key.
        lines: For each of them the line of its key, or of the nearest section around one that is missing; ``None``
            where there is none.
    """

    def __init__(self, path: Path, mistakes: list[Mistake], lines: Mapping[str, int] | None = None) -> None:
        self.path = path
        self.mistakes = mistakes
        self.lines = [_line(mistake.path, lines or {}) for mistake in mistakes]
        rows = [
            f"  {'' if line is None else f'line {line}, '}{mistake}"
            for mistake, line in zip(mistakes, self.lines, strict=True)
        ]
        count = "a mistake" if len(rows) == 1 else f"{len(rows)} mistakes"
        super().__init__("\n".join([f"{path} has {count}:", *rows]))


@attrs.frozen
class Settings:
    """
    What the operator decided, and the defaults for the rest.

    Attributes:
        file: Where it was read from.
        data: The data directory, absolute.
        cert_file: The certificate, absolute.
        key_file: Its private key, absolute.
        own_certificate: Whether certificate and key are ours to make, since the operator named none.
        log_file: The log, absolute.
        server_name: The host name that phones and people use.
        sip_hosts: The addresses to listen on for SIP.
        star_codes: The features by their codes.
        plan: What it says about calls beyond the house.
        written: The file as it was written, for comparing.
    """

    file: Path
    data: Path
    cert_file: Path
    key_file: Path
    own_certificate: bool
    log_file: Path
    server_name: str
    sip_hosts: tuple[str, ...]
    server: sections.Server
    api: sections.Api
    database: sections.Database = attrs.field(repr=False)
    logging: sections.Logging
    voicemail: sections.Voicemail
    star_codes: Mapping[str, str]
    sip_trunks: tuple[plan_sections.Trunk, ...]
    plan: Plan
    alerts: plan_sections.Alerts
    security: sections.Security
    registration: sections.Registration
    media: sections.Media
    blf: sections.Blf
    manhole: sections.Manhole | None
    written: sections.Configuration = attrs.field(repr=False)


def load(path: Path, environ: Mapping[str, str], data: Path | None = None, where: Place | None = None) -> Settings:
    """
    Read and check a configuration file.

    Args:
        path: The file, YAML.
        environ: The environment that ``${VARIABLE}`` is looked up in.
        data: A data directory that comes before the one in the file.
        where: The defaults for paths; by default those of the running program.

    Raises:
        SettingsError: It cannot be read, or something in it is wrong: then all of it is listed.
    """
    raw, lines, mistakes = _read(path)
    configuration = attempt(sections.Configuration, raw, "", mistakes, _Reveal(path.parent, environ))
    mistakes += contradictions(configuration)
    if mistakes:
        raise SettingsError(path, mistakes, lines)
    return _resolved(configuration, path, data, where or place())


def effective(read: Settings, started: Settings) -> Settings:
    """
    What a running exchange can go by: what waits for a restart is as it was at the start.

    Args:
        read: What the file says now.
        started: What the exchange started with.
    """
    held = hold(started.written, read.written)
    return attrs.evolve(_resolved(held, read.file, started.data, place()), written=read.written)


def lines_of(path: Path) -> Mapping[str, int]:
    """
    The line of each key of a file; none when it cannot be read.
    """
    try:
        return _read(path)[1]
    except SettingsError:
        return {}


def _read(path: Path) -> tuple[Any, dict[str, int], list[Mistake]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(path, [Mistake("the file", f"cannot be read: {error}")])
    try:
        try:
            return _parsed(FAST(text))
        except yaml.YAMLError:
            # The slow one says more about what it does not understand.
            return _parsed(yaml.SafeLoader(text))
    except yaml.YAMLError as error:
        raise SettingsError(path, [Mistake("the file", f"is not YAML: {' '.join(str(error).split())}")])


def _parsed(loader: Any) -> tuple[Any, dict[str, int], list[Mistake]]:
    try:
        node = loader.get_single_node()
        lines: dict[str, int] = {}
        mistakes: list[Mistake] = []
        if node is None:
            return None, lines, mistakes
        _walk(node, "", lines, mistakes)
        return loader.construct_document(node), lines, mistakes
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: str, lines: dict[str, int], mistakes: list[Mistake]) -> None:
    """
    Note the line of each key, and keys that stand twice, of which YAML silently takes the last.
    """
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            inner = f"{path}.{name}" if path else name
            if name in seen:
                mistakes.append(Mistake(inner, f"stands here twice, again in line {key.start_mark.line + 1}"))
            seen.add(name)
            lines.setdefault(inner, key.start_mark.line + 1)
            _walk(value, inner, lines, mistakes)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, f"{path}[{index}]", lines, mistakes)


def _line(path: str, lines: Mapping[str, int]) -> int | None:
    """
    The line of a key, or of the nearest section around one that is missing.
    """
    while path:
        if path in lines:
            return lines[path]
        path = re.sub(r"(^|\.)[^.\[]*$|\[\d+\]$", "", path)
    return None


@attrs.frozen
class _Reveal:
    """
    What turns ``${VARIABLE}`` and ``file:/path`` into the secret that is meant.
    """

    folder: Path
    environ: Mapping[str, str]

    def __call__(self, text: str) -> str:
        variable = re.fullmatch(r"\$\{(\w+)\}", text)
        if variable:
            if variable[1] not in self.environ:
                raise ValueError(f"the environment has no {variable[1]}")
            return self.environ[variable[1]]
        if text.startswith("file:"):
            file = self.folder / text.removeprefix("file:")
            try:
                return file.read_text(encoding="utf-8").rstrip("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"the file cannot be read: {error}")
        return text


def _resolved(configuration: sections.Configuration, path: Path, data: Path | None, where: Place) -> Settings:
    folder = path.absolute().parent

    def absolute(text: str) -> Path:
        return folder / Path(text).expanduser()

    named = configuration.paths.data
    data = data.absolute() if data else absolute(named) if named else where.data
    ssl, log = configuration.api.ssl, configuration.logging.file
    hosts = configuration.server.sip_host
    return Settings(
        file=path.absolute(),
        data=data,
        cert_file=absolute(ssl.cert_file) if ssl.cert_file else data / "ssl" / "pbx.crt",
        key_file=absolute(ssl.key_file) if ssl.key_file else data / "ssl" / "pbx.key",
        own_certificate=ssl.cert_file is None,
        log_file=absolute(log) if log else where.log_file or data / "log" / "pbx.log",
        server_name=configuration.server.server_name or socket.gethostname(),
        sip_hosts=(hosts,) if isinstance(hosts, str) else hosts,
        server=configuration.server,
        api=configuration.api,
        database=configuration.database,
        logging=configuration.logging,
        voicemail=configuration.voicemail,
        star_codes=star_codes.table(msgspec.structs.asdict(configuration.star_codes)),
        sip_trunks=configuration.sip_trunks,
        plan=as_plan(
            configuration.site, configuration.sip_trunks, configuration.outbound_routes, configuration.inbound_routes,
            configuration.time_conditions, configuration.limits, configuration.emergency, machine_zone(),
        ),
        alerts=configuration.alerts,
        security=configuration.security,
        registration=configuration.registration,
        media=configuration.media,
        blf=configuration.blf,
        manhole=configuration.manhole,
        written=configuration,
    )
