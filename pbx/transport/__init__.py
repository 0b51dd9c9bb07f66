"""
Flows: how SIP messages reach their peers and come from them (RFC 3261 18).

In reading order: ``flow`` (one way to one peer), ``trace`` (who may look on), ``settings``, ``guard`` (who is let
in), ``via`` (what is stamped on a request that arrives), ``udp``, ``stream`` (TCP and TLS), ``tls`` (contexts),
``connections`` (the streams now open), ``addresses`` (those of this machine), ``resolver`` (a URI to where it can be
sent, RFC 3263) and ``layer``, which owns them all.
"""
