"""
What is known beforehand: the people and places a call can go to, and the plan that decides where it goes.

In reading order: ``handling`` (what an extension wants done with its calls), ``permissions`` (what it may call beyond
the house), ``extension`` (one subscriber line as a value), ``directory`` (all of them, in memory), ``star_codes`` (what
a phone dials to switch something), ``places`` (ring groups, menus and rooms, in memory).

Beyond the house: ``trunk``, ``outbound_route``, ``inbound_route``, ``time_condition``, ``rates``, ``emergency`` and
``plan`` (all of these as one value); ``switches`` (night switches, in memory), ``rate_list`` (what calls cost, as
providers send it), ``plan_uses`` (who in a plan names what), ``outside`` (a call out, as it is handed on).

The decision: ``decision`` (what is asked and answered), ``situation`` (all that may be looked at), ``dialplan`` (where
a request goes, and why); and what it asks: ``star_call``, ``inbound`` (the way in), ``outbound`` (the way out),
``own_number`` (a way out that would lead back in), ``toll`` (who may), ``emergency_call``, ``opening`` (is it open),
``numbering`` (what a number is), ``pattern``. What asks it: ``forwarding`` (where calls may be sent). Calls that are
only thought of: ``simulation`` (what is otherwise than it is), ``explain`` (the tree of what would follow).
"""
