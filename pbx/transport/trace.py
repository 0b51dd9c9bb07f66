"""
The trace: someone who may look at every message as it leaves and as it arrives.
"""

from __future__ import annotations

from zope.interface import Interface, implementer


class ITrace(Interface):
    """
    A look at the bytes on the wire. It is called for each message, so it must be quick and must not raise.
    """

    def sent(flow_text: str, data: bytes) -> None:  # noqa: N805
        """
        ``data`` was handed to the flow whose name is ``flow_text``.
        """

    def received(flow_text: str, data: bytes) -> None:  # noqa: N805
        """
        ``data`` arrived on the flow whose name is ``flow_text``: a message as it came, well-formed or not.
        """


@implementer(ITrace)
class NoTrace:
    """
    The trace that looks away.
    """

    def sent(self, flow_text: str, data: bytes) -> None:
        """
        Do nothing.
        """

    def received(self, flow_text: str, data: bytes) -> None:
        """
        Do nothing.
        """
