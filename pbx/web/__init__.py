"""
The REST API and the pages over https.

In reading order: ``problems``, ``routes``, ``app``, ``server``, ``starting``, ``identity``, ``local_operator``; then
the resources ``status``, ``extensions`` (with ``passwords``), ``calls``, ``blocks``, ``first_admin`` (with
``hashing``); and ``site``, which puts them together.
"""
