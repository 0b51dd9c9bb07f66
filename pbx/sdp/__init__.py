"""
Session descriptions (RFC 8866) and the offer/answer model (RFC 3264): bytes to values and back, nothing else.

In reading order: ``session`` (the description as lines), ``fmtp`` (format parameters), ``audio`` (what its audio
stream says), ``offer_answer`` (making offers and answers), ``mapping`` (two legs side by side).
"""
