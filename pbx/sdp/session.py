"""
The session description as it stands on the wire (RFC 8866): lines to values and back, with no opinion of them.

What nobody here understands is kept and written again. What the lines mean for a call is told by
:mod:`pbx.sdp.audio`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import attrs

MAX_BYTES = 32_768
"""The longest description read. A browser's offer of sound, picture and data with all candidates is under 12 kB."""

MAX_LINES = 600
"""The most lines read. That same browser's offer has about 250; each line costs time and memory."""

MAX_LINE = 2_048
"""The longest line read, in characters. The longest in use, an ``a=crypto`` or ``a=candidate``, are under 300."""

MAX_MEDIA = 16
"""The most media descriptions read: each must be repeated in every answer (RFC 3264 6), by us, in one datagram."""

MAX_FORMATS = 128
"""The most formats of one media description: an RTP payload type has seven bits (RFC 3550 5.1)."""

Attribute: TypeAlias = tuple[str, str | None]
"""An ``a=`` line: its name, and what follows the first colon or ``None`` where there is no colon."""


class SDPError(ValueError):
    """
    A peer's description that can't be read, or says what can't be.
    """


@attrs.frozen
class Origin:
    """
    The ``o=`` line: who made the description, and which issue of it this is (RFC 8866 5.2).

    Attributes:
        username: The user's name there, usually ``-``. It may have spaces, which the RFC forbids and phones write.
        session_id: A number of at most 64 bits for most; kept as text because some make it longer.
        version: Raised by one with each change (RFC 3264 8); text for the same reason.
        host: The address of the maker. Media does not go there.
        family: ``IP4`` or ``IP6``.
    """

    username: str
    session_id: str
    version: str
    host: str
    family: str = "IP4"

    @classmethod
    def parse(cls, value: str) -> Origin:
        """
        The origin that the text after ``o=`` tells.

        Raises:
            SDPError: It does not have six fields, or is of another network than the Internet.
        """
        # From the right: Grandstream and others put the display name, spaces and all, in the user name.
        fields = value.rsplit(None, 5)
        if len(fields) != 6 or fields[3] != "IN":
            raise SDPError(f"o= is not six fields of the Internet: {value[:80]!r}")
        username, session_id, version, _, family, host = fields
        return cls(username, session_id, version, host, family)

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} IN {self.family} {self.host}"


@attrs.frozen
class Connection:
    """
    A ``c=`` line: where the media goes (RFC 8866 5.7).

    Attributes:
        address: The address as written, with the ``/ttl`` that multicast has.
        family: ``IP4`` or ``IP6``.
    """

    address: str
    family: str = "IP4"

    @classmethod
    def parse(cls, value: str) -> Connection:
        """
        The connection that the text after ``c=`` tells.

        Raises:
            SDPError: It is not ``IN IP4 address`` or ``IN IP6 address``.
        """
        fields = value.split()
        if len(fields) != 3 or fields[0] != "IN" or fields[1] not in FAMILIES:
            raise SDPError(f"c= is no address of the Internet: {value[:80]!r}")
        return cls(fields[2], fields[1])

    @classmethod
    def to(cls, host: str) -> Connection:
        """
        The connection to a numeric address of either family.
        """
        return cls(host, "IP6" if ":" in host else "IP4")

    @property
    def host(self) -> str:
        """
        The address without what multicast adds to it.
        """
        return self.address.partition("/")[0]

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"


FAMILIES = frozenset({"IP4", "IP6"})
"""The address types of RFC 8866 8.2.7."""


@attrs.frozen
class MediaDescription:
    """
    An ``m=`` line and the lines below it (RFC 8866 5.14).

    Attributes:
        kind: ``audio``, ``video``, ``image``, ``application``...
        port: 0 to 65535; 0 is a stream refused or ended (RFC 3264 6, 8.2).
        profile: The transport, such as ``RTP/AVP``, as written.
        formats: For RTP the payload types, as text, preferred first.
        connection: Its own ``c=`` line, if it has one.
        attributes: Its ``a=`` lines in order.
        other: Its other lines whole (``b=AS:64``), those that we do not know too.
        port_count: The number after the slash of ``49170/2``.
    """

    kind: str
    port: int
    profile: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    other: tuple[str, ...] = ()
    port_count: int = 1

    def attribute(self, name: str) -> str | None:
        """
        The value of the first attribute of that name: empty where it has none, ``None`` where there is no such line.
        """
        return first_value(self.attributes, name)

    def lines(self) -> list[str]:
        """
        The description as lines, without their ends.
        """
        port = f"{self.port}/{self.port_count}" if self.port_count != 1 else str(self.port)
        lines = [f"m={self.kind} {port} {self.profile} {' '.join(self.formats)}"]
        _append_body(lines, self.connection, (), self.other, self.attributes)
        return lines


@attrs.frozen
class SessionDescription:
    """
    A whole description (RFC 8866 5).

    Attributes:
        origin: The ``o=`` line.
        connection: The ``c=`` line for the media that have none of their own.
        attributes: The ``a=`` lines that stand before the first ``m=``, in order.
        media: The media descriptions in order; their number and order is kept through a session (RFC 3264 8).
        name: The ``s=`` line.
        times: The ``t=`` lines.
        other: The other lines whole, those that we do not know too.
    """

    origin: Origin
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()
    name: str = "-"
    times: tuple[str, ...] = ("0 0",)
    other: tuple[str, ...] = ()

    def attribute(self, name: str) -> str | None:
        """
        The value of the session's first attribute of that name, as of :meth:`MediaDescription.attribute`.
        """
        return first_value(self.attributes, name)

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """
        The description that a body holds.

        Lines may end in CRLF, or LF alone, and stand in any order within their section; ``s=`` and ``t=`` may be
        missing, for nothing here hangs on them.

        Raises:
            SDPError: The body is none, or over one of the limits above.
        """
        if len(data) > MAX_BYTES:
            raise SDPError(f"a description of {len(data)} bytes; at most {MAX_BYTES} are read")
        # surrogateescape: a session name in Latin-1 is no reason to refuse a call, and comes out as it went in.
        text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        count = text.count("\n") + 1
        if count > MAX_LINES:
            raise SDPError(f"a description of {count} lines; at most {MAX_LINES} are read")
        if text.partition("\n")[0].rstrip() != "v=0":
            raise SDPError("the first line is not v=0")
        if "\r" in text or "\0" in text:
            raise SDPError("a CR or NUL within a line")
        longest = len(text) if len(text) <= MAX_LINE else max(map(len, text.split("\n")))
        if longest > MAX_LINE:
            raise SDPError(f"a line of {longest} characters; at most {MAX_LINE} are read")
        session, *sections = text.split("\nm=")
        if len(sections) > MAX_MEDIA:
            raise SDPError(f"more than {MAX_MEDIA} media descriptions")
        return _session(session.partition("\n")[2], tuple([_media(section) for section in sections]))

    def to_bytes(self) -> bytes:
        """
        The description as a message body, its lines in the order of RFC 8866 9.
        """
        lines = ["v=0", f"o={self.origin}", f"s={self.name}"]
        _append_body(lines, self.connection, self.times, self.other, self.attributes)
        for media in self.media:
            lines += media.lines()
        lines.append("")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def first_value(attributes: tuple[Attribute, ...], name: str) -> str | None:
    """
    The value of the first attribute of a name: empty where it has none, ``None`` where there is no such attribute.
    """
    for key, value in attributes:
        if key == name:
            return value or ""
    return None


def _session(text: str, media: tuple[MediaDescription, ...]) -> SessionDescription:
    first, _, rest = text.partition("\n")
    if first[:2] == "o=" and len(rest) <= MAX_LINE:
        # As nearly everybody writes it; the other lines are the same in every call of a phone.
        origin: Origin | None = Origin.parse(first[2:])
        again, connection, attributes, name, times, other = _kept_lines(rest)
        origin = again or origin
    else:
        origin, connection, attributes, name, times, other = _lines(text)
    if origin is None:
        raise SDPError("there is no o= line")
    return SessionDescription(origin, connection, attributes, media, name, times, other)


_Lines: TypeAlias = (
    "tuple[Origin | None, Connection | None, tuple[Attribute, ...], str, tuple[str, ...], tuple[str, ...]]"
)


def _lines(text: str) -> _Lines:
    """
    What stands above the first ``m=`` line.
    """
    origin: Origin | None = None
    name = "-"
    connection, attributes, times, other = None, [], [], []
    for line in text.split("\n"):
        kind = line[:2]
        if kind == "a=":
            key, colon, value = line[2:].partition(":")
            attributes.append((key, value if colon else None))
        elif kind == "o=":
            origin = Origin.parse(line[2:])
        elif kind == "c=":
            connection = Connection.parse(line[2:])
        elif kind == "s=":
            name = line[2:]
        elif kind == "t=":
            times.append(line[2:])
        elif line:
            other.append(_kept(line))
    return origin, connection, tuple(attributes), name, tuple(times) or ("0 0",), tuple(other)


_kept_lines = lru_cache(maxsize=1024)(_lines)
"""The same, one for each phone of a site: the address is among them."""


def _media(section: str) -> MediaDescription:
    first, _, rest = section.partition("\n")
    fields = first.split()
    if len(fields) < 4:
        raise SDPError(f"m= has less than four fields: {first[:78]!r}")
    if len(fields) > MAX_FORMATS + 3:
        raise SDPError(f"more than {MAX_FORMATS} formats in one m= line")
    port, slash, count = fields[1].partition("/")
    # Keys are secret, and never the same twice: they are not kept.
    below = _below if len(rest) > MAX_LINE or "a=crypto" in rest else _kept_below
    connection, attributes, other = below(rest)
    return MediaDescription(
        fields[0],
        _number(port, 65_535, "port"),
        fields[2],
        tuple(fields[3:]),
        connection,
        attributes,
        other,
        _number(count, 65_535, "number of ports") if slash else 1,
    )


def _below(text: str) -> tuple[Connection | None, tuple[Attribute, ...], tuple[str, ...]]:
    """
    What stands below an ``m=`` line.
    """
    connection, attributes, other = None, [], []
    for line in text.split("\n"):
        kind = line[:2]
        if kind == "a=":
            key, colon, value = line[2:].partition(":")
            attributes.append((key, value if colon else None))
        elif kind == "c=":
            # Multicast may have several; the first counts, and we send to none of them.
            connection = connection or Connection.parse(line[2:])
        elif line:
            other.append(_kept(line))
    return connection, tuple(attributes), tuple(other)


_kept_below = lru_cache(maxsize=256)(_below)
"""The same, for what the few models of a site's phones write in every call."""


def _number(text: str, largest: int, what: str) -> int:
    # isdecimal() first: int() also takes signs, spaces and underscores; isascii(): and digits of other scripts.
    if not (text.isascii() and text.isdecimal()) or len(text) > 5 or int(text) > largest:
        raise SDPError(f"the {what} of m= is {text[:20]!r}")
    return int(text)


def _kept(line: str) -> str:
    if line[1:2] != "=" or not line[0].isalpha():
        raise SDPError(f"a line that is not letter=value: {line[:80]!r}")
    return line


RANKS = {letter: rank for rank, letter in enumerate("vosiuepcbtrzkam")}
"""The order in which RFC 8866 9 has the lines of a section."""


def _append_body(
    lines: list[str],
    connection: Connection | None,
    times: tuple[str, ...],
    other: tuple[str, ...],
    attributes: tuple[Attribute, ...],
) -> None:
    middle = [f"c={connection}"] if connection is not None else []
    middle += [f"t={time}" for time in times]
    if other:
        middle += other
        # A letter that the RFC does not have goes last, before the attributes.
        middle.sort(key=lambda line: RANKS.get(line[0], RANKS["k"]))
    lines += middle
    lines += [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]
