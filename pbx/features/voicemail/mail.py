"""
The mail about a message: what it says, and to whom.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from jinja2 import Environment

from pbx.directory.star_codes import USUAL
from pbx.features.mail import Mail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pbx.features.voicemail.mailboxes import Mailbox, Message

SUBJECT_LENGTH: Final = 200
"""Characters of a subject at most: a caller's name comes from outside."""

_environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_plain = Environment(autoescape=False, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - text/plain

TEXT = _plain.from_string("""\
{{ who }} left a message in mailbox {{ mailbox }}{% if name %} ({{ name }}){% endif %}.

From:      {{ caller }}
Received:  {{ received }}
Duration:  {{ duration }}
{% if forwarded_by %}
Forwarded by {{ forwarded_by }}.
{% endif %}
{% if urgent %}
The caller marked it as urgent.
{% endif %}

{% if attached %}The message is attached. {% endif %}{% if dial %}Dial {{ dial }} to hear it by phone.{% endif %}

""")

HTML = _environment.from_string("""\
<!DOCTYPE html>
<html><body>
<p>{{ who }} left a message in mailbox {{ mailbox }}{% if name %} ({{ name }}){% endif %}.</p>
<table>
<tr><td>From</td><td>{{ caller }}</td></tr>
<tr><td>Received</td><td>{{ received }}</td></tr>
<tr><td>Duration</td><td>{{ duration }}</td></tr>
{% if forwarded_by %}
<tr><td>Forwarded by</td><td>{{ forwarded_by }}</td></tr>
{% endif %}
</table>
{% if urgent %}
<p><strong>The caller marked it as urgent.</strong></p>
{% endif %}
<p>{% if attached %}The message is attached. {% endif %}{% if dial %}Dial {{ dial }} to hear it by phone.{% endif %}</p>
</body></html>
""")


class Letters:
    """
    Writes the mail about messages.

    Args:
        address_of: The address of the person whose extension it is, or ``None``.
        name_of: That person's name, or nothing.
        zone: The zone that times are told in; ``None`` for the machine's.
        star_codes: The features by their codes.
    """

    def __init__(
        self,
        address_of: Callable[[str], str | None],
        name_of: Callable[[str], str] = lambda number: "",
        zone: dt.tzinfo | None = None,
        star_codes: Mapping[str, str] = USUAL,
    ) -> None:
        self._address_of = address_of
        self._name_of = name_of
        self._zone = zone
        self._codes = {feature: code for code, feature in star_codes.items()}

    def compose(self, message: Message, mailbox: Mailbox) -> Mail | None:
        """
        The mail about a message; ``None`` when there is nobody to write to.
        """
        address = mailbox.email or self._address_of(mailbox.number)
        if not address:
            return None
        caller = _caller(message)
        duration = _duration(message.seconds)
        values = {
            "who": caller if message.caller else "An anonymous caller",
            "caller": caller,
            "mailbox": mailbox.number,
            "name": mailbox.name or self._name_of(mailbox.number),
            "received": message.received.astimezone(self._zone).strftime("%A, %d %B %Y, %H:%M:%S %Z"),
            "duration": duration,
            "forwarded_by": message.forwarded_by,
            "urgent": message.urgent,
            "attached": mailbox.attach,
            "dial": self._dial(mailbox),
        }
        urgent = "Urgent voicemail" if message.urgent else "Voicemail"
        subject = " ".join(f"{urgent} from {caller} ({duration})".split())
        return Mail(
            recipient=address,
            subject=subject[:SUBJECT_LENGTH],
            text=TEXT.render(values),
            html=HTML.render(values),
            message=message.id,
            attachment=f"{mailbox.number}/{message.path.name}" if mailbox.attach else None,
        )

    def _dial(self, mailbox: Mailbox) -> str:
        """
        What an owner dials to hear the messages; empty where there is no such code.
        """
        if mailbox.owners:
            # Its owners' own code leads to mailboxes of their own.
            code = self._codes.get("voicemail_of")
            return "" if code is None else f"{code}{mailbox.number}"
        return self._codes.get("voicemail", "")


def _caller(message: Message) -> str:
    if not message.caller:
        return "an anonymous caller"
    if message.caller_name and message.caller_name != message.caller:
        return f"{message.caller_name} <{message.caller}>"
    return message.caller


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
