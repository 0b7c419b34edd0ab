"""What a text is made of: words, sentences, abbreviations, search terms, its language, orders to a model.

Knows nothing of records, nodes or claims. Imports the standard library, snowballstemmer, numpy and ``errors`` only.
"""
