"""The adapter of any other LlamaIndex vector store, with a folder beside it.

LlamaIndex's interface promises little: nodes can be added, deleted by document, and the nearest found. So the store
finds the nearest, as every one can, and a file in the folder keeps all else: texts, metadata, vectors and the state
record. May import what ``vector_store`` may.
"""
