"""
The REST API and the pages over https.

In reading order: ``problems``, ``routes``, ``changes``, ``app``, ``server``, ``starting``, ``identity``,
``local_operator``; then the resources ``status``, ``extensions`` (with ``passwords``), ``handling`` (of their calls),
``ring_groups`` and ``menus`` (with ``destinations``, ``places`` and ``place_resource``), ``conferences``, ``voicemail``
and ``mail``, ``trunks``, ``rates``, ``outbound_routes``, ``inbound_routes`` and ``time_conditions`` (with ``plan`` and
``plan_resource``), ``permissions``, ``route`` (where a call would go), ``calls``, ``transfers``, ``presence``,
``blocks``, ``alerts``, ``usage``, ``reload``, ``prompts`` and ``music`` (with ``files``), ``first_admin`` (with
``hashing``); and ``site``, which puts them together.
"""
