"""What each engine needs to take in rows and to find them again: time, memory, disk and recall.

Usage::

    python -m benchmarks.indexing.engine_figures --rows 10000 100000

The vectors are made, not embedded: points around random centres, from a fixed seed, of the length that the embedded
profile has. So the figures compare engines, and say nothing of how good answers are. For each engine and size one
process writes the rows through the adapter that `medqa index` uses, another one opens the index and asks. Recall is the
share of the ten nearest by exact cosine (numpy) that the engine finds. Seconds depend on what else the machine does;
processor time is counted beside them. Results go to ``results/engine_figures.json``.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.vector_store.addresses import open_store
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.port import StoredRow
from llama_index_medqa.vector_store.row_codec import rounded

ENGINES = {"Chroma": "chroma", "Milvus Lite": "milvus:milvus.db"}
SEED = 20261201
DIMENSION = 384
CENTRES = 1_000
# How far points lie from their centre: the norm of the difference, where the centre has norm 1.
SPREAD = 1.0
BATCH = 1_000
QUESTIONS = 200
TOP_K = 10
FIRST_YEAR, YEARS, SINCE = 1990, 35, 2018
_TEXT = "Patients who took the drug had a lower resting heart rate than those who took placebo after twelve weeks. " * 4


def points(count: int, *, questions: bool = False) -> Iterator[np.ndarray]:
    """Yield unit vectors, float32 of shape (BATCH, DIMENSION), the last batch shorter."""
    centres = np.random.default_rng(SEED).standard_normal((CENTRES, DIMENSION), dtype=np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    source = np.random.default_rng([SEED, int(questions)])
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        noise = source.standard_normal((size, DIMENSION), dtype=np.float32) * (SPREAD / DIMENSION**0.5)
        batch = centres[source.integers(0, CENTRES, size)] + noise
        yield batch / np.linalg.norm(batch, axis=1, keepdims=True)


def year_of(number: int) -> int:
    """Return the year of a row."""
    return FIRST_YEAR + number * 7919 % YEARS


def nearest(count: int, since: int | None) -> list[list[str]]:
    """Return the ids of the rows nearest to each question, by exact cosine."""
    questions = next(points(QUESTIONS, questions=True))
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for number, batch in enumerate(points(count)):
        ids = np.arange(number * BATCH, number * BATCH + len(batch))
        if since is not None:
            chosen = np.array([year_of(int(one)) >= since for one in ids])
            ids, batch = ids[chosen], batch[chosen]  # noqa: PLW2901  # the part that meets the filter
        kept.append((ids, rounded(questions) @ rounded(batch).T))
    ids = np.concatenate([one for one, _ in kept])
    cosines = np.concatenate([one for _, one in kept], axis=1)
    return [[f"PMID:{one}#0" for one in ids[np.argsort(-row)[:TOP_K]]] for row in cosines]


def write(location: str, count: int) -> dict[str, Any]:
    """Write the rows, and return what that took."""
    store = open_store(location)
    before, start = _cpu_seconds(), time.perf_counter()
    written = 0
    with store.sole_writer():
        for batch in points(count):
            store.write_rows(_row(written + number, vector) for number, vector in enumerate(batch))
            written += len(batch)
    return {
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_milliseconds_per_row": round((_cpu_seconds() - before) / count * 1e3, 3),
        "peak_memory_megabytes": _peak_megabytes(),
    }


def _row(number: int, vector: np.ndarray) -> StoredRow:
    name = f"PMID:{number}"
    metadata = {
        "document_id": name, "pmid": str(number), "title": f"Record {number}", "year": year_of(number),
        "journal": f"Journal {number % 200}", "status": "current", "record_hash": f"{number:012x}", "chunk_count": 1,
    }  # fmt: skip
    return StoredRow(f"{name}#0", f"{number}. {_TEXT}", metadata, rounded(vector))


def ask(location: str, truth: dict[str, list[list[str]]]) -> dict[str, Any]:
    """Ask an index that another process wrote, and return how fast and how rightly it answers."""
    start, before = time.perf_counter(), _cpu_seconds()
    store = open_store(location, create=False)
    questions = next(points(QUESTIONS, questions=True))
    store.nearest(questions[0].tolist(), TOP_K, {})
    result: dict[str, Any] = {
        "first_question_seconds": round(time.perf_counter() - start, 2),
        "first_question_cpu_seconds": round(_cpu_seconds() - before, 2),
    }
    for name, expected in truth.items():
        result[name] = _asked(store, questions, expected, since=SINCE if name == "filtered" else None)
    return {**result, "peak_memory_megabytes": _peak_megabytes()}


def _asked(store: ChunkStore, questions: np.ndarray, expected: list[list[str]], since: int | None) -> dict[str, float]:
    from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

    recent = MetadataFilters(filters=[MetadataFilter(key="year", value=since, operator=FilterOperator.GTE)])
    scope = store.scope(recent) if since is not None else {}
    seconds: list[float] = []
    found, before = 0, _cpu_seconds()
    for question, right in zip(questions, expected, strict=True):
        start = time.perf_counter()
        hits = store.nearest(question.tolist(), TOP_K, scope)
        seconds.append(time.perf_counter() - start)
        found += len({name for name, _ in hits} & set(right))
    middle, high = np.percentile(seconds, [50, 95])
    return {
        "cpu_milliseconds": round((_cpu_seconds() - before) / len(expected) * 1e3, 2),
        "recall_at_10": round(found / (TOP_K * len(expected)), 4),
        "p50_milliseconds": round(middle * 1e3, 2),
        "p95_milliseconds": round(high * 1e3, 2),
    }


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_megabytes() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def measured(engine: str, count: int, truth: dict[str, list[list[str]]]) -> dict[str, Any]:
    """Measure one engine with so many rows, in processes of their own."""
    with tempfile.TemporaryDirectory() as folder:
        scheme, _, name = ENGINES[engine].rpartition(":")
        location = f"{scheme}{':' if scheme else ''}{folder}/{name}"
        expected = Path(folder, "truth.json")
        expected.write_text(json.dumps(truth))
        row: dict[str, Any] = {"engine": engine, "rows": count, "write": _in_own_process("write", location, count)}
        size = sum(path.stat().st_size for path in Path(folder, name).rglob("*") if path.is_file())
        row["disk_bytes_per_row"] = round(size / count)
        row["ask"] = _in_own_process("ask", location, expected)
    return row


def _in_own_process(what: str, location: str, argument: int | Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.indexing.engine_figures", "--child", what, location, str(argument)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Measure and write the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    arguments.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments.add_argument("--name", default="engine_figures", help="of the file of results")
    given = arguments.parse_args()
    if given.child:
        what, location, argument = given.child
        made = (
            write(location, int(argument)) if what == "write" else ask(location, json.loads(Path(argument).read_text()))
        )
        print(json.dumps(made))
        return
    results: dict[str, Any] = {
        **provenance([], ["chromadb", "milvus-lite", "pymilvus", "numpy"]),
        "seed": SEED, "dimension": DIMENSION, "centres": CENTRES, "spread": SPREAD, "questions": QUESTIONS,
        "filter": f"year >= {SINCE} of {FIRST_YEAR} to {FIRST_YEAR + YEARS - 1}", "runs": [],
    }  # fmt: skip
    for count in given.rows:
        truth = {"unfiltered": nearest(count, None), "filtered": nearest(count, SINCE)}
        for engine in ENGINES:
            results["runs"].append(measured(engine, count, truth))
            print(results["runs"][-1], flush=True)
            write_results(given.name, results)


if __name__ == "__main__":
    main()
