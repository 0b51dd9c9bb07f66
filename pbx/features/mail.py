"""
A mail that the exchange writes of its own accord: about a voicemail message, an alert, an emergency call.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Mail:
    """
    A mail to be sent.

    Attributes:
        recipient: The address.
        subject: One line.
        text: The body as plain text.
        html: The body as HTML, or ``None``.
        message: What it tells of, or ``None``: the id of a voicemail message, or ``alert:`` with the id of an alert and
            what became of that. Nobody gets two mails about the same.
        attachment: The audio to go with it, as mailbox and file name (``1002/....wav``), or ``None``.
    """

    recipient: str
    subject: str
    text: str
    html: str | None = None
    message: str | None = None
    attachment: str | None = None
