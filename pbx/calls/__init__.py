"""
Calls: a back-to-back user agent with a leg for each phone, and what is written down about it.

In reading order: ``events`` (what happens to a call, as values), ``leg`` with ``audio`` (one phone's side),
``inbound`` and ``outbound``, ``beyond`` with ``caller``, ``arrival``, ``trunk_leg`` and ``diverted`` (numbers beyond
the house), ``failure`` and ``refusal``, ``routing`` (ringing an extension's phones) with ``hunt`` (one trunk after
another), ``destination`` and ``visit`` (places), ``joint`` (two that talk), ``journey`` with ``meanwhile`` and
``early`` (the way of who looks for somebody, and what it hears), ``transfer``, ``pickup`` and ``replaces``, ``call``
(the whole) with ``failure_tone`` and ``watch``, ``tools`` (what it is built with), ``router`` (asks the dialplan),
``admission`` (how one begins) with ``loops``, ``switchboard`` (all calls, and what becomes of each request) with
``shown``, ``record`` (the CDR, from events alone), ``trace`` (the last messages of each phone).

What keeps the house safe: ``alerts`` (who is told), ``usage`` (of the limits), ``emergency`` (what an emergency call
brings about) with ``notification`` (people are told by telephone), ``exchange_call`` (a call of the exchange's own) and
``callbacks``.

Trunks: ``trunk_targets`` (where a provider is), ``register`` (its requests) and ``registration`` (its life), ``health``
(OPTIONS), ``trunk_line`` (one provider), ``recognition`` (whose request it is), ``trunks`` (all of them).
"""
