"""Guards in front of the application: bodies, rates, signing in, slow clients.

Knows requests and connections, and nothing of questions and answers. May import ``replies`` of the server.
"""
