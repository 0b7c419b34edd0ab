"""One warm process with a web page, a JSON API, OpenAI's API and MCP.

Knows how a request becomes a call of the engine and an answer becomes JSON, HTML or events. May import everything but
``cli``. Needs the extra ``server``.
"""
