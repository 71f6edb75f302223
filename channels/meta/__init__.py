"""Meta's networks: a Facebook page (`facebook`) and an Instagram account (`instagram`) by the Graph API.

Both are polled; importing this costs nothing, the HTTP library is loaded by the first request.
"""
