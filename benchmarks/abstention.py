"""From which confidence on should a question be tried? A risk-coverage curve, without any language model.

    python -m benchmarks.abstention --work FOLDER [--data DATA]

Questions of PubMedQA and BioASQ that are not among those of ``benchmarks.answers`` are retrieved for twice: with all
papers (answerable), and as if the papers that hold their answer were not in the index (unanswerable). For BioASQ other
papers of the set may hold an answer too, so some of its unanswerable ones are not. The signals of the gate are fitted
to one half of the questions by logistic regression and told on the other half, where the threshold is chosen too: the
confidence that answers as many answerable questions as it refuses unanswerable ones, counted over both sets alike.
Indexes are built once and kept in FOLDER; with them it takes some minutes.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_index.core.schema import NodeWithScore, QueryBundle

from benchmarks.answer_sets import NAMES, AnswerSet, load_answer_set, open_answer_index
from benchmarks.data_folder import add_data_option, require_data
from benchmarks.provenance import RESULTS, provenance, write_results
from llama_index_medqa import PubMedRetriever, TransformerEmbedding
from llama_index_medqa.answerability import Signals, signals_of
from llama_index_medqa.assembly import open_embedder
from llama_index_medqa.evaluation.measures.abstention import RiskPoint, auroc, risk_coverage
from llama_index_medqa.evaluation.statistics import bootstrap_mean
from llama_index_medqa.profiles import EMBEDDED

_DEEP = 60
_SHOWN_POINTS = 21
# Which signals a gate goes by: those that every retriever gives, and those of a known embedder.
WAYS = {"words": ("coverage",), "words and meaning": ("coverage", "likeness")}


def measured(chosen: AnswerSet, retriever: PubMedRetriever, embedder: TransformerEmbedding) -> Iterator[dict[str, Any]]:
    """The signals of every question, with its papers and without."""
    for number, case in enumerate(chosen.others):
        query = QueryBundle(case.question, embedding=embedder.get_query_embedding(case.question))
        found = retriever.retrieve(query)
        for answerable in (True, False):
            nodes = [item for item in found if answerable or item.node.ref_doc_id not in case.gold_documents]
            yield {
                "set": chosen.name,
                "half": number % 2,
                "answerable": answerable,
                "signals": _signals(case.question, nodes[: EMBEDDED.similarity_top_k]),
            }


def _signals(question: str, nodes: Sequence[NodeWithScore]) -> Signals:
    signals = signals_of(question, nodes)
    assert signals is not None, "every question of these sets finds something"
    return signals


def fitted(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Weights of a logistic regression (Newton's method, a trace of ridge): the constant first."""
    features, labels = _matrix(rows, names), np.array([row["answerable"] for row in rows], dtype=float)
    weights = np.zeros(features.shape[1])
    ridge = np.diag([0.0, *[1e-3] * len(names)])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (chance - labels) + ridge @ weights
        weights -= np.linalg.solve((features * (chance * (1 - chance))[:, None]).T @ features + ridge, gradient)
    return weights


def confidences(rows: Sequence[dict[str, Any]], names: Sequence[str], weights: npt.NDArray[np.float64]) -> list[float]:
    """What the weights make of the signals."""
    values: list[float] = (1 / (1 + np.exp(-_matrix(rows, names) @ weights))).tolist()
    return values


def balanced_threshold(rows: Sequence[dict[str, Any]], values: Sequence[float]) -> float:
    """The threshold where answered and refused shares, averaged over the sets, are nearest to each other."""
    curves = {}
    for name in NAMES:
        own = [number for number, row in enumerate(rows) if row["set"] == name]
        curves[name] = ([values[i] for i in own], [rows[i]["answerable"] for i in own])

    def distance(threshold: float) -> float:
        points = [_at(*curve, threshold) for curve in curves.values()]
        return abs(sum(point.answered - point.refused for point in points))

    return min((round(step / 100, 2) for step in range(1, 100)), key=distance)


def told(rows: Sequence[dict[str, Any]], values: Sequence[float], threshold: float) -> dict[str, Any]:
    """What the threshold gives on some questions, and the curve around it."""
    answerable = [row["answerable"] for row in rows]
    curve = risk_coverage(values, answerable)
    tried = [float(value >= threshold) for value in values]
    intervals = {
        name: bootstrap_mean([abs(flip - took) for took, able in zip(tried, answerable, strict=True) if able is wanted])
        for name, wanted, flip in (("answered", True, 0.0), ("refused", False, 1.0))
    }
    steps = np.linspace(0, len(curve) - 1, min(_SHOWN_POINTS, len(curve))).astype(int)
    return {
        "questions": len(rows),
        "auroc": round(auroc(values, answerable), 4),
        **{name: {key: round(part, 4) for key, part in value._asdict().items()} for name, value in intervals.items()},
        "at_threshold": _rounded(_at(values, answerable, threshold)),
        "curve": [_rounded(curve[step]) for step in steps],
    }


def _at(values: Sequence[float], answerable: Sequence[bool], threshold: float) -> RiskPoint:
    taken = [able for value, able in zip(values, answerable, strict=True) if value >= threshold]
    can, cannot, right = sum(answerable), len(answerable) - sum(answerable), sum(taken)
    wrong = len(taken) - right
    risk = wrong / len(taken) if taken else 0.0
    return RiskPoint(threshold, len(taken) / len(answerable), risk, right / can, 1 - wrong / cannot)


def _rounded(point: RiskPoint) -> dict[str, float]:
    return {key: round(value, 4) for key, value in point._asdict().items()}


def _matrix(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.array([[1.0, *(getattr(row["signals"], name) for name in names)] for row in rows])


def way(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Weights from one half, threshold and figures from the other."""
    fit, test = ([row for row in rows if row["half"] == half] for half in (0, 1))
    weights = fitted(fit, names)
    values = confidences(test, names, weights)
    threshold = balanced_threshold(test, values)
    sets = {name: [number for number, row in enumerate(test) if row["set"] == name] for name in NAMES}
    return {
        "signals": list(names),
        "weights": [round(float(weight), 3) for weight in weights],
        "threshold": threshold,
        "both": told(test, values, threshold),
        **{name: told([test[i] for i in own], [values[i] for i in own], threshold) for name, own in sets.items()},
    }


def as_markdown(results: dict[str, Any]) -> str:
    """The tables of a results file."""
    lines = ["# When to try a question", "", "On the half of the questions that the weights were not fitted to.", ""]
    for name, found in results["ways"].items():
        lines += [f"## By {name}: threshold {found['threshold']}", ""]
        lines += [
            "| | questions | AUROC | answerable, tried | unanswerable, refused | risk |",
            "|---|---|---|---|---|---|",
        ]
        for group in (*NAMES, "both"):
            of = found[group]
            answered, refused = (
                f"{of[key]['mean']:.3f} ({of[key]['low']:.3f} to {of[key]['high']:.3f})"
                for key in ("answered", "refused")
            )
            risk = of["at_threshold"]["risk"]
            lines.append(f"| {group} | {of['questions']} | {of['auroc']:.3f} | {answered} | {refused} | {risk:.3f} |")
        lines += [
            "",
            "Risk against coverage, both sets:",
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
    """Measures and writes ``results/abstention.json`` and ``.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    add_data_option(parser)
    parser.add_argument("--limit", type=int, default=1_000, help="questions of each set")
    options = parser.parse_args()
    require_data(options.data)
    embedder = open_embedder(EMBEDDED)
    rows: list[dict[str, Any]] = []
    files: list[Path] = []
    for name in NAMES:
        chosen = load_answer_set(name, options.data)
        files += chosen.files
        index = open_answer_index(chosen, embedder, options.work / "indexes")
        own = measured(chosen, PubMedRetriever(index, similarity_top_k=_DEEP), embedder)
        rows += [row for row, _ in zip(own, range(2 * options.limit), strict=False)]
    results = {
        "provenance": provenance(files, ["chromadb", "torch", "sentence-transformers"]),
        "ways": {name: way(rows, names) for name, names in WAYS.items()},
    }
    write_results("abstention", results)
    (RESULTS / "abstention.md").write_text(as_markdown(results))
    print((RESULTS / "abstention.md").read_text())


if __name__ == "__main__":
    main()
