"""How much of what answers a question does each way of retrieval find?

Documents are ranked by their best chunk (128 tokens, 64 of overlap), with the product's own splitter, embedder, Chroma
index and retriever. Intervals (95 %) are bootstrapped over questions; differences are paired. Whatever was chosen was
chosen on SciFact's train claims; ``--tune`` measures the alternatives there and keeps them in the results.

    python -m benchmarks.retrieval.retrieval_quality [--data DATA] [--sets SciFact,BioASQ,PubMedQA] [--tune]
        [--embedders e5,minilm,e5_without_prefixes] [--vectors FOLDER] [--indexes FOLDER] [--beside]

DATA is the shared data, by default $MEDQA_SHARED_DATA. Embedding everything takes about an hour on two cores; vectors
and indexes are kept in the two folders, so that the next run is a matter of minutes. With ``--beside`` the rows that
this run does not measure stay as an earlier run left them, and the results say which rows are of which commit; a
difference of two rows needs both in one run.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from llama_index.core.schema import QueryBundle

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, provenance, write_results
from benchmarks.common.retrieval_sets import NAMES, RetrievalSet, load_set
from llama_index_medqa import E5Embedding, PubMedIndex, PubMedRetriever, TokenNodeParser, TransformerEmbedding
from llama_index_medqa.evaluation.measures.retrieval import Recall, RetrievalMeasure, nDCG
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean, paired_bootstrap
from llama_index_medqa.retrieval.fusion import reciprocal_rank_fusion
from llama_index_medqa.weights import locate

MEASURES: tuple[RetrievalMeasure, ...] = (nDCG @ 10, Recall @ 5, Recall @ 10, Recall @ 100)
DEPTH = 100
MMR_BALANCE = 0.9

# Name of the row, embedder, and arguments of the retriever.
ROWS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("BM25", "e5", {"mode": "lexical"}),
    ("MiniLM", "minilm", {"mode": "dense"}),
    ("E5 without prefixes", "e5_without_prefixes", {"mode": "dense"}),
    ("E5", "e5", {"mode": "dense"}),
    ("hybrid: E5 and BM25", "e5", {"mode": "hybrid"}),
    ("hybrid: MiniLM and BM25", "minilm", {"mode": "hybrid"}),
    ("hybrid: E5 and BM25, MMR", "e5", {"mode": "hybrid", "mmr_balance": MMR_BALANCE}),
    ("hybrid: E5 and BM25, expansion", "e5", {"mode": "hybrid", "expand": True}),
    ("hybrid: MiniLM and BM25, MMR", "minilm", {"mode": "hybrid", "mmr_balance": MMR_BALANCE}),
    ("hybrid: MiniLM and BM25, expansion", "minilm", {"mode": "hybrid", "expand": True}),
)
# Of which two rows the difference is told.
PAIRS = (
    ("hybrid: E5 and BM25", "E5"),
    ("hybrid: E5 and BM25", "BM25"),
    ("hybrid: MiniLM and BM25", "MiniLM"),
    ("hybrid: MiniLM and BM25", "BM25"),
    ("hybrid: MiniLM and BM25", "hybrid: E5 and BM25"),
    ("MiniLM", "E5"),
    ("E5", "E5 without prefixes"),
    ("hybrid: E5 and BM25, MMR", "hybrid: E5 and BM25"),
    ("hybrid: E5 and BM25, expansion", "hybrid: E5 and BM25"),
    ("hybrid: MiniLM and BM25, MMR", "hybrid: MiniLM and BM25"),
    ("hybrid: MiniLM and BM25, expansion", "hybrid: MiniLM and BM25"),
)

Rankings = dict[str, list[str]]


@cache
def embedder(name: str, vectors: str) -> TransformerEmbedding:
    """One of the three embedders, with the cache of its vectors."""
    if name == "minilm":
        return TransformerEmbedding(model_name=str(locate("all-MiniLM-L6-v2")), cache_dir=vectors)
    e5 = str(locate("multilingual-e5-small"))
    if name == "e5":
        return E5Embedding(model_name=e5, cache_dir=vectors)
    return TransformerEmbedding(model_name=e5, cache_dir=vectors)


def open_index(chosen: RetrievalSet, model: TransformerEmbedding, folder: Path) -> PubMedIndex:
    """Return the index of a set, brought up to date."""
    parser = TokenNodeParser(tokenizer=model.model_name, chunk_size=128, chunk_overlap=64)
    index = PubMedIndex.open(str(folder), embed_model=model, node_parser=parser, create=True)
    index.ingest(chosen.documents)
    return index


class IndexRankings:
    """Rankings over one index, with each question embedded once."""

    def __init__(self, index: PubMedIndex, model: TransformerEmbedding, chosen: RetrievalSet) -> None:
        self._index = index
        self._set = chosen
        self._vectors = {case.case_id: model.get_query_embedding(case.question) for case in chosen.cases}

    def rankings(self, **arguments: Any) -> Rankings:
        """Return the ids of the documents found for each question, the best first.

        Where fewer than asked for are found, the retriever fills the list with more of their chunks.
        """
        retriever = PubMedRetriever(
            self._index, similarity_top_k=DEPTH, candidates=DEPTH, chunks_per_record=1, **arguments
        )
        return {
            case.case_id: list(
                dict.fromkeys(str(found.node.ref_doc_id) for found in retriever.retrieve(self._bundle(case)))
            )
            for case in self._set.cases
        }

    def _bundle(self, case: Any) -> QueryBundle:
        return QueryBundle(case.question, embedding=self._vectors[case.case_id])


def per_question(rankings: Rankings, chosen: RetrievalSet) -> dict[str, list[float]]:
    """Return the values of every measure, in the order of the questions."""
    judgements = {case.case_id: case.judgements for case in chosen.cases}
    return {str(measure): list(measure.per_question(rankings, judgements).values()) for measure in MEASURES}


def measure_set(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return all rows of one set, and the paired differences."""
    chosen = load_set(name, options.data)
    values: dict[str, dict[str, list[float]]] = {}
    chunks: dict[str, int] = {}
    for model_name in options.embedders:
        model = embedder(model_name, options.vectors)
        index = open_index(chosen, model, options.indexes / f"{name}-{model_name}")
        chunks[model_name] = index.store.collection.count()
        retrieval = IndexRankings(index, model, chosen)
        for label, used, arguments in ROWS:
            if used == model_name:
                values[label] = per_question(retrieval.rankings(**arguments), chosen)
                print(name, label, {key: round(sum(of) / len(of), 4) for key, of in values[label].items()}, flush=True)
    return {
        "documents": len(chosen.documents),
        "questions": len(chosen.cases),
        "chunks": chunks,
        "rows": {
            label: {key: _rounded(bootstrap_mean(of)) for key, of in values[label].items()}
            for label, *_ in ROWS
            if label in values
        },
        "differences": {
            f"{first} - {second}": {
                key: _rounded(paired_bootstrap(values[first][key], values[second][key])) for key in values[first]
            }
            for first, second in PAIRS
            if first in values and second in values
        },
    }


def tune(options: argparse.Namespace) -> dict[str, Any]:
    """Return nDCG@10 on SciFact's train claims for other choices."""
    chosen = load_set("SciFact", options.data, train=True)
    found: dict[str, Any] = {}
    for model_name in (name for name in ("e5", "minilm") if name in options.embedders):
        model = embedder(model_name, options.vectors)
        retrieval = IndexRankings(open_index(chosen, model, options.indexes / f"SciFact-{model_name}"), model, chosen)
        parts = {mode: retrieval.rankings(mode=mode) for mode in ("dense", "lexical")}
        found[model_name] = dict(_alternatives(parts, retrieval, chosen))
        print(json.dumps(found[model_name], indent=2), flush=True)
    return found


def _alternatives(
    parts: Mapping[str, Rankings], retrieval: IndexRankings, chosen: RetrievalSet
) -> Iterator[tuple[str, float]]:
    def mean(rankings: Rankings) -> float:
        values = per_question(rankings, chosen)["nDCG@10"]
        return round(sum(values) / len(values), 4)

    for mode, rankings in parts.items():
        yield mode, mean(rankings)
    for k in (10, 30, 60, 100):
        for weight in (0.5, 1.0, 2.0):
            fused = {
                question: list(reciprocal_rank_fusion([dense, parts["lexical"][question]], k, [1.0, weight]))
                for question, dense in parts["dense"].items()
            }
            yield f"hybrid, k = {k}, BM25 weighs {weight}", mean(fused)
    for balance in (0.5, 0.7, 0.9):
        yield f"hybrid, MMR {balance}", mean(retrieval.rankings(mode="hybrid", mmr_balance=balance))
    yield "hybrid, expansion", mean(retrieval.rankings(mode="hybrid", expand=True))


def beside(earlier: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """Merge earlier results into those of this run.

    What an earlier run measured and this one did not.
    """
    kept: dict[str, list[str]] = {}
    for name, found in earlier["sets"].items():
        mine = results["sets"].setdefault(name, {**found, "rows": {}, "differences": {}})
        kept[name] = [label for label in found["rows"] if label not in mine["rows"]]
        rows = {**found["rows"], **mine["rows"]}
        mine["rows"] = {label: rows[label] for label, *_ in ROWS if label in rows}
        mine["differences"] = {**found["differences"], **mine["differences"]}
        mine["chunks"] = {**found["chunks"], **mine["chunks"]}
    origin = {key: earlier[key] for key in ("provenance", "execution") if key in earlier}
    old = {key: earlier[key] for key in ("tuning",) if key in earlier and key not in results}
    sets = {name: results["sets"][name] for name in NAMES if name in results["sets"]}
    return {**results, **old, "sets": sets, "earlier": [*earlier.get("earlier", []), {"rows": kept, **origin}]}


def _rounded(estimate: Any) -> dict[str, float]:
    return {key: round(value, 4) for key, value in estimate._asdict().items() if key != "cases"}


def as_markdown(results: dict[str, Any]) -> str:
    """Return the tables of a results file."""
    lines = ["# Retrieval quality", "", "Mean over the questions, with the 95 % bootstrap interval.", ""]
    for name, found in results["sets"].items():
        lines += [f"## {name}: {found['questions']} questions, {found['documents']} documents", ""]
        lines += _table(found["rows"])
        lines += ["", "Differences, paired by question:", ""]
        lines += _table(found["differences"], signed=True)
        lines.append("")
    if "tuning" in results:
        tuning = results["tuning"]
        lines += ["## What was tried on SciFact's train claims (nDCG@10)", ""]
        lines += [f"| | {' | '.join(tuning)} |", "|---" * (len(tuning) + 1) + "|"]
        labels = next(iter(tuning.values()))
        lines += [f"| {label} | {' | '.join(f'{of[label]:.4f}' for of in tuning.values())} |" for label in labels]
        lines.append("")
    lines.append(_origin(results))
    for run in results.get("earlier", []):
        labels = dict.fromkeys(label for of in run["rows"].values() for label in of)
        lines += ["", f"From an earlier run ({_origin(run)}):", *(f"- {label}" for label in labels)]
    return "\n".join(lines) + "\n"


def _origin(run: dict[str, Any]) -> str:
    origin = run["provenance"]
    how = f"{origin['processor']}, {run['execution']}"
    return f"{origin['date']}, commit {origin['commit'][:10]}, {how}: `{origin['command']}`"


def _table(rows: dict[str, dict[str, dict[str, float]]], *, signed: bool = False) -> list[str]:
    sign = "+" if signed else ""
    measures = list(map(str, MEASURES))
    lines = [f"| | {' | '.join(measures)} |", "|---" * (len(measures) + 1) + "|"]
    for label, values in rows.items():
        cells = [
            f"{values[key]['mean']:{sign}.3f} ({values[key]['low']:{sign}.3f} to {values[key]['high']:{sign}.3f})"
            for key in measures
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Measure the sets and write ``results/retrieval_quality.json``, ``.md``."""
    options = _options()
    results: dict[str, Any] = {"depth": DEPTH, "mmr_balance": MMR_BALANCE}
    if options.tune:
        results["tuning"] = tune(options)
    results["sets"] = {name: measure_set(name, options) for name in options.sets.split(",")}
    files = [file for name in options.sets.split(",") for file in load_set(name, options.data).files]
    packages = ["chromadb", "llama-index-core", "sentence-transformers", "snowballstemmer", "torch"]
    results["provenance"] = provenance(files, packages)
    results["execution"] = str(embedder(options.embedders[0], options.vectors).execution)
    if options.beside:
        results = beside(json.loads((RESULTS / "retrieval_quality.json").read_text()), results)
    write_results("retrieval_quality", results)
    (RESULTS / "retrieval_quality.md").write_text(as_markdown(results))
    print((RESULTS / "retrieval_quality.md").read_text())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--sets", default=",".join(NAMES))
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--embedders", default="e5,minilm,e5_without_prefixes", help="rows of others are left out")
    parser.add_argument("--vectors", default=str(Path(tempfile.gettempdir()) / "medqa-vectors"))
    parser.add_argument("--indexes", type=Path, default=Path(tempfile.gettempdir()) / "medqa-indexes")
    parser.add_argument("--beside", action="store_true", help="keep the rows of an earlier run that this one lacks")
    options = parser.parse_args()
    options.embedders = options.embedders.split(",")
    require_data(options.data)
    return options


if __name__ == "__main__":
    main()
