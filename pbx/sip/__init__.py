"""
SIP as values: bytes to messages and back, with no I/O, no clock and no framework.

In reading order: ``error``, ``grammar``, ``uri``, ``address``, ``via``, ``headers``, ``reasons``, ``message``,
``parser``, ``token``; then what messages carry: ``digest``, ``dialled``, ``multipart``, ``event``, ``replaces``,
``refer``, ``diversion``, ``history_info``, ``sipfrag``, ``dtmf_info``, ``xml_text``, ``dialog_info``, ``pidf``,
``pidf_lo``, ``message_summary``.
"""
