"""
STUN, as far as one's own address outside is asked for (RFC 8489): ``binding.py`` writes the question and reads the
answer.
"""
