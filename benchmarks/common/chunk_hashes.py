"""Everything of every chunk of an index, in short: are two indexes the same?"""

import hashlib
import json

from llama_index_medqa import PubMedVectorStore


def chunk_hashes(store: PubMedVectorStore) -> dict[str, str]:
    """Return a hash of everything of every chunk, vector included, by node id."""
    return {
        row.node_id: hashlib.sha256(
            json.dumps([row.text, row.metadata], sort_keys=True).encode() + row.vector.tobytes()
        ).hexdigest()
        for page in store.pages(vectors=True)
        for row in page
        if row.vector is not None
    }
