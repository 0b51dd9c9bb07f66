"""
Ring 5: the running exchange on real sockets, with the clients people use.

:mod:`.process` runs programs beside a test, :mod:`.exchange` the PBX as a user would start it. :mod:`.sound` makes
what is said into a phone and finds it in what another one recorded. :mod:`.baresip` is a phone; :mod:`.sipp` drives
scenarios that no phone can be talked into; :mod:`.rtp_generator` sends media whose loss, jitter and round trip are
known; :mod:`.namespaces` puts phones behind address translation. Beyond the house there are :mod:`.kamailio`, a
provider with a registrar, :mod:`.carrier`, providers that fail as they are told, and :mod:`.names`, a name server.
"""
