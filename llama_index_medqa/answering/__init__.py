"""From a question to an answer: context, draft, verification of each sentence, and the response.

May import ``retrieval``, ``verification``, ``llms`` and what stands below them.
"""
