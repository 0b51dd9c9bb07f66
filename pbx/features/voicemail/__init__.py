"""
Voicemail: callers leave messages, owners hear them, and mail tells of them.

In reading order: ``mailboxes`` (what a mailbox and a message are, and what is asked of where they are kept), ``pin``
(which PINs will do), ``choosing`` (prompts that are answered by a key), ``deposit`` (a message is left), ``retrieval``
(a mailbox is opened), ``listening`` (messages are heard), ``envelope`` (what is said of one), ``passing_on`` (one is
forwarded), ``options`` (greetings and PIN), ``mail`` (what is written of one), ``retention`` (old ones go).
"""
