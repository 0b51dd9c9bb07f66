"""
What the operator touches: settings, logs, certificates, and the shell into the running process.

In reading order: ``place``, ``options``, ``strict``, ``section``, ``sections``, ``plan_sections``,
``contradictions`` (with ``plan_checks``), ``routing_cases`` (with ``case_sections``), ``settings``, ``reload``,
``below``, ``lock``, ``lines``, ``logs``, ``terminal``, ``certificate``, ``banner``, ``lag``, ``manhole``, ``shell``,
``letter``, ``mail_server``, ``smtp``, ``mail``, ``alerts``.
"""
