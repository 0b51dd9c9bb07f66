"""
What is known beforehand: the people and places a call can go to, and the plan that decides where it goes.

In reading order: ``handling`` (what an extension wants done with its calls), ``extension`` (one subscriber line as a
value), ``directory`` (all of them, in memory), ``star_codes`` (what a phone dials to switch something), ``dialplan``
(where a request goes, and why), ``places`` (ring groups, menus and rooms, in memory), ``switches``
(night switches, in memory), ``rate_list`` (what calls cost, as providers send it).
"""
