"""
The transaction layer: one request and the answers to it, over transports that lose and repeat (RFC 3261 section 17).

The files in reading order: ``timers`` and ``effects`` are the words the machines speak; ``invite_client``,
``invite_server``, ``client`` and ``server`` are the four machines, as tables; ``hop_by_hop`` builds the ACK and the
CANCEL that a transaction sends itself; ``matching`` says which message belongs to which transaction; ``timer_queue``
and ``wheel`` keep the time; ``limits`` says how many strangers are let in; ``user`` is what the floor above must be;
``running``, ``client_transaction`` and ``server_transaction`` run one machine each; ``layer`` joins it all.
"""
