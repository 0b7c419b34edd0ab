"""Search by words: SQLite FTS5 updated by record, or bm25s rebuilt on every change?

Both read the same Chroma collection of 100,000 real chunks through the same code, cut texts into the same terms and
rank whole records. Measured in CPU time of this process, sides alternating, medians of three runs; queries one by one.
The two tables at the end were made on SciFact's train claims: they are why terms and units are what they are.

Needs beside the package: pip install bm25s

    python -m benchmarks.retrieval.lexical_search --medline FOLDER [--data DATA] [--chunks 100000] [--work FOLDER]

FOLDER holds MEDLINE files (.xml.gz), DATA is the shared data (default $MEDQA_SHARED_DATA).
"""

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from llama_index.core import Document

from benchmarks.common.data_folder import add_data_option
from benchmarks.common.provenance import RESULTS, provenance, write_results
from benchmarks.common.retrieval_sets import RetrievalSet, load_set
from llama_index_medqa import PubMedIndex, PubMedReader, TokenNodeParser
from llama_index_medqa.evaluation.measures.retrieval import nDCG
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean, paired_bootstrap
from llama_index_medqa.retrieval.lexical_index import LexicalIndex, record_of
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.text.search_terms import lexical_terms
from llama_index_medqa.text.words import FUNCTION_WORDS, stem
from llama_index_medqa.weights import locate

RUNS = 3
CHANGED = 100
DEPTH = 100
QUERIES = 300
_WORD = re.compile(r"\w+")
_COMPOUND = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


class Bm25s:
    """bm25s over the records of a collection, kept in a folder."""

    def __init__(self, words: LexicalIndex, folder: Path) -> None:
        self._words = words
        self._folder = folder

    def rebuild(self) -> None:
        """Read every record and builds anew."""
        store = self._words._store
        chunk_ids: dict[str, list[str]] = {}
        for chunk_id in store.collection.get(include=[])["ids"]:
            chunk_ids.setdefault(record_of(chunk_id), []).append(chunk_id)
        self.ids = list(chunk_ids)
        terms = []
        for start in range(0, len(self.ids), 500):
            texts, _ = self._words._read({name: chunk_ids[name] for name in self.ids[start : start + 500]})
            terms += [lexical_terms(texts[name]) for name in self.ids[start : start + 500]]
        model = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
        model.index(terms, show_progress=False)
        model.save(self._folder)
        self._model = bm25s.BM25.load(self._folder, mmap=True)

    def search(self, question: str) -> list[str]:
        """Return the best records."""
        terms = [list(dict.fromkeys(lexical_terms(question)))]
        found, _ = self._model.retrieve(terms, k=DEPTH, show_progress=False)
        return [self.ids[number] for number in found[0]]


def cpu_seconds(action: Callable[[], Any]) -> float:
    """CPU time of this process for one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def documents(data: Path, medline: Path) -> Iterator[Document]:
    """SciFact, BioASQ, then MEDLINE."""
    yield from chain(load_set("SciFact", data).documents, load_set("BioASQ", data).documents)
    yield from PubMedReader().lazy_load_data(sorted(map(str, medline.glob("*.xml.gz")), reverse=True))


def build_collection(options: argparse.Namespace) -> PubMedIndex:
    """Return the collection.

    Its vectors play no part, so they are short.
    """
    parser = TokenNodeParser(tokenizer=str(locate("multilingual-e5-small")))
    index = PubMedIndex.open(
        str(options.work / "collection"), embed_model=HashEmbedding(dimension=4), node_parser=parser, create=True
    )
    batch: list[Document] = []
    for document in documents(options.data, options.medline):
        if index.store.collection.count() >= options.chunks:
            break
        batch.append(document)
        if len(batch) == 500:
            index.ingest(batch)
            batch.clear()
    return index


def compare(index: PubMedIndex, options: argparse.Namespace) -> dict[str, Any]:
    """Measure build, update and query of both sides."""
    words = LexicalIndex(index.store, options.work / "words.sqlite3")
    other = Bm25s(words, options.work / "bm25s")
    seconds: dict[str, list[float]] = {"fts5 build": [], "bm25s build": [], "fts5 update": [], "bm25s update": []}
    for run in range(RUNS):
        words._discard()
        seconds["fts5 build"].append(cpu_seconds(words.refresh))
        seconds["bm25s build"].append(cpu_seconds(other.rebuild))
        changed = [_changed(f"PMID:{number}", run) for number in range(CHANGED)]
        index.ingest(changed)
        seconds["fts5 update"].append(cpu_seconds(words.refresh))
        seconds["bm25s update"].append(cpu_seconds(other.rebuild))
    sets = [load_set(name, options.data) for name in ("SciFact", "BioASQ")]
    index.remove_documents([f"PMID:{number}" for number in range(CHANGED)])
    words.refresh()
    other.rebuild()
    found = {
        "chunks": index.store.collection.count(),
        "records": words.record_count(),
        "cpu_seconds": {name: round(statistics.median(values), 2) for name, values in seconds.items()},
        "cpu_seconds_all": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "bytes": {"fts5": _size(words.path), "bm25s": _size(options.work / "bm25s")},
    }
    return {**found, **queries(words, other, sets)}


def queries(words: LexicalIndex, other: Bm25s, sets: Sequence[RetrievalSet]) -> dict[str, Any]:
    """Return time and quality of both sides, alternating by question.

    On the questions of both sets.
    """
    sides: dict[str, Callable[[str], list[str]]] = {
        "fts5": lambda text: [hit.record_id for hit in words.search(lexical_terms(text), DEPTH)],
        "bm25s": other.search,
    }
    for side in sides.values():
        side("warm up")
    milliseconds: dict[str, list[float]] = {name: [] for name in sides}
    quality: dict[str, Any] = {}
    same = total = 0
    for chosen in sets:
        values: dict[str, list[float]] = {name: [] for name in sides}
        for case in chosen.cases[:QUERIES]:
            rankings = {}
            for name, side in sides.items():
                start = time.process_time()
                rankings[name] = side(case.question)
                milliseconds[name].append((time.process_time() - start) * 1_000)
                values[name].append((nDCG @ 10).score(rankings[name], case.judgements))
            same += set(rankings["fts5"][:10]) == set(rankings["bm25s"][:10])
            total += 1
        quality[chosen.name] = {name: _rounded(bootstrap_mean(of)) for name, of in values.items()}
        quality[chosen.name]["difference"] = _rounded(paired_bootstrap(values["fts5"], values["bm25s"]))
    return {
        "query_milliseconds": {
            name: {"p50": round(float(np.quantile(of, 0.5)), 2), "p95": round(float(np.quantile(of, 0.95)), 2)}
            for name, of in milliseconds.items()
        },
        "same_ten_records": round(same / total, 4),
        "nDCG@10": quality,
    }


def choices(data: Path) -> dict[str, Any]:
    """Return nDCG@10 by rule of terms and by unit.

    On SciFact's train claims, ranked by bm25s with k1 = 1.2, b = 0.75.
    """
    chosen = load_set("SciFact", data, train=True)
    parser = TokenNodeParser(tokenizer=str(locate("multilingual-e5-small")))
    chunks = [(document.id_, text) for document in chosen.documents for text in parser.split_text(document.text)]
    units = {"whole records": [(document.id_, document.text) for document in chosen.documents], "chunks": chunks}
    rules: dict[str, Callable[[str], list[str]]] = {
        "words": lambda text: [word for word in _WORD.findall(text.lower()) if word not in FUNCTION_WORDS],
        "stems": lambda text: [stem(word) for word in _WORD.findall(text.lower()) if word not in FUNCTION_WORDS],
        "stems, and compounds joined": _with_compounds,
        "stems, letters and digits parted, Greek spelled out (chosen)": lexical_terms,
    }
    return {
        f"{rule}; {unit}": round(_train_ndcg(chosen, texts, terms), 4)
        for rule, terms in rules.items()
        for unit, texts in units.items()
    }


def _with_compounds(text: str) -> list[str]:
    found = []
    for word in _COMPOUND.findall(text.lower()):
        parts = word.split("-")
        found += [stem(part) for part in parts if part not in FUNCTION_WORDS]
        found += ["".join(parts)] if len(parts) > 1 else []
    return found


def _train_ndcg(chosen: RetrievalSet, texts: list[tuple[str, str]], terms: Callable[[str], list[str]]) -> float:
    model = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    model.index([terms(text) for _, text in texts], show_progress=False)
    values = []
    for case in chosen.cases:
        found, _ = model.retrieve([list(dict.fromkeys(terms(case.question)))], k=100, show_progress=False)
        ranking = list(dict.fromkeys(texts[number][0] for number in found[0]))
        values.append((nDCG @ 10).score(ranking, case.judgements))
    return sum(values) / len(values)


def _changed(document_id: str, run: int) -> Document:
    return Document(
        id_=document_id, text=f"Version {run} of a record that changes, on heart failure and {document_id}."
    )


def _size(path: Path) -> int:
    files = path.iterdir() if path.is_dir() else path.parent.glob(f"{path.name}*")
    return sum(file.stat().st_size for file in files)


def _rounded(estimate: Any) -> dict[str, float]:
    return {key: round(value, 4) for key, value in estimate._asdict().items() if key != "cases"}


def as_markdown(results: dict[str, Any]) -> str:
    """Return the tables of a results file."""
    seconds, times = results["cpu_seconds"], results["query_milliseconds"]
    lines = [
        "# Search by words", "",
        f"{results['chunks']:,} chunks of {results['records']:,} records. CPU time, medians of {RUNS} runs.",
        "", "| | SQLite FTS5 | bm25s |", "|---|---|---|",
        f"| build, from the collection | {seconds['fts5 build']} s | {seconds['bm25s build']} s |",
        f"| update after {CHANGED} records changed | {seconds['fts5 update']} s | {seconds['bm25s update']} s |",
        *(f"| query, {key} | {times['fts5'][key]} ms | {times['bm25s'][key]} ms |" for key in ("p50", "p95")),
        f"| on disk | {results['bytes']['fts5'] / 1e6:.1f} MB | {results['bytes']['bm25s'] / 1e6:.1f} MB |",
        *(
            f"| nDCG@10, {name} among all | {of['fts5']['mean']:.3f} | {of['bm25s']['mean']:.3f} |"
            for name, of in results["nDCG@10"].items()
        ),
        "", f"The same ten records come first for {results['same_ten_records']:.1%} of the questions.",
        "", "## What was tried on SciFact's train claims (nDCG@10)", "", "| terms; unit | |", "|---|---|",
        *(f"| {label} | {value:.4f} |" for label, value in results["choices"].items()), "",
    ]  # fmt: skip
    origin = results["provenance"]
    lines.append(f"{origin['date']}, commit {origin['commit'][:10]}, {origin['processor']}: `{origin['command']}`")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and writes ``results/lexical_search.json`` and ``.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--medline", type=Path, required=True)
    add_data_option(parser)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "medqa-lexical-search")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    results = {"choices": choices(options.data), **compare(build_collection(options), options)}
    files = [file for name in ("SciFact", "BioASQ") for file in load_set(name, options.data).files]
    files += sorted(options.medline.glob("*.xml.gz"))
    results["provenance"] = provenance(files, ["bm25s", "chromadb", "numpy", "snowballstemmer", "PyStemmer"])
    write_results("lexical_search", results)
    (RESULTS / "lexical_search.md").write_text(as_markdown(results))
    print((RESULTS / "lexical_search.md").read_text())


if __name__ == "__main__":
    main()
