"""
How many messages wait in a mailbox: ``application/simple-message-summary`` (RFC 3842 5.2).
"""

from __future__ import annotations

import re

from attrs import frozen

from pbx.sip.error import ParseError

MESSAGE_SUMMARY = "application/simple-message-summary"
"""The content type."""

_voice = re.compile(r"([0-9]{1,9})/([0-9]{1,9})(?:[ \t]*\(([0-9]{1,9})/([0-9]{1,9})\))?").fullmatch


@frozen(slots=True)
class MessageSummary:
    """
    The voice messages of a mailbox.

    Attributes:
        new: Those not heard yet, urgent ones among them.
        old: Those heard and kept.
        new_urgent: The urgent ones of the new.
        old_urgent: The urgent ones of the old.
        account: The mailbox's address, ``None`` to say nothing of it.
    """

    new: int = 0
    old: int = 0
    new_urgent: int = 0
    old_urgent: int = 0
    account: str | None = None

    @classmethod
    def parse(cls, body: bytes) -> MessageSummary:
        """
        One from the body of a NOTIFY.

        Raises:
            ParseError: It says nothing of voice messages that can be understood.
        """
        fields: dict[str, str] = {}
        for line in body.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name.strip().lower(), value.strip())
        found = _voice(fields.get("voice-message", ""))
        if found is None:
            raise ParseError("Malformed message summary")
        new, old, new_urgent, old_urgent = [int(count or 0) for count in found.groups()]
        return cls(new, old, new_urgent, old_urgent, fields.get("message-account") or None)

    def to_bytes(self) -> bytes:
        """
        The body of a NOTIFY.

        Raises:
            ValueError: The account holds a line break.
        """
        if self.account is not None and ("\r" in self.account or "\n" in self.account):
            raise ValueError("an account holds no line break")
        lines = [f"Messages-Waiting: {'yes' if self.new else 'no'}"]
        if self.account is not None:
            lines.append(f"Message-Account: {self.account}")
        lines.append(f"Voice-Message: {self.new}/{self.old} ({self.new_urgent}/{self.old_urgent})")
        return "".join([f"{line}\r\n" for line in lines]).encode()
