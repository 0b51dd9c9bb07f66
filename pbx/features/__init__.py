"""
The places a leg can be sent to, and what goes on beside calls.

Each is an :class:`~pbx.calls.destination.IDestination`: a coroutine that serves one caller, cancelled when the caller
hangs up. What a feature needs of the database it declares as an interface of its own.
"""
