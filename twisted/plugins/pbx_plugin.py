"""
The ``pbx`` command of ``twistd``.
"""

from twisted.application.service import ServiceMaker

pbx = ServiceMaker(
    "pbx",
    "pbx.tap",
    "A telephone exchange: SIP and RTP, the REST API and the database, in one process.",
    "pbx",
)
