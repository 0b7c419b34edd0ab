"""The adapter of Milvus: a cluster or a server, and Milvus Lite in this process, by one client.

Rows lie in one collection, the state record in another beside it (``COLLECTION_state``). May import what
``vector_store`` may, and pymilvus.
"""
