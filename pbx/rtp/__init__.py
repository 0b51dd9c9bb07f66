"""
RTP and RTCP: bytes to values and back, and what can be reckoned from them (RFC 3550).

In reading order: ``packet`` (the header, also read in place), ``telephone_event`` (digits as RTP payload),
``statistics`` (loss, jitter and round-trip time), ``rtcp`` (reports), ``emodel`` (what a person would have heard).
"""
