"""
What the transaction layer has counted since its start.
"""

from __future__ import annotations

from attrs import define


@define
class Counters:
    """
    Plain numbers that only grow.

    Attributes:
        requests_received: New requests given to the user, and CANCELs that matched.
        requests_sent: Client transactions begun, CANCELs among them.
        retransmissions_received: Requests that came again.
        retransmissions_sent: Requests and refusals sent again because a timer fired.
        timeouts: Transactions that ended for want of an answer or of an ACK.
        transport_failures: Transactions whose message could not be sent, or whose connection ended.
        refused: Requests beyond the caps answered 503.
        dropped: Requests beyond the caps not answered at all.
        evicted: Answered transactions of strangers forgotten early.
        stray_responses: Responses that matched no transaction.
        malformed: Messages without the headers that a transaction is found by.
    """

    requests_received: int = 0
    requests_sent: int = 0
    retransmissions_received: int = 0
    retransmissions_sent: int = 0
    timeouts: int = 0
    transport_failures: int = 0
    refused: int = 0
    dropped: int = 0
    evicted: int = 0
    stray_responses: int = 0
    malformed: int = 0
