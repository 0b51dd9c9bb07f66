"""
PostgreSQL, and everything the exchange keeps in it: the only package that knows SQL.

In reading order: ``embedded`` (the bundled server and its supervision), ``account`` (as whom it runs), ``program`` (one
run of it), ``leftovers`` (what a server that died left behind), ``dsn`` (the connection string), ``failures`` (how a
statement can fail), ``descriptor`` and ``database`` (connections, loss and recovery, notifications), ``migrate`` and
``migrations/`` (the tables), ``system`` (single values: the digest realm), ``passwords`` (hashes of what a person
typed), ``worker`` (changes gathered into batches), ``jsonb`` (JSON that PostgreSQL takes), ``values`` (frozen values as
JSON and back), ``mirror`` (a table kept in memory), ``extensions``, ``handling`` (of their calls), ``places`` (ring
groups, menus, rooms), ``secrets`` (encrypted), ``plan`` (trunks, routes and time conditions), ``rates`` (of trunks),
``switches`` (moved by hand), ``bindings`` (where phones are registered), ``subscriptions`` (what they want to be
told), ``cdr`` (call records), ``outbox`` and ``spool`` (how a call record reaches the database whatever happens to
it), ``mailboxes``, ``voicemail`` (the messages), ``sidecars`` (how a message reaches the database), ``splice``,
``mail`` (on its way), ``alerts``.
"""
