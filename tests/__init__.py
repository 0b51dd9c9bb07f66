"""
The tests, one folder a package of ``pbx``; ``wire`` holds those with real sockets and real clients.
"""
