"""
Conference rooms: several people hear each other, and some of them decide over the others.

In reading order: ``chimes`` (what is heard when somebody comes or goes), ``music``, ``attendee`` (one who is there),
``equipment``, ``meeting`` (all who are there), ``rooms`` (all meetings), ``door`` (who is let in), ``keys`` (what can
be done from the phone), ``conference`` (the whole, from the caller's arrival to its leaving).
"""
