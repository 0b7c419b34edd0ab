"""How long does a question to an index take, by stage, at 10,000 and 100,000 chunks?

Usage::

    python -m benchmarks.retrieval.query_latency --sizes 10000 100000

The index holds made-up texts whose vectors are random unit vectors of the embedder's dimension, so that an index of any
size is built in minutes; what a search costs depends on their number and dimension. The questions are embedded by the
real packaged E5. Each question runs through every stage of the search by meaning once a round; a stage is a function of
what the stages before it found, and its share is that of the sum of the medians of CPU time. Then the retriever answers
the same questions, their vectors given, by meaning, by words and by both. Each time is told by the clock and in CPU
time of the process: on a machine that does other work too, only the second tells what a question costs.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from llama_index.core.schema import QueryBundle, TextNode

from benchmarks.common.provenance import RESULTS, provenance, write_results
from llama_index_medqa import E5Embedding, PubMedIndex, PubMedRetriever, PubMedVectorStore
from llama_index_medqa.profiles import RetrievalMode
from llama_index_medqa.vector_store.filters import without_retracted
from llama_index_medqa.vector_store.row_codec import to_node
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
WHOLE = "all stages"


def chunks(count: int) -> Iterator[TextNode]:
    """Yield chunks of invented records with random unit vectors.

    They have the metadata that records have.
    """
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
    """Return the stages of a question in order.

    Each takes what the one before gave.
    """
    filters = without_retracted(None)

    def scope(embedding: list[float]) -> tuple[list[float], dict[str, Any]]:
        return embedding, store.scope(filters)

    def search(found: tuple[list[float], dict[str, Any]]) -> list[str]:
        embedding, where = found
        return [node_id for node_id, _ in store.nearest(embedding, TOP_K, where)]

    return {
        "embed the question": embedder.get_query_embedding,
        "translate the filter": scope,
        "search the vectors": search,
        "read the rows": store.rows,
        "build the nodes": lambda rows: [to_node(row.node_id, row.text, row.metadata) for row in rows],
    }


class Spent(NamedTuple):
    """Milliseconds of one call.

    Attributes:
        wall: by the clock.
        cpu: of this process, all threads together.
    """

    wall: float
    cpu: float


def timed(work: Callable[[], Any]) -> tuple[Any, Spent]:
    """Return a result and the time it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent((time.perf_counter() - wall) * 1_000, (time.process_time() - cpu) * 1_000)


def measured(steps: dict[str, Callable[[Any], Any]], rounds: int) -> dict[str, list[Spent]]:
    """Return the time of every stage of every question.

    After one round that does not count.
    """
    times: dict[str, list[Spent]] = {name: [] for name in [*steps, WHOLE]}
    for number in range(rounds + 1):
        for question in QUESTIONS:
            value: Any = question
            parts: dict[str, Spent] = {}
            for name, step in steps.items():
                value, parts[name] = timed(partial(step, value))
            if number:
                for name, spent in parts.items():
                    times[name].append(spent)
                times[WHOLE].append(Spent(sum(of.wall for of in parts.values()), sum(of.cpu for of in parts.values())))
    return times


def retrievals(index: PubMedIndex, embedder: E5Embedding, rounds: int) -> dict[str, Any]:
    """Return the time of whole retrievals by mode.

    And that of the first search by words, which builds its cache.
    """
    queries = [QueryBundle(question, embedding=embedder.get_query_embedding(question)) for question in QUESTIONS]
    retrievers = {mode: PubMedRetriever(index, mode=mode, similarity_top_k=TOP_K) for mode in get_args(RetrievalMode)}
    _, first = timed(lambda: retrievers["lexical"].retrieve(queries[0]))
    times: dict[str, list[Spent]] = {mode: [] for mode in retrievers}
    for number in range(rounds + 1):
        for query in queries:
            for mode, retriever in retrievers.items():
                _, spent = timed(partial(retriever.retrieve, query))
                if number:
                    times[mode].append(spent)
    return {
        "first_search_by_words": {"wall_ms": round(first.wall), "cpu_ms": round(first.cpu)},
        "modes": {mode: percentiles(of) for mode, of in times.items()},
    }


def built(folder: Path, size: int, embedder: E5Embedding) -> PubMedIndex:
    """Return an index of so many chunks."""
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


def percentiles(times: list[Spent]) -> dict[str, float]:
    """Return median and 95th percentile, elapsed and in CPU time."""
    columns = {"": [spent.wall for spent in times], "cpu_": [spent.cpu for spent in times]}
    return {
        f"{name}p{share}_ms": round(float(np.percentile(values, share)), 3)
        for name, values in columns.items()
        for share in (50, 95)
    }


def summary(times: dict[str, list[Spent]]) -> dict[str, dict[str, float]]:
    """Return percentiles and share of each stage.

    The share is of the sum of the medians of CPU time.
    """
    found = {name: percentiles(values) for name, values in times.items()}
    whole = sum(of["cpu_p50_ms"] for name, of in found.items() if name != WHOLE)
    return {
        name: {**of, "share": 1.0 if name == WHOLE else round(of["cpu_p50_ms"] / whole, 4)}
        for name, of in found.items()
    }


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = ["# Query latency", "", f"Top {TOP_K}, {results['queries']} queries a size, milliseconds."]
    for size, found in results["sizes"].items():
        retrieval = found["retrieval"]
        first = retrieval["first_search_by_words"]
        lines += ["", f"## {int(size):,} chunks", ""]
        lines += ["| stage | CPU p50 | CPU p95 | clock p50 | clock p95 | share of CPU |", "|---|---|---|---|---|---|"]
        lines += [f"| {name} | {_cells(row)} | {row['share']:.0%} |" for name, row in found["stages"].items()]
        lines += ["", "| the retriever, the question's vector given | CPU p50 | CPU p95 | clock p50 | clock p95 |"]
        lines += ["|---|---|---|---|---|"]
        lines += [f"| {mode} | {_cells(row)} |" for mode, row in retrieval["modes"].items()]
        lines += ["", f"First search by words, which builds its cache: {first['cpu_ms']:,} ms of CPU time."]
    return "\n".join([*lines, ""])


def _cells(row: dict[str, float]) -> str:
    return " | ".join(f"{row[key]:.2f}" for key in ("cpu_p50_ms", "cpu_p95_ms", "p50_ms", "p95_ms"))


def main() -> None:
    """Measure and writes the results."""
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
