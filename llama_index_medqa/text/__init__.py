"""Words, sentences, headings, abbreviations, how much a term tells, the language of a text, and text made safe to show.

Knows nothing of records, nodes or claims. May import ``redaction`` and ``errors`` only.
"""
