"""
What of the configuration file is wrong although each key by itself is right.

It is looked for also where keys are wrong, so that all mistakes are told at once: what depends on such a key raises
:class:`~pbx.ops.strict.BrokenError`, and is left out. So each check yields what it has found as soon as it has, and
goes on with the next item where one can't be judged.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pbx.ops import plan_checks
from pbx.ops.sections import StarCodes
from pbx.ops.strict import BrokenError, Mistake, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pbx.ops.sections import Configuration


def contradictions(configuration: Configuration) -> list[Mistake]:
    """
    Everything that can be told of a configuration, which may have broken parts.
    """
    mistakes: list[Mistake] = []
    for check in (_ports_for_audio, _certificate, _expiry, _ports, _star_codes, *plan_checks.CHECKS):
        found = check(configuration)
        with suppress(BrokenError):
            mistakes.extend(found)
    return mistakes


def _ports_for_audio(configuration: Configuration) -> Iterator[Mistake]:
    start, end = configuration.server.rtp_port_range_start, configuration.server.rtp_port_range_end
    if end - start < 3:
        found = f"found {start} to {end}; allowed is a range of at least four ports"
        yield Mistake("server.rtp_port_range_end", found)


def _certificate(configuration: Configuration) -> Iterator[Mistake]:
    # One that is wrong is there all the same.
    ssl = configuration.api.ssl
    if (ssl.cert_file is None) != (ssl.key_file is None):
        yield Mistake("api.ssl", "found one of cert_file and key_file; allowed are both or neither")


def _expiry(configuration: Configuration) -> Iterator[Mistake]:
    shortest, longest = configuration.registration.min_expires, configuration.registration.max_expires
    if shortest > longest:
        found = f"found {shortest}, above max_expires {longest}; allowed is at most that"
        yield Mistake("registration.min_expires", found)


def _ports(configuration: Configuration) -> Iterator[Mistake]:
    taken: dict[int, str] = {}
    for key in ("server.sip_port", "server.sip_tls_port", "api.port", "manhole.port"):
        section, _, name = key.partition(".")
        with suppress(BrokenError):
            # There may be no manhole.
            port = getattr(getattr(configuration, section), name, None)
            if port is None:
                continue
            if port in taken:
                yield Mistake(key, f"found {port}, which {taken[port]} has; allowed is another port")
            taken.setdefault(port, key)


def _star_codes(configuration: Configuration) -> Iterator[Mistake]:
    codes: dict[str, str] = {}
    for field in fields_of(StarCodes):
        with suppress(BrokenError):
            code = getattr(configuration.star_codes, field.name)
            if code is None:
                continue
            if code in codes:
                found = f'found "{code}", which {codes[code]} has; allowed is another code, or null for none'
                yield Mistake(f"star_codes.{field.name}", found)
            codes.setdefault(code, field.name)
