"""From records to an index: documents, chunks, the writing of differences, archives, updates, many machines.

May import ``embeddings``, ``vector_store``, ``pubmed`` and what stands below them; ``index`` alone imports
``answering``, when it is asked for an engine.
"""
