"""The queue of requests, and the thread that drafts answers.

Knows event loops and threads, and nothing of questions. May import ``results`` of the server, for its errors.
"""
