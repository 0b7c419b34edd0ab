"""How well do the judges agree with people, and what does each of their signals tell?

Claims that people called supported, refuted, neutral or hallucinated, each with its evidence: SciFact (claims and
abstracts), HealthVer (claims about COVID-19 and a sentence or two), MedHallu (answers to PubMedQA's questions, half
of them made up) and RAGTruth (answers of language models from three passages). A claim of several sentences is
supported as well as its weakest sentence. Whole groups of pairs are drawn until there are PAIRS of a set, with a
fixed seed.

One regression for all sets, in which each set counts the same. What is reported of it is out of fold: the pairs of a
fifth of the groups are scored by a regression that was fitted on the other four fifths. The weights that the package
ships were fitted on all of them. Intervals (95 %) are bootstrapped over groups. Nothing here is blind: the prompt was
chosen among a few on some of these pairs.

    python -m benchmarks.judge_quality [--data DATA] [--pairs PAIRS] [--journal FILE] [--api-base URL]

DATA is the shared data, by default $MEDQA_SHARED_DATA. Opinions of the language model are kept in FILE and asked for
once; without URL the packaged weights are served by llama.cpp. Needs scipy.
"""

import argparse
import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import provenance, write_results
from llama_index_medqa.assembly import open_embedder, open_judge
from llama_index_medqa.evaluation.calibration import (
    LabelledPair,
    judge_pairs,
    length,
    load_pairs,
    quality,
    sentences_of,
    word_overlap,
)
from llama_index_medqa.evaluation.judges.attribution import AttributionJudge
from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge
from llama_index_medqa.evaluation.judges.offline import OfflineJudge, Regression
from llama_index_medqa.evaluation.model_calls import ModelCalls
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.profiles import EMBEDDED

SETS = {
    "SciFact": "scifact_pairs",
    "HealthVer": "healthver_dev",
    "MedHallu": "medhallu_dev",
    "RAGTruth-QA": "ragtruth_qa_a",
}
FOLDS = 5
PENALTY = 1.0
ROUNDS = 8
OF_MODEL = ("against_contrary", "against_silence")
OF_TEXT = ("coverage", "words", "meaning", "support", "contrary", "number", "entity")
# Of these less is better.
AGAINST = frozenset({"contrary", "number", "entity"})


@dataclass(frozen=True)
class Item:
    """A labelled pair and the signals of each of its sentences."""

    set: str
    pair: LabelledPair
    signals: Sequence[Mapping[str, float]]


def drawn(pairs: Sequence[LabelledPair], number: int) -> list[LabelledPair]:
    """Whole groups, in the order of the file, until there are so many pairs."""
    groups = sorted({pair.group for pair in pairs})
    random.Random(0).shuffle(groups)
    chosen: set[str] = set()
    for group in groups:
        if sum(pair.group in chosen for pair in pairs) >= number:
            break
        chosen.add(group)
    return [pair for pair in pairs if pair.group in chosen]


async def read(pairs: Sequence[LabelledPair], name: str, judge: OfflineJudge) -> list[Item]:
    """The signals of all pairs; a pair that the language model gave no opinion on is an error here."""
    items = []
    for number, pair in enumerate(pairs):
        signals = await judge.signals(sentences_of(pair.claim), [pair.evidence])
        failed = [one for one in signals if isinstance(one, Score)]
        if failed:
            raise RuntimeError(f"{name}, pair {number}: {failed[0]}")
        items.append(Item(name, pair, [one for one in signals if not isinstance(one, Score)]))
        if number % 100 == 0:
            print(f"{name}: {number} of {len(pairs)}", flush=True)
    return items


def folds(items: Sequence[Item]) -> list[int]:
    """A fold for each item; the groups of each set are dealt out in turn."""
    dealt: dict[tuple[str, str], int] = {}
    for name in SETS:
        groups = sorted({item.pair.group for item in items if item.set == name})
        random.Random(1).shuffle(groups)
        dealt |= {(name, group): number % FOLDS for number, group in enumerate(groups)}
    return [dealt[item.set, item.pair.group] for item in items]


def fit(items: Sequence[Item], names: Sequence[str]) -> Regression:
    """The regression of "supported" on the signals of each claim's weakest sentence.

    Which sentence is the weakest depends on the regression: both are found in turns. Signals are scaled to a standard
    deviation of 1 for the penalty.
    """
    from scipy.optimize import minimize

    rows = [np.array([[one[name] for name in names] for one in item.signals]) for item in items]
    scale = np.concatenate(rows).std(axis=0)
    scale[scale == 0] = 1.0
    rows = [np.column_stack([row / scale, np.ones(len(row))]) for row in rows]
    supported = np.array([item.pair.supported for item in items])
    sizes = {name: sum(item.set == name for item in items) for name in {item.set for item in items}}
    share = np.array([len(items) / len(sizes) / sizes[item.set] for item in items])
    weights = np.array([-1.0 if name in AGAINST else 1.0 for name in names] + [0.0])
    for _ in range(ROUNDS):
        weakest = np.array([row[np.argmin(row @ weights)] for row in rows])

        def loss(values: np.ndarray, weakest: np.ndarray = weakest) -> float:
            logits = weakest @ values
            wrong = np.logaddexp(0, -logits) * supported + np.logaddexp(0, logits) * ~supported
            return float((share * wrong).sum() + PENALTY / 2 * (values[:-1] ** 2).sum())

        weights = minimize(loss, weights, method="L-BFGS-B").x
    found = dict(zip(names, (round(float(value), 3) for value in weights[:-1] / scale), strict=True))
    return Regression(round(float(weights[-1]), 3), found)


def scores(items: Sequence[Item], regression: Regression) -> list[Score]:
    """The chance of each claim's weakest sentence."""
    return [Score.of(min(regression.chance(one) for one in item.signals)) for item in items]


def out_of_fold(items: Sequence[Item], names: Sequence[str]) -> list[Score]:
    """The score of each item by a regression that saw nothing of its group."""
    of = folds(items)
    regressions = [
        fit([item for item, fold in zip(items, of, strict=True) if fold != left_out], names)
        for left_out in range(FOLDS)
    ]
    return [scores([item], regressions[fold])[0] for item, fold in zip(items, of, strict=True)]


def of_signal(item: Item, name: str) -> Score:
    """One signal alone, of the weakest sentence."""
    sign = -1.0 if name in AGAINST else 1.0
    return Score.of(min(sign * one[name] for one in item.signals))


def rows(items: Sequence[Item], attribution: Sequence[Score]) -> dict[str, tuple[list[Score], bool]]:
    """By name, the scores of all items, and whether they are chances."""
    return {
        "offline": (out_of_fold(items, OF_TEXT + OF_MODEL), True),
        "offline-without-model": (out_of_fold(items, OF_TEXT), True),
        "attribution": (list(attribution), True),
        **{f"signal: {name}": ([of_signal(item, name) for item in items], False) for name in OF_TEXT + OF_MODEL},
        "word overlap": ([Score.of(word_overlap(item.pair)) for item in items], False),
        "length": ([Score.of(length(item.pair)) for item in items], False),
    }


def measured(items: Sequence[Item], attribution: Sequence[Score]) -> dict[str, Any]:
    """All figures, by row and set."""
    told: dict[str, Any] = {}
    for row, (values, probabilities) in rows(items, attribution).items():
        told[row] = {}
        for name in SETS:
            some = [number for number, item in enumerate(items) if item.set == name]
            if some:
                figures = quality(
                    [values[number] for number in some],
                    [items[number].pair for number in some],
                    probabilities=probabilities,
                )
                told[row][name] = figures.as_data()
    return told


async def collected(options: argparse.Namespace, files: Mapping[str, Path]) -> tuple[list[Item], list[Score], Any]:
    """The signals of all pairs, and what attribution says of them."""
    items: list[Item] = []
    attribution: list[Score] = []
    with open_judge(EMBEDDED, api_base=options.api_base, model=options.model) as server:
        async with ModelCalls.open(server, options.journal) as calls:
            judge = OfflineJudge(open_embedder(EMBEDDED), LogOddsJudge(calls))
            for name, path in files.items():
                pairs = drawn(load_pairs(path), options.pairs)
                items += await read(pairs, name, judge)
                attribution += await judge_pairs(AttributionJudge(), pairs)
            return items, attribution, {"judge": judge.identity, "totals": calls.totals}


def main() -> None:
    """Measures all sets and writes ``results/judge_quality.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MEDQA_SHARED_DATA", "../shared/data")))
    parser.add_argument("--pairs", type=int, default=500, help="pairs of each set, about")
    parser.add_argument("--journal", default="judge_quality.judge.jsonl", help="file of the opinions")
    parser.add_argument("--api-base", help="server of the language model, in place of the packaged weights")
    parser.add_argument("--model", help="name under which it serves the model")
    options = parser.parse_args()
    files = {name: options.data / "faithfulness" / f"{file}.jsonl" for name, file in SETS.items()}
    items, attribution, told = asyncio.run(collected(options, files))
    results = {
        "judge": told["judge"],
        "regressions": {
            name: vars(fit(items, names))
            for name, names in (("offline", OF_TEXT + OF_MODEL), ("offline-without-model", OF_TEXT))
        },
        "rows": measured(items, attribution),
        "calls": {"requests": told["totals"].calls, "kept": told["totals"].kept},
        "folds": FOLDS,
        "penalty": PENALTY,
        "provenance": provenance(files.values(), ["numpy", "scipy", "llama-index-core", "xllamacpp", "openvino"]),
    }
    print(write_results("judge_quality", results).read_text())


if __name__ == "__main__":
    main()
