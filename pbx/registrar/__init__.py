"""
Who a phone is, and where it can be reached (RFC 3261 10 and 22).

In reading order: ``nonces`` (what a challenge asks), ``authenticator`` (digest), ``binding`` and ``location`` (where
each extension's phones are), ``registrar`` (REGISTER), ``keepalive`` (holding NAT mappings open).
"""
