"""
The places a leg can be sent to, and what goes on beside calls.

Each is an :class:`~pbx.calls.destination.IDestination`: a coroutine that serves one caller, cancelled when the caller
hangs up. What a feature needs of the database it declares as an interface of its own.

In reading order: ``asking`` (keys asked of a caller), ``announcement``, ``ring_group``, ``menu`` (the auto attendant),
``dial_by_name``, ``follow_me`` (whoever picks up is asked), ``star`` (an extension switches how it is handled),
``night_switch``, ``refusal`` and ``emergency`` (why a call beyond the house fails), ``conference``.
What phones show: ``presence`` (who does what), ``blf``, ``pidf``, ``mwi``.
What is said and played: ``recordings`` (files that people bring), ``speaker`` (a voice), ``speech`` (texts spoken),
``prompts``, ``music``. What is written: ``mail``. A package of its own: ``voicemail``.
"""
