"""CPU time per chunk to build an index, against plain LlamaIndex; and to run it again.

Usage::

    pip install llama-index-embeddings-huggingface "llama-index-medqa[local,openvino]"
    python -m benchmarks.indexing.index_build --abstracts 2000 --blocks 4

On a machine that does other work too, bind it to one processor (``taskset -c 0 python -m ...``): threads that wait for
one another spin, and that is CPU time.

The plain side is what LlamaIndex's documentation leads to: ``IngestionPipeline`` with ``SentenceSplitter`` (128
tokens, 64 of overlap, in its default tokens), ``HuggingFaceEmbedding`` and ``ChromaVectorStore``. Ours is
``PubMedIndex.ingest`` with 128/64 in the embedder's own tokens and everything else left to its defaults, no cache.
Both embed the bare text with the same prefix and write to a Chroma database on disk. The abstracts come in blocks,
and the sides take turns. The two split differently, so the cost of a chunk is compared. Then the same documents are
given to the index again. Results go to ``results/index_build.json``.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.provenance import provenance, write_results
from benchmarks.common.scifact import abstracts, scifact_folder
from llama_index_medqa import E5Embedding, PubMedIndex, TokenNodeParser, TransformerEmbedding
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.record import PubMedRecord
from llama_index_medqa.weights import locate

CHUNK_SIZE, CHUNK_OVERLAP = 128, 64
RE_RUNS = 5
CHECKED = 64


class Plain:
    """LlamaIndex's own parts."""

    def __init__(self, model: str, folder: Path) -> None:
        import chromadb
        from llama_index.core.ingestion import IngestionPipeline
        from llama_index.core.node_parser import SentenceSplitter
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding
        from llama_index.vector_stores.chroma import ChromaVectorStore

        prefix = {"text_instruction": "passage: "} if "e5" in model else {}
        self.embedder = HuggingFaceEmbedding(model_name=str(locate(model)), device="cpu", **prefix)
        self.collection = chromadb.PersistentClient(str(folder)).get_or_create_collection("abstracts")
        self.pipeline = IngestionPipeline(
            transformations=[SentenceSplitter(chunk_size=CHUNK_SIZE, chunk_overlap=CHUNK_OVERLAP), self.embedder],
            vector_store=ChromaVectorStore(chroma_collection=self.collection),
        )

    def ingest(self, records: Sequence[PubMedRecord]) -> int:
        """Ingest records, and return the number of chunks written."""
        from llama_index.core import Document

        documents = [
            Document(text=record.text, metadata={"pmid": record.pmid}, excluded_embed_metadata_keys=["pmid"])
            for record in records
        ]
        return len(self.pipeline.run(documents=documents))


class Ours:
    """This package."""

    def __init__(self, model: str, folder: Path) -> None:
        kind = E5Embedding if "e5" in model else TransformerEmbedding
        self.embedder = kind(model_name=str(locate(model)), device="cpu")
        parser = TokenNodeParser(tokenizer=self.embedder.model_name, chunk_size=CHUNK_SIZE, chunk_overlap=CHUNK_OVERLAP)
        self.index = PubMedIndex.open(str(folder), embed_model=self.embedder, node_parser=parser, create=True)

    def ingest(self, records: Sequence[PubMedRecord]) -> int:
        """Ingest records, and return the number of chunks written."""
        return self.index.ingest(to_document(record) for record in records).chunks_written


def timed_ingestion(side: Plain | Ours, records: Sequence[PubMedRecord]) -> dict[str, Any]:
    """Return chunks written, CPU seconds of all processors, elapsed seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    chunks = side.ingest(records)
    return {
        "chunks": chunks,
        "cpu_seconds": round(time.process_time() - cpu, 4),
        "wall_seconds": round(time.perf_counter() - wall, 4),
    }


def lowest_cosine(ours: Ours, plain: Plain) -> float:
    """Return the lowest cosine of stored vectors with the plain ones.

    HuggingFaceEmbedding makes the plain ones of the same chunks.
    """
    stored = ours.index.store.collection.get(limit=CHECKED, include=["embeddings", "documents"])
    expected = np.array(plain.embedder.get_text_embedding_batch(stored["documents"]))
    given = np.array(stored["embeddings"])
    lengths = np.linalg.norm(given, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((given * expected).sum(axis=1) / lengths).min())


def summary(runs: dict[str, list[dict[str, Any]]], again: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians and ratios."""
    a_chunk = {name: [run["cpu_seconds"] / run["chunks"] for run in found] for name, found in runs.items()}
    first = {clock: sum(run[clock] for run in runs["ours"]) for clock in ("cpu_seconds", "wall_seconds")}
    return {
        "chunks": {name: sum(run["chunks"] for run in found) for name, found in runs.items()},
        "cpu_milliseconds_a_chunk": {name: round(1000 * statistics.median(each), 2) for name, each in a_chunk.items()},
        "ratio_a_chunk": round(
            statistics.median(p / o for p, o in zip(a_chunk["plain"], a_chunk["ours"], strict=True)), 2
        ),
        "ratio_of_all_cpu": round(sum(r["cpu_seconds"] for r in runs["plain"]) / first["cpu_seconds"], 2),
        "re_run_times_faster": {
            clock: round(total / statistics.median(run[clock] for run in again), 1) for clock, total in first.items()
        },
    }


def measure(model: str, count: int, blocks: int) -> dict[str, Any]:
    """Measure both sides, block by block, and ours again."""
    records = abstracts()[:count]
    size = -(-count // blocks)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sides = {"plain": Plain(model, Path(folder, "plain")), "ours": Ours(model, Path(folder, "ours"))}
        for side in sides.values():
            side.embedder.get_text_embedding_batch(["Warm up."] * 16)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
        for number, start in enumerate(range(0, count, size)):
            for name in list(sides) if number % 2 == 0 else list(reversed(sides)):
                runs[name].append(timed_ingestion(sides[name], records[start : start + size]))
                print(f"{model}, block {number + 1}, {name}: {runs[name][-1]}", flush=True)
        again = [timed_ingestion(sides["ours"], records) for _ in range(RE_RUNS)]
        return {
            "abstracts": len(records),
            "execution": sides["ours"].embedder.describe(),
            **summary(runs, again),
            "lowest_cosine_with_plain": round(lowest_cosine(sides["ours"], sides["plain"]), 7),
            "chunks_written_by_re_runs": sum(run["chunks"] for run in again),
            "blocks": runs,
            "re_runs": again,
        }


def main() -> None:
    """Measure and writes the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--abstracts", type=int, default=2_000)
    arguments.add_argument("--blocks", type=int, default=4)
    arguments.add_argument("--models", nargs="+", default=["multilingual-e5-small", "all-MiniLM-L6-v2"])
    given = arguments.parse_args()
    packages = [
        "chromadb",
        "llama-index-core",
        "llama-index-embeddings-huggingface",
        "llama-index-vector-stores-chroma",
    ]
    packages += ["openvino", "sentence-transformers", "torch", "transformers"]
    results: dict[str, Any] = {
        **provenance([scifact_folder() / "corpus.jsonl"], packages),
        "processors": len(os.sched_getaffinity(0)),
        "models": {},
    }
    for model in given.models:
        results["models"][model] = measure(model, given.abstracts, given.blocks)
        print(write_results("index_build", results), flush=True)


if __name__ == "__main__":
    main()
