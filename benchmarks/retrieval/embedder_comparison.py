"""Does bge-small-en-v1.5 retrieve more than the 4-bit multilingual E5, and at which cost?

Both packaged embedders, alone and fused with the product's BM25 by reciprocal rank as its retriever does, on samples of
three sets:

- SciFact: 150 claims of the development split; the papers that speak about them and random others, 300 in all.
- BioASQ: 250 questions drawn from ``calibration`` and ``training``; the papers that answer them and random others,
  2,000 in all. Its papers are the snippets that experts marked, 68 tokens in the mean.
- PubMedQA: 100 questions drawn from the same, their papers and others, 130 in all. No question is a ``final`` one.

Both sides index the same papers, once in chunks of 128 tokens with 64 of overlap, once as whole abstracts (500 tokens,
no overlap); tokens are those of each embedder. Papers are ranked by their best chunk. Intervals (95 %) are bootstrapped
over questions, differences paired. Nothing was chosen on these figures but the default embedder.

    taskset -c 0 python -m benchmarks.retrieval.embedder_comparison [--data DATA] [--folder FOLDER] [--sets NAMES]
        [--kinds chunks,whole]

Embedding takes some ten minutes of one processor. Vectors are kept in FOLDER, so that a run that was
interrupted goes on. Costs are CPU-seconds of one processor, without the cache, on the first abstracts of SciFact, the
sides in turns.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.answer_sets import load_answer_set
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import provenance, write_results
from benchmarks.common.retrieval_sets import NAMES, RetrievalSet, load_set
from benchmarks.retrieval.retrieval_quality import Rankings
from llama_index_medqa import (
    BgeEmbedding,
    E5Embedding,
    PubMedIndex,
    PubMedRetriever,
    TokenNodeParser,
    TransformerEmbedding,
)
from llama_index_medqa.evaluation.measures.retrieval import Recall, RetrievalMeasure, nDCG
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean, paired_bootstrap
from llama_index_medqa.retrieval.fusion import RRF_K, reciprocal_rank_fusion
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.weights import locate

MEASURES: tuple[RetrievalMeasure, ...] = (nDCG @ 10, Recall @ 10)
SIDES = ("e5", "bge")
MODES = ("alone", "with BM25")
DEPTH = 100
CHUNKS = {"chunks": (128, 64), "whole": (500, 0)}
# Questions and papers of each sample.
SAMPLES: dict[str, tuple[int, int]] = {"SciFact": (150, 300), "BioASQ": (250, 2_000), "PubMedQA": (100, 130)}
# Of which two rows the difference is told.
PAIRS = (
    *((f"bge {label}, {kind}", f"e5 {label}, {kind}") for kind in CHUNKS for label in MODES),
    *((f"{side} {label}, whole", f"{side} {label}, chunks") for side in SIDES for label in MODES),
    ("bge with BM25, chunks", "BM25"),
    ("bge with BM25, whole", "e5 with BM25, chunks"),
)
_SPEED_ABSTRACTS = 12
_SPEED_ROUNDS = 2


def embedder(name: str, vectors: str | None) -> TransformerEmbedding:
    """Return one of the two embedders.

    With a cache of its vectors where a folder is given.
    """
    if name == "bge":
        return BgeEmbedding(model_name=str(locate("bge-small-en-v1.5")), cache_dir=vectors)
    return E5Embedding(model_name=str(locate("multilingual-e5-small")), cache_dir=vectors)


def sampled(name: str, data: Path) -> RetrievalSet:
    """Return the sample of a set.

    Its questions, the papers that answer them, and random others.
    """
    chosen = load_set(name, data)
    questions, papers = SAMPLES[name]
    files = chosen.files
    cases = chosen.cases
    if name != "SciFact":
        answer_set = load_answer_set(name, data)
        cases, files = answer_set.others, answer_set.files
    draw = random.Random(19)
    cases = draw.sample(cases, questions)
    gold = {document for case in cases for document in case.gold_documents}
    others = sorted(document.id_ for document in chosen.documents if document.id_ not in gold)
    kept = gold | set(draw.sample(others, max(0, min(papers - len(gold), len(others)))))
    documents = [document for document in chosen.documents if document.id_ in kept]
    return replace(chosen, documents=documents, cases=cases, files=files)


def dense_rankings(chosen: RetrievalSet, model: TransformerEmbedding, size: tuple[int, int]) -> tuple[Rankings, int]:
    """Return rankings of papers by their best chunk, and the chunk count.

    By the greatest cosine, as the retriever has them.
    """
    parser = TokenNodeParser(tokenizer=model.model_name, chunk_size=size[0], chunk_overlap=size[1])
    pieces = [(document.id_, text) for document in chosen.documents for text in parser.split_text(document.text)]
    texts = [text for _, text in pieces]
    vectors = np.array(
        # A few at a time: what is embedded is kept when the run is interrupted.
        [
            vector
            for start in range(0, len(texts), 128)
            for vector in model.get_text_embedding_batch(texts[start : start + 128])
        ]
    )
    rankings = {}
    for case in chosen.cases:
        order = np.argsort(-(vectors @ np.array(model.get_query_embedding(case.question))), kind="stable")
        rankings[case.case_id] = list(dict.fromkeys(pieces[row][0] for row in order))[:DEPTH]
    return rankings, len(pieces)


def lexical_rankings(chosen: RetrievalSet) -> Rankings:
    """Return rankings of papers by the product's BM25.

    It ranks whole records: embedder and chunks are nothing to it.
    """
    parser = TokenNodeParser(tokenizer=str(locate("bge-small-en-v1.5")))
    with tempfile.TemporaryDirectory() as folder:
        index = PubMedIndex.open(folder, embed_model=HashEmbedding(dimension=2), node_parser=parser, create=True)
        index.ingest(chosen.documents)
        retriever = PubMedRetriever(
            index, mode="lexical", similarity_top_k=DEPTH, candidates=DEPTH, chunks_per_record=1
        )
        return {
            case.case_id: list(dict.fromkeys(str(found.node.ref_doc_id) for found in retriever.retrieve(case.question)))
            for case in chosen.cases
        }


def rankings_of(name: str, options: argparse.Namespace) -> tuple[RetrievalSet, dict[str, Rankings], dict[str, int]]:
    """Return a set's sample, the rankings of every row, and chunk counts."""
    chosen = sampled(name, options.data)
    rows = {"BM25": lexical_rankings(chosen)}
    chunks: dict[str, int] = {}
    for kind in options.kinds.split(","):
        for side in SIDES:
            model = embedder(side, str(options.folder / "vectors"))
            dense, chunks[f"{side}, {kind}"] = dense_rankings(chosen, model, CHUNKS[kind])
            rows[f"{side} alone, {kind}"] = dense
            rows[f"{side} with BM25, {kind}"] = {
                question: list(reciprocal_rank_fusion([found, rows["BM25"][question]], RRF_K))
                for question, found in dense.items()
            }
    return chosen, rows, chunks


def measure_set(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return all rows of one set, and the paired differences."""
    chosen, rows, chunks = rankings_of(name, options)
    judgements = {case.case_id: case.judgements for case in chosen.cases}
    values = {
        label: {str(measure): list(measure.per_question(found, judgements).values()) for measure in MEASURES}
        for label, found in rows.items()
    }
    return {
        "documents": len(chosen.documents),
        "questions": len(chosen.cases),
        "chunks": chunks,
        "rows": {
            label: {key: _rounded(bootstrap_mean(each)) for key, each in of.items()} for label, of in values.items()
        },
        "differences": {
            f"{first} - {second}": {
                key: _rounded(paired_bootstrap(values[first][key], values[second][key])) for key in values[first]
            }
            for first, second in PAIRS
            if first in values and second in values
        },
    }


def costs(data: Path) -> dict[str, Any]:
    """Return CPU-seconds to embed abstracts and claims, sides in turn.

    The first abstracts of SciFact, and as many of its claims.
    """
    chosen = load_set("SciFact", data)
    texts = [document.text for document in chosen.documents[:_SPEED_ABSTRACTS]]
    questions = [case.question for case in chosen.cases[:_SPEED_ABSTRACTS]]
    models = {side: embedder(side, None) for side in SIDES}
    work: dict[str, tuple[str, list[str]]] = {}
    for side, model in models.items():
        for kind, (size, overlap) in CHUNKS.items():
            parser = TokenNodeParser(tokenizer=model.model_name, chunk_size=size, chunk_overlap=overlap)
            work[f"{side}, {kind}"] = side, [piece for text in texts for piece in parser.split_text(text)]
        model.get_text_embedding("loads the model")
    seconds: dict[str, list[float]] = {}
    for _ in range(_SPEED_ROUNDS):
        for label, (side, pieces) in work.items():
            seconds.setdefault(label, []).append(_cpu_seconds(models[side].get_text_embedding_batch, pieces))
        for side, model in models.items():
            taken = sum(_cpu_seconds(model.get_query_embedding, question) for question in questions)
            seconds.setdefault(f"{side}, question", []).append(taken)
    return {
        "abstracts": len(texts),
        "execution": {side: model.describe() for side, model in models.items()},
        "chunks": {label: len(pieces) for label, (_, pieces) in work.items()},
        "cpu_milliseconds_each": {
            label: round(1_000 * statistics.median(of) / len(texts), 1) for label, of in seconds.items()
        },
        "cpu_seconds": {label: [round(value, 3) for value in of] for label, of in seconds.items()},
    }


def _cpu_seconds(work: Callable[[Any], Any], given: Any) -> float:
    start = time.process_time()
    work(given)
    return time.process_time() - start


def _rounded(estimate: Any) -> dict[str, float]:
    return {key: round(value, 4) for key, value in estimate._asdict().items() if key != "cases"}


def main() -> None:
    """Measure the sets and writes ``results/embedder_comparison.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--sets", default=",".join(NAMES))
    parser.add_argument("--kinds", default=",".join(CHUNKS), help="chunks, whole or both")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "medqa-embedders")
    options = parser.parse_args()
    require_data(options.data)
    names = options.sets.split(",")
    results: dict[str, Any] = {"sets": {name: measure_set(name, options) for name in names}}
    results["costs"] = costs(options.data)
    files = [file for name in names for file in sampled(name, options.data).files]
    packages = ["chromadb", "llama-index-core", "onnxruntime", "openvino", "sentence-transformers", "torch"]
    results["provenance"] = provenance(files, packages)
    write_results("embedder_comparison", results)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
