"""
Media: RTP sessions on their ports, joined in pairs, measured, and kept apart from strangers.

In reading order: ``settings``, ``ports`` (which ports), ``sockets``, ``alarm`` and ``poller`` (the one reader of them
all), ``latch`` (whose packets are taken), ``srtp``, ``incoming`` and ``outgoing`` (the way of a packet), ``express``
(the short one), ``reports`` (RTCP), ``quality``, ``session`` (one leg's media), ``pacer``; ``jitter``, ``hearing`` and
``speaking`` (sound as samples), ``dtmf`` (keys), ``transcoder``, ``comfort``, ``bridge`` (two sessions joined),
``kept`` (sockets between two sessions), ``engine`` (all sessions); ``room_sound``, ``room``, ``mixing`` and ``mixer``
(conferences).

What the exchange says itself: ``sound`` (its frames in each codec), ``decoding`` (files), ``sounds`` (the library),
``player``, ``listeners`` (many at once) and ``music`` (on hold); ``recorder`` (to a file) and ``take`` (of a leg);
``keys`` and ``ear`` (of the caller); ``terminal`` (all of it, for a place that a caller is sent to).
"""
