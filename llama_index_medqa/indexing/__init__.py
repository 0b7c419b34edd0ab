"""From records to an index: documents, chunks, ingestion, archives, updates, Ray.

May import ``embeddings``, ``vector_store``, ``pubmed`` and what stands below them; ``index`` alone imports
``answering``, when it is asked for an engine.
"""
