"""CPU time to embed real chunks, against LlamaIndex's HuggingFaceEmbedding.

Usage::

    pip install llama-index-embeddings-huggingface "llama-index-medqa[local,openvino]"
    python -m benchmarks.indexing.embedding_speed --chunks 512 --rounds 3 --documents 300

On a machine that does other work too, bind it to one processor (``taskset -c 0 python -m ...``): threads that wait for
one another spin, and that is CPU time.

Chunks are windows of 128 tokens with 64 of overlap over abstracts of SciFact. All sides embed the same texts, with the
same prefixes, in turns in one process; every round has every side once. Beside each ratio stand the cosines with
HuggingFaceEmbedding's float32 vectors, and nDCG@10 of the development claims of SciFact over whole abstracts (all
relevant ones and as many others as asked for), ranked by cosine. Results go to ``results/embedding_speed.json`` and
``.md``.
"""

import argparse
import math
import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.common.provenance import RESULTS, provenance, write_results
from benchmarks.common.scifact import abstracts, dev_claims, scifact_folder
from llama_index_medqa import E5Embedding, TokenNodeParser, TransformerEmbedding
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.weights import locate

MODELS = ("multilingual-e5-small", "all-MiniLM-L6-v2")
BASELINE = "HuggingFaceEmbedding"
SETTINGS = {
    "torch float32": {"backend": "torch", "precision": "float32"},
    "torch bfloat16": {"backend": "torch", "precision": "bfloat16"},
    "OpenVINO bfloat16": {"backend": "openvino", "precision": "bfloat16"},
    "OpenVINO int8": {"backend": "openvino", "precision": "int8"},
}
WARM_UP = 32


def embedders(model: str) -> dict[str, Any]:
    """Return the sides, loaded."""
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    folder = str(locate(model))
    is_e5 = "e5" in model
    prefixes = {"query_instruction": "query: ", "text_instruction": "passage: "} if is_e5 else {}
    ours = E5Embedding if is_e5 else TransformerEmbedding
    return {
        BASELINE: HuggingFaceEmbedding(model_name=folder, device="cpu", **prefixes),
        **{name: ours(model_name=folder, device="cpu", **settings) for name, settings in SETTINGS.items()},
    }


def chunk_texts(model: str, count: int) -> list[str]:
    """Chunks of the first abstracts."""
    parser = TokenNodeParser(tokenizer=str(locate(model)), chunk_size=128, chunk_overlap=64)
    texts: list[str] = []
    for record in abstracts():
        texts += [node.text for node in parser([to_document(record)])]
        if len(texts) >= count:
            break
    return texts[:count]


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, CPU seconds of all processors, and elapsed seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def ndcg_at_10(embedder: Any, documents: dict[str, str], claims: dict[str, tuple[str, set[str]]]) -> float:
    """Return the mean nDCG@10 over the claims, ranked by cosine."""
    names = list(documents)
    matrix = np.array(embedder.get_text_embedding_batch(list(documents.values())))
    scores = []
    for text, relevant in claims.values():
        order = np.argsort(-(matrix @ np.array(embedder.get_query_embedding(text))), kind="stable")[:10]
        gain = sum(1 / math.log2(rank + 2) for rank, row in enumerate(order) if names[row] in relevant)
        scores.append(gain / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(relevant)))))
    return statistics.fmean(scores)


def ranked_documents(count: int, claims: dict[str, tuple[str, set[str]]]) -> dict[str, str]:
    """Return all relevant abstracts, and others up to a number."""
    texts = {record.pmid or "": record.text for record in abstracts()}
    relevant = sorted({name for _, names in claims.values() for name in names})
    others = sorted(set(texts) - set(relevant))
    random.Random(0).shuffle(others)
    return {name: texts[name] for name in [*relevant, *others][: max(count, len(relevant))]}


def measure(model: str, chunks: int, rounds: int, documents: int) -> dict[str, Any]:
    """Return the figures of all sides of one model."""
    texts = chunk_texts(model, chunks)
    sides = embedders(model)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    vectors: dict[str, np.ndarray] = {}
    for embedder in sides.values():
        embedder.get_text_embedding_batch(texts[:WARM_UP])
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for name in order:
            found, cpu, wall = timed(lambda name=name: sides[name].get_text_embedding_batch(texts))
            seconds[name].append((cpu, wall))
            vectors[name] = np.array(found)
            print(f"{model}, round {number + 1}, {name}: {cpu:.1f} s CPU, {wall:.1f} s", flush=True)
    claims = dev_claims()
    corpus = ranked_documents(documents, claims)
    baseline_cpu = [cpu for cpu, _ in seconds[BASELINE]]
    results = {}
    for name, embedder in sides.items():
        cosines = (vectors[name] * vectors[BASELINE]).sum(axis=1)
        cpu = [cpu for cpu, _ in seconds[name]]
        results[name] = {
            "execution": embedder.describe() if isinstance(embedder, TransformerEmbedding) else "sentence-transformers",
            "cpu_seconds": [round(value, 2) for value in cpu],
            "wall_seconds": [round(wall, 2) for _, wall in seconds[name]],
            "chunks_per_cpu_second": round(len(texts) / statistics.median(cpu), 1),
            # Each round has a ratio of its own: what disturbs a round disturbs both sides.
            "cpu_ratio": round(statistics.median(b / c for b, c in zip(baseline_cpu, cpu, strict=True)), 2),
            "lowest_cosine": round(float(cosines.min()), 7),
            "mean_cosine": round(float(cosines.mean()), 7),
            "ndcg_at_10": round(ndcg_at_10(embedder, corpus, claims), 4),
        }
        print(model, name, results[name], flush=True)
    return {"chunks": len(texts), "documents": len(corpus), "claims": len(claims), "sides": results}


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = []
    for model, found in results["models"].items():
        lines += [
            f"## {model}",
            f"{found['chunks']} chunks; nDCG@10 of {found['claims']} claims over {found['documents']} abstracts.",
            "",
            "| | chunks a CPU-second | times HuggingFaceEmbedding | lowest cosine | mean cosine | nDCG@10 |",
            "|---|---|---|---|---|---|",
        ]
        for name, side in found["sides"].items():
            figures = ("chunks_per_cpu_second", "cpu_ratio", "lowest_cosine", "mean_cosine", "ndcg_at_10")
            lines.append(f"| {name} | {' | '.join(str(side[figure]) for figure in figures)} |")
        lines.append("")
    return "\n".join(["# Embedding", "", *lines])


def main() -> None:
    """Measure and writes the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--chunks", type=int, default=512)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--documents", type=int, default=300)
    arguments.add_argument("--models", nargs="+", default=list(MODELS))
    given = arguments.parse_args()
    packages = ["llama-index-core", "llama-index-embeddings-huggingface", "nncf", "openvino"]
    packages += ["sentence-transformers", "torch", "transformers"]
    results: dict[str, Any] = {
        **provenance([scifact_folder() / "corpus.jsonl"], packages),
        "processors": len(os.sched_getaffinity(0)),
        "models": {},
    }
    for model in given.models:
        results["models"][model] = measure(model, given.chunks, given.rounds, given.documents)
        (RESULTS / "embedding_speed.md").write_text(table(results))
        print(write_results("embedding_speed", results), flush=True)


if __name__ == "__main__":
    main()
