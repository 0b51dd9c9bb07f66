"""
The header rows of a message (RFC 3261 7.3).
"""

from __future__ import annotations

from typing import Any

from pbx.sip.error import ParseError

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition", "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length", "m": "Contact",
    "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
    "x": "Session-Expires", "y": "Identity",
}  # fmt: skip
"""The one-letter names of the IANA registry."""

_KNOWN = [
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Accept-Resource-Priority", "Alert-Info",
    "Allow", "Allow-Events", "Answer-Mode", "Authentication-Info", "Authorization", "Call-ID", "Call-Info",
    "Contact", "Content-Disposition", "Content-Encoding", "Content-ID", "Content-Language", "Content-Length",
    "Content-Type", "CSeq", "Date", "Diversion", "Encryption", "Error-Info", "Event", "Expires", "Feature-Caps",
    "Flow-Timer", "From", "Geolocation", "Geolocation-Error", "Geolocation-Routing", "Hide", "History-Info",
    "Identity", "Identity-Info", "In-Reply-To", "Info-Package", "Join", "Max-Breadth", "Max-Forwards",
    "MIME-Version", "Min-Expires", "Min-SE", "Organization", "Origination-Id", "P-Access-Network-Info",
    "P-Asserted-Identity", "P-Asserted-Service", "P-Associated-URI", "P-Called-Party-ID",
    "P-Charging-Function-Addresses", "P-Charging-Vector", "P-Early-Media", "P-Preferred-Identity",
    "P-Preferred-Service", "P-RTP-Stat", "P-Visited-Network-ID", "Path", "Permission-Missing", "Policy-Contact",
    "Policy-ID", "Priority", "Priv-Answer-Mode", "Privacy", "Proxy-Authenticate", "Proxy-Authentication-Info",
    "Proxy-Authorization", "Proxy-Require", "RAck", "Reason", "Recv-Info", "Record-Route", "Refer-Events-At",
    "Refer-Sub", "Refer-To", "Referred-By", "Reject-Contact", "Remote-Party-ID", "Replaces", "Reply-To",
    "Request-Disposition", "Require", "Resource-Priority", "Response-Key", "Retry-After", "Route", "RSeq",
    "Security-Client", "Security-Server", "Security-Verify", "Server", "Service-Route", "Session-Expires",
    "Session-ID", "SIP-ETag", "SIP-If-Match", "Subject", "Subscription-State", "Supported", "Suppress-If-Match",
    "Target-Dialog", "Timestamp", "To", "Trigger-Consent", "Unsupported", "User-Agent", "User-To-User", "Via",
    "Warning", "WWW-Authenticate",
]  # fmt: skip


NAMES: dict[str, str] = {}
"""Every usual spelling of a known name to the one we write."""
for _name in _KNOWN:
    NAMES[_name] = NAMES[_name.lower()] = NAMES[_name.upper()] = _name
for _letter, _name in _COMPACT.items():
    NAMES[_letter] = NAMES[_letter.upper()] = NAMES[_name]


def spelling(name: str) -> str:
    """
    The name we write for a name as it was met: a known one as the RFC spells it, any other as it is.
    """
    return NAMES.get(name) or NAMES.get(name.lower()) or name


WRITABLE = frozenset(_KNOWN) - {"Content-Length"}
"""The names that need no look before a row is written: spelled as the RFC has them."""


class Headers:
    """
    Names and values in order; a name may return. Names are compared without case, and written as the RFC spells them.

    ``Content-Length`` is not among them: it belongs to the framing, and is written when the message is.

    Attributes:
        memo: What was read from these rows, by whatever name the reader chose; emptied by each change.
    """

    __slots__ = ("_first", "_rows", "memo")

    def __init__(self, rows: list[tuple[str, str]] | None = None, first: dict[str, str] | None = None) -> None:
        """
        Headers from rows.

        Args:
            rows: Name and value each; kept, not copied, and spelt as :func:`spelling` has it.
            first: The first value of each name, when the caller has it already.
        """
        self._rows = [] if rows is None else rows
        self._first = first
        self.memo: dict[str, Any] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]  # they change

    def __repr__(self) -> str:
        return f"Headers({self._rows!r})"

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str) -> str | None:
        """
        The value of the first row of that name.
        """
        first = self._first
        if first is None:
            first = self._index()
        value = first.get(name)
        # Most that is asked for and not there is asked for by the name we write.
        if value is not None or name in WRITABLE:
            return value
        known = NAMES.get(name) or NAMES.get(name.lower())
        if known is not None:
            return first.get(known)
        wanted = name.lower()
        for key, text in self._rows:
            if key.lower() == wanted:
                return text
        return None

    def single(self, name: str) -> str | None:
        """
        The value of a header that may stand once only.

        Raises:
            ParseError: It stands more than once.
        """
        first = self._first
        if first is not None and len(first) == len(self._rows) and name in WRITABLE:
            # No name returns, as in most messages.
            return first.get(name)
        value = self.get(name)
        if value is not None and len(self._rows) != len(self._first or ()) and len(self.get_all(name)) > 1:
            raise ParseError(f"Several {name} headers")
        return value

    def get_all(self, name: str) -> list[str]:
        """
        The values of all rows of that name, in order.
        """
        value = self.get(name)
        if value is None:
            return []
        first = self._first
        if first is not None and len(first) == len(self._rows) and name in WRITABLE:
            return [value]
        name = spelling(name)
        if first is not None and len(first) == len(self._rows) and name in NAMES:
            return [first[name]]
        values = [value for key, value in self._rows if key == name]
        if name in NAMES:
            return values
        name = name.lower()
        return [value for key, value in self._rows if key.lower() == name]

    def add(self, name: str, value: str) -> None:
        """
        Put a row after all others.
        """
        if self._first is not None or self.memo:
            self._changed()
        self._rows.append((name if name in WRITABLE else _writable(name), value))

    def prepend(self, name: str, value: str) -> None:
        """
        Put a row before all others.
        """
        self._changed()
        self._rows.insert(0, (_writable(name), value))

    def set(self, name: str, value: str) -> None:
        """
        Replace all rows of that name by one, in the place of the first, or after all others.
        """
        self._replace(_writable(name), value)

    def set_first(self, name: str, value: str) -> None:
        """
        Replace the value of the first row of that name, leaving the others.

        Raises:
            KeyError: There is no such row.
        """
        if name not in WRITABLE:
            name = _writable(name)
        wanted = name.lower()
        for at, (key, _) in enumerate(self._rows):
            if key == name or key.lower() == wanted:
                self._rows[at] = (key, value)
                if self._first is not None:
                    self._first[key] = value
                self.memo = {}
                return
        raise KeyError(name)

    def remove(self, name: str) -> None:
        """
        Take all rows of that name out; none is no error.
        """
        self._replace(spelling(name), None)

    def items(self) -> list[tuple[str, str]]:
        """
        All rows in order.
        """
        return self._rows.copy()

    def copy(self) -> Headers:
        """
        Headers with the same rows, to be changed on their own.
        """
        return Headers(self._rows.copy())

    def rows_of(self, names: frozenset[str]) -> list[tuple[str, str]]:
        """
        The rows, in order, whose names are among these, given as the RFC spells them.
        """
        return [row for row in self._rows if row[0] in names]

    def _index(self) -> dict[str, str]:
        rows = self._rows
        first = dict(rows)
        if len(first) != len(rows):
            first = dict(reversed(rows))
        self._first = first
        return first

    def _changed(self) -> None:
        self._first = None
        if self.memo:
            self.memo = {}

    def _replace(self, name: str, value: str | None) -> None:
        wanted = name.lower()
        rows = []
        pending = value
        for row in self._rows:
            if row[0].lower() != wanted:
                rows.append(row)
            elif pending is not None:
                rows.append((name, pending))
                pending = None
        if pending is not None:
            rows.append((name, pending))
        self._changed()
        self._rows = rows


def _writable(name: str) -> str:
    name = spelling(name)
    if name == "Content-Length":
        raise ValueError("Content-Length is written with the message")
    return name
