"""
The REST API and the pages over https.
"""
