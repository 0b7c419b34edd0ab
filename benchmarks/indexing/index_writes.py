"""Bytes written to build an index of a growing number of abstracts, by file.

Usage::

    python -m benchmarks.indexing.index_writes --abstracts 500 1000 2000 4000 --traced 1000

Each index is built by a process of its own, with vectors of the embedded profile's length that are hashes of words:
what is written does not depend on their values. Two counts of Linux are kept for it: ``wchar``, all that was handed
over for writing, and ``write_bytes``, what of it the system had to bring to the disk, in which a page that is written a
hundred times before it gets there counts once. For one number of abstracts ``strace``, which has to be installed, tells
to which files ``wchar`` went. Results go to ``results/index_writes.json``.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.common.provenance import provenance, write_results
from benchmarks.common.scifact import abstracts, scifact_folder
from llama_index_medqa import PubMedIndex, TokenNodeParser
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.weights import locate

DIMENSION = 384
_WRITE = re.compile(r"(?:write|pwrite64|writev)\(\d+<(?P<file>[^>]*)>.* = (?P<bytes>\d+)$")
_KINDS = {
    "temporary files of SQLite (statement journals)": r"/etilqs_",
    "rollback journal": r"chroma\.sqlite3-journal$",
    "database": r"chroma\.sqlite3$",
    "vectors": r"/[0-9a-f-]{36}/",
    "our own files": r"/medqa\.",
}


def build(count: int, folder: Path) -> dict[str, Any]:
    """Build an index in this process, and return what that wrote."""
    parser = TokenNodeParser(
        tokenizer=str(locate(EMBEDDED.embedder)), chunk_size=EMBEDDED.chunk_size, chunk_overlap=EMBEDDED.chunk_overlap
    )
    documents = [to_document(record) for record in abstracts()[:count]]
    before, start, cpu = _counters(), time.perf_counter(), time.process_time()
    embedder = HashEmbedding(dimension=DIMENSION)
    index = PubMedIndex.open(str(folder), embed_model=embedder, node_parser=parser, create=True)
    report = index.ingest(documents)
    written = {name: value - before[name] for name, value in _counters().items()}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "abstracts": count,
        "chunks": report.chunks_written,
        "index_megabytes": _megabytes(size),
        "wchar_megabytes": _megabytes(written["wchar"]),
        "write_bytes_megabytes": _megabytes(written["write_bytes"] - written["cancelled_write_bytes"]),
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }


def _counters() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text("utf-8").splitlines()
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


def _megabytes(size: int) -> float:
    return round(size / 1e6, 1)


def in_own_process(count: int, *traced_by: str) -> dict[str, Any]:
    """As :func:`build`, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *traced_by,
            sys.executable,
            "-m",
            "benchmarks.indexing.index_writes",
            "--child",
            folder,
            "--abstracts",
        ]
        done = subprocess.run([*command, str(count)], capture_output=True, text=True, check=True)
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result


def by_files(count: int) -> dict[str, float]:
    """Return the megabytes handed over for writing, by kind of file."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        in_own_process(count, "strace", "-ff", "-y", "-e", "trace=write,pwrite64,writev", "-o", str(trace))
        sizes: Counter[str] = Counter()
        for file, size in chain.from_iterable(_writes(part) for part in Path(folder).glob("trace.*")):
            kind = next((name for name, pattern in _KINDS.items() if re.search(pattern, file)), "everything else")
            sizes[kind] += size
    return {kind: _megabytes(size) for kind, size in sizes.most_common()}


def _writes(trace: Path) -> Iterator[tuple[str, int]]:
    with trace.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if found := _WRITE.search(line):
                yield found["file"], int(found["bytes"])


def main() -> None:
    """Measure and write the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--abstracts", type=int, nargs="+", default=[500, 1_000, 2_000, 4_000])
    arguments.add_argument("--traced", type=int, default=1_000)
    arguments.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments.add_argument("--name", default="index_writes", help="of the file of results")
    given = arguments.parse_args()
    if given.child:
        print(json.dumps(build(given.abstracts[0], given.child)))
        return
    results: dict[str, Any] = {
        **provenance([scifact_folder() / "corpus.jsonl"], ["chromadb", "llama-index-core"]),
        "runs": [],
    }
    for count in given.abstracts:
        results["runs"].append(in_own_process(count))
        print(results["runs"][-1], flush=True)
    if shutil.which("strace"):
        results["wchar_megabytes_by_file"] = {"abstracts": given.traced, **by_files(given.traced)}
        print(results["wchar_megabytes_by_file"], flush=True)
    print(write_results(given.name, results))


if __name__ == "__main__":
    main()
