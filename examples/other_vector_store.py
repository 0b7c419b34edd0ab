"""An index on a vector store that LlamaIndex has an integration for: Qdrant, in a folder, without a server.

Needs `pip install "llama-index-vector-stores-qdrant>=0.10,<0.11"`.
"""

import tempfile

import qdrant_client
from llama_index.vector_stores.qdrant import QdrantVectorStore
from papers import PAPERS, index_of

from llama_index_medqa import MedQAQueryEngine, PubMedReader


def main() -> None:
    """Builds an index on Qdrant, says what the store can do, and asks a question."""
    # With a server: QdrantClient("http://127.0.0.1:6333"), and leave index_doc_id out, which is for servers.
    client = qdrant_client.QdrantClient(path=tempfile.mkdtemp(prefix="medqa-qdrant-"))
    store = QdrantVectorStore("papers", client=client, index_doc_id=False)
    index = index_of(PubMedReader().lazy_load_data(PAPERS), vector_store=store)
    print(index.store.capabilities.report())
    print(MedQAQueryEngine.from_index(index, "extractive").query("Does green tea lower the resting heart rate?"))
    client.close()


if __name__ == "__main__":
    main()
