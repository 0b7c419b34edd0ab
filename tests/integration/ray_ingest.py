"""Ingests files by a Ray cluster with the embedder that counts words; prints the progress, then the report as JSON."""

import json
import sys
from dataclasses import asdict

from llama_index_medqa import PubMedIndex, TokenNodeParser
from llama_index_medqa.indexing.ray_ingestion import ingest_with_ray, ray_cluster
from llama_index_medqa.testing import HashEmbedding


def main() -> None:
    address, port, collection, tokenizer, *files = sys.argv[1:]
    index = PubMedIndex.open(
        host="127.0.0.1", port=int(port), collection_name=collection, create=True, embed_model=HashEmbedding(),
        node_parser=TokenNodeParser(tokenizer=tokenizer, chunk_size=32, chunk_overlap=8),
    )  # fmt: skip
    with ray_cluster(address) as cluster:
        print(cluster, flush=True)
        report = ingest_with_ray(index, files, progress=lambda so_far: print(so_far.documents, flush=True))
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main()
