"""How often attribution by words agrees with people, beside plain word overlap.

Pairs of claim and abstract that people called supported, refuted or neutral (SciFact, HealthVer). Attribution is run
as the query engine runs it, at its default threshold; plain word overlap is the share of the claim's meaningful words
anywhere in the evidence, at the same threshold. AUROC is of supported against all others.

    python -m benchmarks.support_by_words [DATA]    # DATA: the shared data, by default $MEDQA_SHARED_DATA
"""

import inspect
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from llama_index.core.schema import NodeWithScore, TextNode

from benchmarks.provenance import provenance, write_results
from llama_index_medqa.attribution import attribute
from llama_index_medqa.evidence import content_words, passages_of
from llama_index_medqa.query_engine import MedQAQueryEngine

SETS = ("scifact_pairs", "healthver_dev")
THRESHOLD: float = inspect.signature(MedQAQueryEngine.__init__).parameters["support_threshold"].default


def measure(path: Path) -> dict[str, Any]:
    """Both measures on one set."""
    scores: dict[str, dict[str, list[float]]] = {"attribution": defaultdict(list), "word_overlap": defaultdict(list)}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        evidence = " ".join(row["evidence"])
        node = TextNode(text=evidence, start_char_idx=0, id_="PMID:1", metadata={"title": ""})
        passages = passages_of([NodeWithScore(node=node)])
        words = content_words(row["claim"])
        overlap = len(words & content_words(evidence)) / max(len(words), 1)
        scores["attribution"][row["label"]].append(attribute(row["claim"], passages, THRESHOLD).support)
        scores["word_overlap"][row["label"]].append(overlap)
    return {name: summary(by_label) for name, by_label in scores.items()}


def summary(by_label: dict[str, list[float]]) -> dict[str, Any]:
    """Share of each label at or above the threshold, and how well the score tells supported claims from others."""
    others = [score for label, scores in by_label.items() if label != "supported" for score in scores]
    return {
        "pairs": {label: len(scores) for label, scores in sorted(by_label.items())},
        "called_supported": {
            label: round(sum(score >= THRESHOLD for score in scores) / len(scores), 4)
            for label, scores in sorted(by_label.items())
        },
        "auroc": round(auroc(by_label["supported"], others), 4),
        "auroc_supported_against_refuted": round(auroc(by_label["supported"], by_label["refuted"]), 4),
    }


def auroc(positive: list[float], negative: list[float]) -> float:
    """Share of pairs in which the positive scores higher; a tie counts half (Mann-Whitney)."""
    wins = sum((one > other) + 0.5 * (one == other) for one in positive for other in negative)
    return wins / (len(positive) * len(negative))


def main() -> None:
    """Measures all sets and writes ``results/support_by_words.json``."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["MEDQA_SHARED_DATA"])
    files = [data / "faithfulness" / f"{name}.jsonl" for name in SETS]
    results = {
        "threshold": THRESHOLD,
        "sets": {path.stem: measure(path) for path in files},
        "provenance": provenance(files, ["snowballstemmer"]),
    }
    path = write_results("support_by_words", results)
    print(path.read_text())


if __name__ == "__main__":
    main()
