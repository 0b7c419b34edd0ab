"""Hashes of all chunks of an index, to compare two indexes."""

import hashlib
import json

from llama_index_medqa.vector_store.chunk_store import ChunkStore


def chunk_hashes(store: ChunkStore) -> dict[str, str]:
    """Return a hash of each chunk with its vector, by node id."""
    return {
        row.node_id: hashlib.sha256(
            json.dumps([row.text, row.metadata], sort_keys=True).encode() + row.vector.tobytes()
        ).hexdigest()
        for page in store.pages(vectors=True)
        for row in page
        if row.vector is not None
    }
