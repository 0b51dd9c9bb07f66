"""
Calls: a back-to-back user agent with a leg for each phone, and what is written down about it.

In reading order: ``events`` (what happens to a call, as values), ``leg`` with ``audio`` (one phone's side),
``inbound`` and ``outbound``, ``routing`` (ringing an extension's phones), ``call`` (the whole), ``loops``,
``switchboard`` (all calls, and who may make one), ``record`` (the CDR, from events alone), ``trace`` (the last messages
of each phone).
"""
