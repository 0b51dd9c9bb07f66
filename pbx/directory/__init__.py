"""
What is known beforehand: the people and places a call can go to, and the plan that decides where it goes.

In reading order: ``extension`` (one subscriber line as a value), ``directory`` (all of them, in memory),
``dialplan`` (where a request goes, and why).
"""
