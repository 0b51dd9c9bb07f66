"""
Dialogs and the INVITE usage: what two user agents keep of each other between requests (RFC 3261 12 to 15).

In reading order: ``dialog`` (identifiers, route set), ``session_timer`` (RFC 4028), ``acknowledgement`` (2xx until
ACK), ``reliable`` (RFC 3262), ``user``, ``offer``, ``reopening``, ``credentials`` (401 and 407 answered), ``exchange``,
``refresh``, ``update``, ``subscription`` (RFC 6665), ``refer`` (RFC 3515), ``subscriber`` and ``notifier`` (SUBSCRIBE
outside a dialog), ``notice`` (a NOTIFY outside of any), ``requests`` (the peer's), ``session`` (the INVITE usage),
``incoming`` and ``outgoing`` (an INVITE received, an INVITE sent), ``useragent`` (the core that finds each dialog),
``inquiry`` (a request outside a dialog, awaited).
"""
