"""From which confidence on should a question be answered?

A risk-coverage curve, without any language model.

    python -m benchmarks.answering.abstention [--data DATA] [--meaning FOLDER]

The ``calibration`` questions of PubMedQA and BioASQ (see ``answer_sets``) are retrieved for twice: with all papers
(answerable), and as if the papers that hold their answer were not in the index (unanswerable). For BioASQ other papers
of the set may hold an answer too, so some of its unanswerable ones are not. The signals of the gate are fitted to one
half of the questions by logistic regression, and the threshold is chosen there: the highest that refuses at most 4 % of
its answerable questions, because a question that is refused is lost, and what is tried in vain is still verified. Both
are told on the other half.

A question whose rare names one record has all is always tried. The gate that every embedder gets goes by words, and
retrieval here by BM25 among all papers; it takes a minute. With ``--meaning`` the embedded profile's index is built in
FOLDER and kept (embedding takes an hour on two busy cores), and a gate that knows its cosines is fitted too.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore

from benchmarks.common.answer_sets import NAMES, AnswerSet, WholePapers, load_answer_set, open_answer_index
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, provenance, write_results
from llama_index_medqa import PubMedRetriever
from llama_index_medqa.answering.answerability import AnswerabilitySignals, signals_of
from llama_index_medqa.components import open_embedder
from llama_index_medqa.evaluation.measures.abstention import RiskPoint, auroc, risk_coverage
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean
from llama_index_medqa.profiles import EMBEDDED

_DEEP = 60
_SHOWN_POINTS = 21
# Which signals a gate goes by: those that every retriever gives, and those of a known embedder.
_BY_WORDS = ("coverage", "unnamed")
WAYS = {"words": _BY_WORDS, "words and meaning": (*_BY_WORDS, "cosine")}
_MOST_REFUSED = 0.04
_HALVES = ("choosing", "testing")


def measured(chosen: AnswerSet, retriever: BaseRetriever) -> Iterator[dict[str, Any]]:
    """Yield the signals of every question, with its papers and without."""
    for number, case in enumerate(chosen.calibration):
        found = retriever.retrieve(case.question)
        for answerable in (True, False):
            nodes = [item for item in found if answerable or item.node.ref_doc_id not in case.gold_documents]
            yield {
                "set": chosen.name,
                "half": _HALVES[number % 2],
                "answerable": answerable,
                "signals": _signals(case.question, nodes[: EMBEDDED.similarity_top_k]),
            }


def _retriever(chosen: AnswerSet, folder: Path | None) -> BaseRetriever:
    if folder is None:
        return WholePapers(chosen, _DEEP)
    return PubMedRetriever(open_answer_index(chosen, open_embedder(EMBEDDED), folder), similarity_top_k=_DEEP)


def _signals(question: str, nodes: Sequence[NodeWithScore]) -> AnswerabilitySignals:
    # Without its papers a question may find nothing by words.
    return signals_of(question, nodes) or AnswerabilitySignals(coverage=0.0, named=False, unnamed=0.0, cosine=0.0)


def fitted(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the weights of a logistic regression, the constant first.

    By Newton's method with a trace of ridge.
    """
    features, labels = _matrix(rows, names), np.array([row["answerable"] for row in rows], dtype=float)
    weights = np.zeros(features.shape[1])
    ridge = np.diag([0.0, *[1e-3] * len(names)])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (chance - labels) + ridge @ weights
        weights -= np.linalg.solve((features * (chance * (1 - chance))[:, None]).T @ features + ridge, gradient)
    return weights


def confidences(rows: Sequence[dict[str, Any]], names: Sequence[str], weights: npt.NDArray[np.float64]) -> list[float]:
    """Return the confidences that the weights give to the signals."""
    values: list[float] = (1 / (1 + np.exp(-_matrix(rows, names) @ weights))).tolist()
    return values


def careful_threshold(rows: Sequence[dict[str, Any]], values: Sequence[float]) -> float:
    """Return the highest threshold that refuses at most 4 % of the answerable.

    In hundredths.

    A question whose rare names one record has all is always tried.
    """
    answerable = np.array(
        [1.0 if row["signals"].named else value for row, value in zip(rows, values, strict=True) if row["answerable"]]
    )
    allowed = [step / 100 for step in range(100) if float((answerable < step / 100).mean()) <= _MOST_REFUSED]
    return max(allowed)


def threshold_figures(rows: Sequence[dict[str, Any]], values: Sequence[float], threshold: float) -> dict[str, Any]:
    """Return the threshold's figures on some questions, and the curve around it."""
    answerable = [row["answerable"] for row in rows]
    curve = risk_coverage(values, answerable)
    tried = [float(row["signals"].named or value >= threshold) for row, value in zip(rows, values, strict=True)]
    intervals = {
        name: bootstrap_mean([abs(flip - took) for took, able in zip(tried, answerable, strict=True) if able is wanted])
        for name, wanted, flip in (("answered", True, 0.0), ("refused", False, 1.0))
    }
    steps = np.linspace(0, len(curve) - 1, min(_SHOWN_POINTS, len(curve))).astype(int)
    return {
        "questions": len(rows),
        "auroc": round(auroc(values, answerable), 4),
        **{name: {key: round(part, 4) for key, part in value._asdict().items()} for name, value in intervals.items()},
        "names trusted": sum(row["signals"].named for row in rows),
        "curve": [_rounded(curve[step]) for step in steps],
    }


def _rounded(point: RiskPoint) -> dict[str, float]:
    return {key: round(value, 4) for key, value in point._asdict().items()}


def _matrix(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.array([[1.0, *(getattr(row["signals"], name) for name in names)] for row in rows])


def way(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return weights and threshold from one half, and figures of both."""
    halves = {half: [row for row in rows if row["half"] == half] for half in _HALVES}
    weights = [round(float(weight), 3) for weight in fitted(halves["choosing"], names)]
    values = {half: confidences(own, names, np.array(weights)) for half, own in halves.items()}
    threshold = careful_threshold(halves["choosing"], values["choosing"])
    groups = {name: (name,) for name in NAMES} | {"both": NAMES}

    def of(half: str, sets: Sequence[str]) -> dict[str, Any]:
        own = [number for number, row in enumerate(halves[half]) if row["set"] in sets]
        return threshold_figures([halves[half][i] for i in own], [values[half][i] for i in own], threshold)

    return {
        "signals": list(names),
        "weights": weights,
        "threshold": threshold,
        **{half: {group: of(half, sets) for group, sets in groups.items()} for half in _HALVES},
    }


def as_markdown(results: dict[str, Any]) -> str:
    """Return the tables of a results file."""
    lines = ["# When to try a question", "", "On the half of the questions that nothing was chosen on.", ""]
    for name, way_found in results["ways"].items():
        lines += [f"## By {name}: threshold {way_found['threshold']}", ""]
        found = way_found["testing"]
        lines += [
            "| | questions | AUROC | answerable, tried | unanswerable, refused | tried for their names |",
            "|---|---|---|---|---|---|",
        ]
        for group in (*NAMES, "both"):
            of = found[group]
            answered, refused = (
                f"{of[key]['mean']:.3f} ({of[key]['low']:.3f} to {of[key]['high']:.3f})"
                for key in ("answered", "refused")
            )
            trusted = of["names trusted"]
            lines.append(f"| {group} | {of['questions']} | {of['auroc']:.3f} | {answered} | {refused} | {trusted} |")
        lines += [
            "",
            "Risk against coverage by chance alone, no name trusted, both sets:",
            "",
            "| threshold | coverage | risk | tried | refused |",
            "|---|---|---|---|---|",
        ]
        lines += [f"| {' | '.join(f'{value:.3f}' for value in point.values())} |" for point in found["both"]["curve"]]
        lines.append("")
    origin = results["provenance"]
    lines.append(f"{origin['date']}, commit {origin['commit'][:10]}, {origin['processor']}: `{origin['command']}`")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and writes ``results/abstention.json`` and ``.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--meaning", type=Path, help="folder of indexes: retrieve by meaning too")
    options = parser.parse_args()
    require_data(options.data)
    rows: list[dict[str, Any]] = []
    files: list[Path] = []
    for name in NAMES:
        chosen = load_answer_set(name, options.data)
        files += chosen.files
        rows += measured(chosen, _retriever(chosen, options.meaning))
    results = {
        "provenance": provenance(files, ["chromadb", "torch", "sentence-transformers"]),
        "retrieved_by": EMBEDDED.embedder if options.meaning else "BM25",
        "ways": {name: way(rows, names) for name, names in WAYS.items() if options.meaning or name == "words"},
    }
    write_results("abstention", results)
    (RESULTS / "abstention.md").write_text(as_markdown(results))
    print((RESULTS / "abstention.md").read_text())


if __name__ == "__main__":
    main()
