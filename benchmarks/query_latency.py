"""How long a question to an index takes, stage by stage, at 10,000 and 100,000 chunks.

Usage::

    python -m benchmarks.query_latency --sizes 10000 100000

The index holds made-up texts whose vectors are random unit vectors of the embedder's dimension, so that an index of any
size is built in minutes; what a search costs depends on their number and dimension. The questions are embedded by the
real packaged E5. Each question runs through every stage of the search by meaning once a round; a stage is a function of
what the stages before it found, and its share is that of the sum of the medians. Then the retriever answers the same
questions, their vectors given, by meaning, by words and by both.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from llama_index.core.schema import QueryBundle, TextNode

from benchmarks.provenance import RESULTS, provenance, write_results
from llama_index_medqa import E5Embedding, PubMedIndex, PubMedRetriever, PubMedVectorStore
from llama_index_medqa.metadata_filters import to_condition
from llama_index_medqa.profiles import RetrievalMode
from llama_index_medqa.stored_rows import to_node
from llama_index_medqa.weights import locate

QUESTIONS = (
    "Does green tea lower the resting heart rate?",
    "What are the common symptoms of heart failure?",
    "Is insulin therapy safe in children with kidney disease?",
    "What are the safest cryopreservation methods?",
    "Which biomarkers predict relapse after tumour resection?",
    "Does aspirin reduce the risk of a second stroke?",
    "How well does screening find liver disease in adults?",
    "Do vaccines protect patients with asthma?",
)
TOP_K = 20
DIMENSION = 384
CHUNKS_PER_RECORD = 5


def chunks(count: int) -> Iterator[TextNode]:
    """Chunks of made-up records, with the metadata that records have and random unit vectors."""
    source = np.random.default_rng(0)
    for number in range(count):
        record, position = divmod(number, CHUNKS_PER_RECORD)
        vector = source.standard_normal(DIMENSION)
        yield TextNode(
            id_=f"PMID:{record}#{position}",
            text=f"Record {record} on the therapy of condition {number % 977}: the dose was {number % 89} mg a day.",
            embedding=(vector / np.linalg.norm(vector)).tolist(),
            metadata={
                "pmid": str(record),
                "title": f"A made-up trial, number {record}",
                "journal": "Journal of Synthetic Medicine",
                "year": 1980 + record % 45,
                "mesh": ["Humans", "Therapy"],
                "status": "retracted" if record % 100 == 0 else "current",
                "record_hash": f"{record:016x}",
                "chunk_count": CHUNKS_PER_RECORD,
            },
        )


def stages(store: PubMedVectorStore, embedder: E5Embedding) -> dict[str, Callable[[Any], Any]]:
    """What happens to a question, in order: each takes what the one before gave."""
    from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

    not_retracted = MetadataFilter(key="status", value="retracted", operator=FilterOperator.NE)
    filters = MetadataFilters(filters=[not_retracted])

    def scope(embedding: list[float]) -> tuple[list[float], Any]:
        return embedding, to_condition(filters).where

    def search(found: tuple[list[float], Any]) -> list[str]:
        result = store.collection.query(
            query_embeddings=np.array([found[0]], np.float32), n_results=TOP_K, where=found[1], include=["distances"]
        )
        return list(result["ids"][0])

    return {
        "embed the question": embedder.get_query_embedding,
        "translate the filter": scope,
        "search the vectors": search,
        "read the rows": store.rows,
        "build the nodes": lambda rows: [to_node(row.node_id, row.text, row.metadata) for row in rows],
    }


def measured(steps: dict[str, Callable[[Any], Any]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every stage of every question, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in [*steps, "all stages"]}
    for number in range(rounds + 1):
        for question in QUESTIONS:
            value: Any = question
            total = 0.0
            for name, step in steps.items():
                start = time.perf_counter()
                value = step(value)
                spent = (time.perf_counter() - start) * 1_000
                total += spent
                if number:
                    times[name].append(spent)
            if number:
                times["all stages"].append(total)
    return times


def retrievals(index: PubMedIndex, embedder: E5Embedding, rounds: int) -> dict[str, Any]:
    """Milliseconds of whole retrievals by mode, and of the first search by words, which builds its cache."""
    queries = [QueryBundle(question, embedding=embedder.get_query_embedding(question)) for question in QUESTIONS]
    retrievers = {mode: PubMedRetriever(index, mode=mode, similarity_top_k=TOP_K) for mode in get_args(RetrievalMode)}
    start = time.perf_counter()
    retrievers["lexical"].retrieve(queries[0])
    found: dict[str, Any] = {"first_search_by_words_ms": round((time.perf_counter() - start) * 1_000)}
    times: dict[str, list[float]] = {mode: [] for mode in retrievers}
    for number in range(rounds + 1):
        for query in queries:
            for mode, retriever in retrievers.items():
                start = time.perf_counter()
                retriever.retrieve(query)
                if number:
                    times[mode].append((time.perf_counter() - start) * 1_000)
    return found | {
        mode: {"p50_ms": round(statistics.median(of), 3), "p95_ms": round(float(np.percentile(of, 95)), 3)}
        for mode, of in times.items()
    }


def built(folder: Path, size: int, embedder: E5Embedding) -> PubMedIndex:
    """An index of so many chunks."""
    index = PubMedIndex.open(str(folder), embed_model=embedder, create=True)
    store = index.store
    batch: list[TextNode] = []
    for node in chunks(size):
        batch.append(node)
        if len(batch) == 5_000:
            store.add(batch)
            batch = []
    store.add(batch)
    return index


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, 95th percentile and share of each stage."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    whole = sum(value for name, value in medians.items() if name != "all stages")
    return {
        name: {
            "p50_ms": round(medians[name], 3),
            "p95_ms": round(float(np.percentile(values, 95)), 3),
            "share": 1.0 if name == "all stages" else round(medians[name] / whole, 4),
        }
        for name, values in times.items()
    }


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["# Query latency", "", f"Top {TOP_K}, {results['queries']} queries a size, milliseconds.", ""]
    for size, found in results["sizes"].items():
        lines += [f"## {int(size):,} chunks", "", "| stage | p50 | p95 | share |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {row['p50_ms']:.2f} | {row['p95_ms']:.2f} | {row['share']:.0%} |"
            for name, row in found["stages"].items()
        ]
        retrieval = found["retrieval"]
        lines += ["", "| the retriever, the question's vector given | p50 | p95 |", "|---|---|---|"]
        lines += [
            f"| {mode} | {row['p50_ms']:.2f} | {row['p95_ms']:.2f} |"
            for mode, row in retrieval.items()
            if isinstance(row, dict)
        ]
        lines += [
            "",
            f"First search by words, which builds its cache: {retrieval['first_search_by_words_ms']:,} ms.",
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    embedder = E5Embedding(model_name=str(locate("multilingual-e5-small")))
    sizes: dict[str, Any] = {}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            index = built(Path(folder), size, embedder)
            sizes[str(size)] = {
                "stages": summary(measured(stages(index.store, embedder), arguments.rounds)),
                "retrieval": retrievals(index, embedder, arguments.rounds),
                "bytes_per_chunk": sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) // size,
            }
    results = {
        "provenance": provenance([], ["chromadb", "llama-index-core", "torch", "sentence-transformers"]),
        "queries": arguments.rounds * len(QUESTIONS),
        "sizes": sizes,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_024,
    }
    write_results("query_latency", results)
    (RESULTS / "query_latency.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
