"""
Sound as samples: codecs and generated noise, with no input or output of their own.

In reading order: ``g711``, ``comfort_noise``, ``tones`` (what an exchange says without words),
``polyphase`` (other sample rates), ``limiter``, ``activity`` (who talks).
"""
