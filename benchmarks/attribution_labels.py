"""How well does attribution agree with people, and what does each of its parts do?

Pairs of a claim and an abstract that people called supported, refuted or neutral. Of each pair the claim is aligned
with the abstract as the query engine aligns a sentence with its evidence, and the best support is the score. AUROC is
of supported against all others, and of supported against refuted; intervals (95 %) are bootstrapped over groups of
pairs about the same claim or question. Beside it: plain word overlap (the share of the claim's words anywhere in the
abstract), and the same without one part at a time.

The regression and the threshold were fitted on SciFact's training claims (``--fit`` does it again and prints them); on
SciFact's development claims and on HealthVer nothing was fitted, but their figures were seen while the rules of words
were written, and mistakes of one half of HealthVer were read: not blind.

    python -m benchmarks.attribution_labels [--data DATA] [--vectors FOLDER] [--fit]

DATA is the shared data, by default $MEDQA_SHARED_DATA. The 10,000 sentences take some minutes to embed on two cores;
their vectors are kept in FOLDER. ``--fit`` needs scipy.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.schema import NodeWithScore, TextNode

from benchmarks.data_folder import add_data_option
from benchmarks.provenance import provenance, write_results
from llama_index_medqa import E5Embedding
from llama_index_medqa.attribution import Alignment, Attributor
from llama_index_medqa.support_checks import ALL_CHECKS
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.weights import locate

RESAMPLES = 1000
LABELS = ("supported", "refuted", "neutral")
PARTS: dict[str, frozenset[str]] = {
    "number checks": frozenset({"number", "unit"}),
    "negation and direction checks": frozenset({"negation", "direction"}),
    "name check": frozenset({"entity"}),
    "conduct check": frozenset({"conduct"}),
    "all checks": ALL_CHECKS,
}


@dataclass(frozen=True)
class Pair:
    """A claim, the abstract it is held against, and what people said."""

    claim: str
    passages: tuple[Passage, ...]
    label: str
    group: str
    evidence: str


def load(path: Path, split: str) -> list[Pair]:
    """The pairs of one split of a set, in the order of the file."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [_pair(row) for row in rows if row["split"] == split]


def _pair(row: dict[str, Any]) -> Pair:
    title, evidence = row.get("title", ""), " ".join(row["evidence"])
    text = f"{title}\n{evidence}" if title else evidence
    node = TextNode(text=text, start_char_idx=0, id_="PMID:1", metadata={"title": title})
    passages = tuple(passages_of([NodeWithScore(node=node)]))
    return Pair(row["claim"], passages, row["label"], row["group"], evidence)


def overlap(pair: Pair) -> float:
    """The share of the claim's meaningful words that stand anywhere in the abstract."""
    words = content_words(pair.claim)
    return len(words & content_words(pair.evidence)) / max(len(words), 1)


Aligned = list[list[Alignment]]


def aligned(pairs: Sequence[Pair], attributor: Attributor) -> Aligned:
    """The texts of each abstract that are nearest to its claim, with what the checks found."""
    return [attributor.candidates(pair.claim, pair.passages) for pair in pairs]


def supports(found: Aligned, without: frozenset[str] = frozenset()) -> list[float]:
    """The support of each claim's best text, with some kinds of findings left out."""
    return [
        max(
            (
                replace(item, findings=tuple(one for one in item.findings if one.kind not in without)).support
                for item in items
            ),
            default=0.0,
        )
        for items in found
    ]


def auroc(scores: Sequence[float], positive: Sequence[bool], weights: np.ndarray | None = None) -> float:
    """The share of pairs of a positive and a negative in which the positive scores higher; a tie counts half."""
    order = np.argsort(scores, kind="stable")
    values, truth = np.asarray(scores)[order], np.asarray(positive)[order]
    weight = np.ones(len(values)) if weights is None else weights[order]
    _, tie = np.unique(values, return_inverse=True)
    up, down = np.bincount(tie, weight * truth), np.bincount(tie, weight * ~truth)
    below = np.cumsum(down) - down
    return float((up * (below + 0.5 * down)).sum() / (up.sum() * down.sum()))


def interval(scores: Sequence[float], positive: Sequence[bool], groups: Sequence[str]) -> list[float]:
    """AUROC with its interval, by drawing groups with replacement."""
    _, group = np.unique(groups, return_inverse=True)
    random = np.random.default_rng(0)
    number = int(group.max()) + 1
    drawn = (np.bincount(random.integers(0, number, number), minlength=number) for _ in range(RESAMPLES))
    values = [auroc(scores, positive, counts[group].astype(float)) for counts in drawn]
    low, high = np.quantile(values, [0.025, 0.975])
    return [round(auroc(scores, positive), 4), round(float(low), 4), round(float(high), 4)]


def measured(pairs: Sequence[Pair], scores: Sequence[float]) -> dict[str, Any]:
    """Both areas of one score, each with its interval."""
    decided = [number for number, pair in enumerate(pairs) if pair.label != "neutral"]
    supported = [pair.label == "supported" for pair in pairs]
    groups = [pair.group for pair in pairs]
    return {
        "auroc": interval(scores, supported, groups),
        "auroc_supported_against_refuted": interval(
            [scores[number] for number in decided],
            [supported[number] for number in decided],
            [groups[number] for number in decided],
        ),
    }


def verdicts(pairs: Sequence[Pair], attributor: Attributor) -> dict[str, dict[str, float]]:
    """By label, the share of each verdict, as the query engine would give it."""
    found = {label: Counter[str]() for label in LABELS}
    for pair in pairs:
        found[pair.label][attributor.attribute(pair.claim, pair.passages).verdict] += 1
    return {
        label: {verdict: round(count / counts.total(), 4) for verdict, count in sorted(counts.items())}
        for label, counts in found.items()
    }


def measure(pairs: Sequence[Pair], embedder: E5Embedding) -> dict[str, Any]:
    """All rows of one set."""
    found = aligned(pairs, Attributor(embedder))
    rows = {
        "word overlap": list(map(overlap, pairs)),
        "attribution": supports(found),
        "without embeddings": supports(aligned(pairs, Attributor())),
    } | {f"without {name}": supports(found, kinds) for name, kinds in PARTS.items()}
    return {
        "pairs": Counter(pair.label for pair in pairs),
        "groups": len({pair.group for pair in pairs}),
        "rows": {name: measured(pairs, scores) for name, scores in rows.items()},
        "verdicts": {
            "with embeddings": verdicts(pairs, Attributor(embedder)),
            "without embeddings": verdicts(pairs, Attributor()),
        },
    }


def fit(pairs: Sequence[Pair], attributor: Attributor, *, meaning: bool) -> dict[str, float]:
    """The regression of "supported" on the best text's words, meaning and findings (Alignment says what they are).

    Which text is best depends on the regression: both are found in turns.
    """
    from scipy.optimize import minimize

    features = [
        np.array([_features(item, meaning=meaning) for item in attributor.candidates(pair.claim, pair.passages)])
        for pair in pairs
    ]
    usable = [number for number, rows in enumerate(features) if len(rows)]
    labels = np.array([pairs[number].label == "supported" for number in usable])
    weights = np.array([5.0, 20.0 * meaning, -1.0, -1.0, -1.0, -0.5, 0.0, -20.0 if meaning else -5.0])
    for _ in range(6):
        best = np.array([features[number][np.argmax(features[number] @ weights)] for number in usable])

        def loss(values: np.ndarray, best: np.ndarray = best) -> float:
            logits = best @ values
            wrong = np.logaddexp(0, -logits) * labels + np.logaddexp(0, logits) * ~labels
            return float(wrong.sum() + 0.02 * (values[:-1] ** 2).sum())

        weights = minimize(loss, weights).x
    names = ("words", "meaning", "negation", "direction", "number or unit", "entity", "certainty", "bias")
    return dict(zip(names, map(float, np.round(weights, 2)), strict=True))


def _features(item: Alignment, *, meaning: bool) -> list[float]:
    kinds = {finding.kind for finding in item.findings}
    return [
        item.words,
        item.meaning if meaning else 0.0,
        "negation" in kinds,
        "direction" in kinds,
        bool(kinds & {"number", "unit"}),
        "entity" in kinds,
        "certainty" in kinds,
        1.0,
    ]


def thresholds(pairs: Sequence[Pair], embedder: E5Embedding | None) -> list[dict[str, Any]]:
    """By threshold, the share of each label that would be called supported."""
    best = []
    for pair in pairs:
        clean = [item for item in Attributor(embedder, 0.0).align(pair.claim, pair.passages) if not item.findings]
        best.append(max((item.nearness for item in clean), default=0.0))
    return [
        {
            "threshold": round(float(threshold), 2),
            **{
                label: round(
                    float(
                        np.mean(
                            [near >= threshold for near, pair in zip(best, pairs, strict=True) if pair.label == label]
                        )
                    ),
                    4,
                )
                for label in LABELS
            },
        }
        for threshold in np.arange(0.2, 0.9, 0.05)
    ]


def main() -> None:
    """Measures all sets and writes ``results/attribution_labels.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser)
    parser.add_argument("--vectors", default="vectors", help="folder of the vectors")
    parser.add_argument("--fit", action="store_true", help="fit on SciFact's training claims, print and stop")
    options = parser.parse_args()
    scifact = options.data / "faithfulness" / "scifact_pairs.jsonl"
    healthver = options.data / "faithfulness" / "healthver_dev.jsonl"
    embedder = E5Embedding(model_name=str(locate("multilingual-e5-small")), cache_dir=options.vectors)
    if options.fit:
        training = load(scifact, "train")
        for name, chosen in (("words and meaning", embedder), ("words", None)):
            print(name, json.dumps(fit(training, Attributor(chosen), meaning=chosen is not None)))
            for row in thresholds(training, chosen):
                print("  ", json.dumps(row))
        return
    results = {
        "sets": {
            "SciFact dev": measure(load(scifact, "dev"), embedder),
            "HealthVer": measure(load(healthver, "dev"), embedder),
        },
        "thresholds": {"with embeddings": Attributor(embedder).threshold, "without": Attributor().threshold},
        "embedder": embedder.describe(),
        "resamples": RESAMPLES,
        "provenance": provenance([scifact, healthver], ["numpy", "snowballstemmer", "llama-index-core"]),
    }
    print(write_results("attribution_labels", results).read_text())


if __name__ == "__main__":
    main()
