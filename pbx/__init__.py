"""
A private telephone exchange on Twisted: SIP, RTP, calls and what people do with them.

In reading order, from the lowest floor up: ``tasks``, ``sip``, ``sdp``, ``rtp``, ``stun``, ``audio``, ``transport``,
``transaction``, ``dialog``, ``media``, ``directory``, ``registrar``, ``calls``, ``features``, ``store``, ``ops``,
``web``; ``furniture``, ``lamps``, ``mailroom``, ``lines`` (each some of these put together), ``status`` and
``reloading`` (all of them looked at, and reconfigured), ``tap``, which builds everything; and beside them ``cli``.
"""
