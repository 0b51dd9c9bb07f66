"""
Flows: how SIP messages reach their peers and come from them (RFC 3261 18).

In reading order: ``flow`` (one way to one peer), ``trace`` (who may look on), ``settings``, ``source`` (who a sender
is counted as), ``guard`` (who is let in), ``reception`` (from bytes to the receiver of messages), ``doorstep`` (who
receives them while the exchange starts), ``udp`` with ``batch`` (many datagrams at once), ``stream`` (one TCP or TLS
connection), ``tls`` (certificates), ``connections`` (all streams now open), ``interfaces`` (the addresses of this
machine), ``naming`` (what we call ourselves), ``layer``, which owns all these; ``lookup`` (names and addresses) and
``resolver`` (from a URI to where it can be sent, RFC 3263); and ``stun`` (which address of ours is seen outside, RFC
8489).
"""
