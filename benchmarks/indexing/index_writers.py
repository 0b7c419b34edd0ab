"""Do three processes that write to one index folder lose anything?

Usage::

    python -m benchmarks.indexing.index_writers --runs 20

Each writer brings other abstracts of SciFact into the same new folder, with the embedded profile's embedder, splitter
and cache of vectors, so that only the first run embeds. In every second run one of the writers is killed (SIGKILL) at a
random moment and started again. What is expected is the index that one process builds of all of them, undisturbed:
every chunk with the same text, metadata and vector. Then a new process looks for the vector of each record's title. A
title need not be nearest to its own abstract, so it counts as found among the ten nearest chunks, and the undisturbed
index is held against the same measure. Results go to ``results/index_writers.json`` after each run.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.common.chunk_hashes import chunk_hashes
from benchmarks.common.provenance import provenance, write_results
from benchmarks.common.scifact import abstracts, scifact_folder
from llama_index_medqa import PubMedVectorStore
from llama_index_medqa.components import open_embedder, open_index
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.vector_store import client
from llama_index_medqa.vector_store.database import sole_writer

WRITERS = 3
NEAREST = 10
SEED = 20261130
# Chroma writes its files of vectors after as many rows, in place of 1,000: as often as with five times the records.
ROWS_PER_SYNC = 200

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "benchmarks.common.scifact",
        "chromadb.api.rust",
        "llama_index_medqa.components",
        "llama_index_medqa.indexing.reader",
    ]
)


class Process:
    """A process that runs a function and sends its results by a pipe.

    The pipe's end is the function's last argument.
    """

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._results, sender = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(target=function, args=(*arguments, sender), daemon=True)
        self._process.start()
        sender.close()

    def result(self) -> Any:
        """Wait for the next result."""
        return self._results.recv()

    def results_of_write(self) -> tuple[int, int]:
        """Wait for the end of :func:`write`, and return its counts.

        Damaged folders that it found, and vectors that it made again.
        """
        while (told := self.result()) == "ready":
            pass
        return told[1], told[2]

    def kill(self) -> bool:
        """Kill the process, and return whether it had not finished."""
        self._process.kill()
        self._process.join()
        try:
            return not self._results.poll() or self._results.recv()[0] != "done"
        except EOFError:
            return True


def write(folder: str, start: int, end: int, results: Connection) -> None:
    """Index abstracts as ``medqa index`` does, in a process of its own."""
    client._COSINE = {"hnsw": {"space": "cosine", "sync_threshold": ROWS_PER_SYNC}}
    embedder = open_embedder(EMBEDDED)
    results.send("ready")
    with sole_writer(folder, create=True) as damaged:
        index = open_index(EMBEDDED, folder, embedder, create=True)
        index.ingest(to_document(record) for record in abstracts()[start:end])
        made_again = index.repair()
    results.send(("done", len(damaged), made_again))


def read(folder: str, titles: dict[str, list[float]], results: Connection) -> None:
    """Search for titles and hash all chunks, as a process of its own."""
    store = PubMedVectorStore(persist_dir=folder, create=False)
    lost = [
        document_id
        for document_id, vector in titles.items()
        if document_id not in {name.rpartition("#")[0] for name, _ in store.nearest(vector, NEAREST, {})}
    ]
    results.send((lost, chunk_hashes(store)))


def one_run(number: int, records_each: int, seconds: float, expected: Any, titles: dict[str, list[float]]) -> Any:
    """Start the writers, kill one in every second run, and compare.

    Args:
        number: of the run, which decides its random moments.
        records_each: abstracts of each writer.
        seconds: that the undisturbed process took for all.
        expected: what it left.
        titles: vectors of the titles by document id.
    """
    source = random.Random(f"{SEED}-{number}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        started: list[Process] = []
        for writer in range(WRITERS):
            time.sleep(source.uniform(0, seconds / WRITERS) if writer else 0)
            started.append(Process(write, folder, writer * records_each, (writer + 1) * records_each))
        killed = None
        if number % 2:
            victim = source.randrange(WRITERS)
            started[victim].result()
            time.sleep(source.uniform(0, seconds))
            killed = started[victim].kill()
            started[victim] = Process(write, folder, victim * records_each, (victim + 1) * records_each)
        done = [process.results_of_write() for process in started]
        lost, contents = Process(read, folder, titles).result()
    return {
        "writers_done": len(done),
        "damaged_vector_folders_set_aside": sum(damaged for damaged, _ in done),
        "vectors_made_again": sum(made for _, made in done),
        "killed_in_the_middle": killed,
        "titles_not_found": lost,
        "chunks": len(contents),
        "chunks_that_differ": len(contents.items() ^ expected.items()),
    }


def title_vectors(count: int) -> dict[str, list[float]]:
    """Return the vectors of the titles of abstracts by document id."""
    embedder = open_embedder(EMBEDDED)
    return {f"PMID:{record.pmid}": embedder.get_query_embedding(record.title) for record in abstracts()[:count]}


def undisturbed(count: int) -> tuple[float, Sequence[str], dict[str, str], dict[str, list[float]]]:
    """Build the index in one process, and return its figures.

    Its seconds with all vectors in the cache, titles not found, its chunks.
    """
    titles = title_vectors(count)
    for _ in range(2):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            writer = Process(write, folder, 0, count)
            writer.result()
            start = time.perf_counter()
            writer.results_of_write()
            seconds = time.perf_counter() - start
            lost, contents = Process(read, folder, titles).result()
    return seconds, lost, contents, titles


def summary(results: dict[str, Any]) -> dict[str, int]:
    """Return the number of runs without a loss.

    A title such as "Summary" finds its record in no index.
    """
    runs, known = results["runs"], set(results["undisturbed"]["titles_not_found"])
    return {
        "runs_that_find_every_title_the_undisturbed_index_finds": sum(
            known.issuperset(run["titles_not_found"]) for run in runs
        ),
        "runs_equal_to_the_undisturbed_index": sum(not run["chunks_that_differ"] for run in runs),
        "runs_with_a_writer_killed_in_the_middle": sum(bool(run["killed_in_the_middle"]) for run in runs),
    }


def main() -> None:
    """Measure and write the results after each run."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=20)
    arguments.add_argument("--records-each", type=int, default=60)
    given = arguments.parse_args()
    made_with = provenance([scifact_folder() / "corpus.jsonl"], ["chromadb", "filelock", "llama-index-core"])
    seconds, lost, expected, titles = undisturbed(WRITERS * given.records_each)
    results: dict[str, Any] = {
        **made_with,
        "embedder": Path(open_embedder(EMBEDDED).model_name).name,
        "writers": WRITERS,
        "records_each": given.records_each,
        "rows_per_sync": ROWS_PER_SYNC,
        "undisturbed": {"seconds": round(seconds, 1), "titles_not_found": lost, "chunks": len(expected)},
        "runs": [],
    }
    for number in range(given.runs):
        run = one_run(number, given.records_each, seconds, expected, titles)
        results["runs"].append(run)
        results |= summary(results)
        print(number, run, write_results("index_writers", results), flush=True)


if __name__ == "__main__":
    main()
