"""
What somebody must see to, and what was used of the limits on calls beyond the house.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pbx.cli.offer import command, path
from pbx.cli.tables import table

if TYPE_CHECKING:
    import argparse

    from pbx.cli.api import Api

ALERTS = [
    ("ID", "id"),
    ("SINCE", "began"),
    ("KIND", "kind"),
    ("SUBJECT", "subject"),
    ("STATE", "state"),
    ("ACKNOWLEDGED", "acknowledged_by"),
    ("TEXT", "text"),
]

USAGE = [
    ("PAYER", "payer"),
    ("CALLS", "calls"),
    ("SECONDS", "seconds"),
    ("SPENT", "spent"),
]


async def alerts_list(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What is open, or all there was.
    """
    answer = await api.ask("GET", "/api/alerts?state=all" if options.all else "/api/alerts")
    rows = [{**alert, "text": alert["text"].replace("\n", "; ")} for alert in answer["alerts"]]
    return answer, table(rows, ALERTS, "There are no alerts.")


async def alerts_ack(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    Somebody takes note.
    """
    answer = await api.ask("POST", path("alerts", options.id, "acknowledge"))
    left = "" if answer["state"] == "settled" else "; it stays open until it is well again"
    return answer, f"Alert {answer['kind']} {answer['subject']} was acknowledged{left}."


async def usage(api: Api, options: argparse.Namespace) -> tuple[Any, str]:
    """
    What was used today.
    """
    answer = await api.ask("GET", "/api/usage")
    return answer, table(answer["usage"], USAGE, "Nobody has called beyond the house today.")


def offer(commands: Any) -> None:
    """
    What of this can be typed.
    """
    show = command(commands, "alerts", alerts_list, "list what somebody must see to, the latest first")
    show.add_argument("--all", action="store_true", help="also the last ones that were settled")
    take = command(show.add_subparsers(metavar="ACTION"), "ack", alerts_ack, "take note of an alert")
    take.add_argument("id", help="as pbxctl alerts shows it")
    command(commands, "usage", usage, "show what each extension has used today of its limits beyond the house")
