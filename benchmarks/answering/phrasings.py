"""What do lay and clinical phrasings of questions get?

Shorthand, brand names, negated claims, comparisons, typos, emergencies and more.

    python -m benchmarks.answering.phrasings --work FOLDER [--drafter model|extractive] [--limit N] [--write]

The 60 questions of ``phrasings.json`` were written for this measurement, each with what a reader should find. Some are
asked of BioASQ's papers (none is one of its ``final`` questions), the others of the 200 abstracts of ``medqa demo``.
They go through the ``embedded`` profile as ``benchmarks.answering.answer_quality`` asks its questions, in the same
FOLDER. Told is what each got: the outcome, whether a caution stands before it, and the first sentence or quote. Whether
that is right is for a reader to say. ``--write`` puts the table into ``results/phrasings.json`` and ``.md``.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.answering.answer_tables import table
from benchmarks.answering.asking import DrafterName, Row, ask, open_model
from benchmarks.common.answer_sets import load_answer_set, open_answer_index
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, provenance, write_results
from llama_index_medqa import PubMedIndex
from llama_index_medqa.cli.demo import demo_documents
from llama_index_medqa.components import open_embedder, open_engine, open_index
from llama_index_medqa.embeddings.embedding import E5Embedding
from llama_index_medqa.indexing.updating import ingest_files
from llama_index_medqa.profiles import EMBEDDED

FILE = Path(__file__).with_name("phrasings.json")
INDEXES = ("BioASQ", "demo")
_SHOWN_CHARACTERS = 160


def phrasings() -> list[dict[str, str]]:
    """Return the questions with kind, index and the expected outcome."""
    found: list[dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def open_phrasing_index(name: str, embedder: E5Embedding, work: Path, data: Path) -> PubMedIndex:
    """Return the index of the questions, built once and kept."""
    if name == "BioASQ":
        return open_answer_index(load_answer_set(name, data), embedder, work / "indexes")
    index = open_index(EMBEDDED, str(work / "indexes" / name), embedder, create=True)
    ingest_files(index, demo_documents())
    return index


def ask_phrasings(chosen: Sequence[Mapping[str, str]], work: Path, data: Path, drafter: DrafterName) -> list[Row]:
    """Ask questions, and return the outcome of each."""
    embedder, found = open_embedder(EMBEDDED), []
    with open_model(work, drafter) as (profile, model, drafts):
        engines = {
            name: open_engine(profile, open_phrasing_index(name, embedder, work, data), model)
            for name in dict.fromkeys(phrasing["index"] for phrasing in chosen)
        }
        for phrasing in chosen:
            row = ask(engines[phrasing["index"]], phrasing["question"], drafts)
            found.append({**phrasing, **got(row)})
            print(f"{phrasing['question']} -> {found[-1]['outcome']}", flush=True)
    return found


def got(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a question's outcome in a few words."""
    response = row["response"]
    shown = [
        *(sentence["text"] for sentence in response["sentences"]),
        *(item["quote"] for item in response["findings"]),
    ]
    first = " ".join(shown[0].split()) if shown else ""
    papers = [*row["cited"], *dict.fromkeys(finding["document_id"] for finding in response["findings"])]
    return {
        "outcome": response["outcome"],
        "reason": response["abstained"],
        "caution": bool(response["caution"]),
        "first": first if len(first) <= _SHOWN_CHARACTERS else f"{first[:_SHOWN_CHARACTERS]}…",
        "sentences": len(response["sentences"]),
        "papers": papers,
        "seconds": round(sum(response["seconds"].values()), 1),
    }


def as_markdown(results: Mapping[str, Any]) -> str:
    """Return the tables of a results file."""
    rows = results["phrasings"]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    outcomes = ("answer", "findings", "nothing_found")
    counts = Counter((row["kind"], row["outcome"]) for row in rows)
    lines = ["# Lay and clinical phrasings", ""]
    lines += table(
        ["", *(outcome.replace("_", " ") for outcome in outcomes)],
        [[kind, *(str(counts[kind, outcome]) for outcome in outcomes)] for kind in kinds],
    )
    lines += [
        "",
        *table(["kind", "question", "to be found", "outcome", "first sentence or quote"], list(map(_cells, rows))),
    ]
    origin = results["provenance"]
    lines += ["", f"{origin['date']}, commit {origin['commit'][:10]}, {origin['processor']}: `{origin['command']}`"]
    return "\n".join(lines) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    outcome = row["outcome"].replace("_", " ") + (f" ({row['reason']})" if row["reason"] else "")
    outcome += ", after a caution" if row["caution"] else ""
    cells = [row["kind"], row["question"], row["expected"], outcome, f"{row['first']} {' '.join(row['papers'][:1])}"]
    return [cell.replace("|", "\\|").strip() for cell in cells]


def main() -> None:
    """Ask, and shows or writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for indexes and drafts")
    add_data_option(parser)
    parser.add_argument("--drafter", choices=("model", "extractive"), default="model")
    parser.add_argument("--limit", type=int, help="questions of each index")
    parser.add_argument("--write", action="store_true", help="write the results file")
    options = parser.parse_args()
    require_data(options.data)
    options.work.mkdir(parents=True, exist_ok=True)
    chosen = [
        phrasing
        for name in INDEXES
        for phrasing in [item for item in phrasings() if item["index"] == name][: options.limit]
    ]
    results = {
        "provenance": provenance([FILE], ["chromadb", "xllamacpp", "torch", "onnxruntime"]),
        "drafter": options.drafter,
        "phrasings": ask_phrasings(chosen, options.work, options.data, options.drafter),
    }
    text = as_markdown(results)
    print(text)
    if options.write:
        name = "phrasings" if options.drafter == "model" else f"phrasings_{options.drafter}"
        write_results(name, results)
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
