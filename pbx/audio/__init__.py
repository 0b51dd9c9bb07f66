"""
Sound as samples: codecs and generated noise, with no input or output of their own.

In reading order: ``g711``, ``codec`` (all that we speak), ``resampling`` (of a conversation), ``concealment`` (of what
got lost), ``comfort_noise``, ``tones`` (what an exchange says without words), ``keypad`` (the tones of keys),
``polyphase`` (other sample rates, many streams at once), ``limiter``, ``activity`` (who talks).
Of what is said: ``wording`` (the text of a language), ``phrases`` (numbers and times as prompts) with ``english``, and
``mastering`` (recordings made equally loud).
"""
