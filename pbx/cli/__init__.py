"""
``pbxctl``: the exchange from the command line, through its REST API and nothing else.

In reading order: ``api.py``, ``tables.py`` (what people are shown), ``offer.py`` (what can be typed),
``exchange.py`` (extensions, calls and the exchange itself), ``people.py`` (how calls are handled, who does what),
``alerts.py`` (what somebody must see to), ``voicemail.py`` (with its mail), ``places.py`` (conferences, ring groups,
menus), ``sounds.py`` (prompts, music), ``settings.py`` (``SETTING=VALUE``), ``trunks.py`` (with rates and permissions),
``routes.py`` (with time conditions and night switches), ``route.py`` (where a call would go), ``command.py`` (the
command itself).
"""
