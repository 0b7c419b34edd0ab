"""Words, sentences, abbreviations and the language of a text.

Also headings, term weights (inverse document frequency) and text made safe to show.

Knows nothing of records, nodes or claims. May import ``redaction`` and ``errors`` only.
"""
