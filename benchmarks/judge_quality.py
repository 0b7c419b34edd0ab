"""How well do the judges agree with people, and what does each of their signals tell?

Claims that people called supported, refuted, neutral or hallucinated, each with its evidence: SciFact (claims and
abstracts), HealthVer (claims about COVID-19 and a sentence or two), MedHallu (answers to PubMedQA's questions, half
of them made up) and RAGTruth (answers of language models from three passages). The score of a claim of several
sentences is their mean.

One regression for all sets, fitted on all but MedHallu. What is reported of it is out of fold: the pairs of a fifth of
the groups are scored by a regression that was fitted on the other four fifths. The weights that the package ships were
fitted on all of them. Intervals (95 %) are bootstrapped over groups. Nothing here is blind: the prompt, the signals of
the regression and its penalty were chosen among a few on some of these pairs.

    python -m benchmarks.judge_quality [--data DATA] [--opinions N N N N] [--kept FOLDER] [--api-base URL]

DATA is the shared data, by default $MEDQA_SHARED_DATA. The language model is asked about N pairs of each set, drawn
with a fixed seed. Signals and opinions are kept in FOLDER and computed once; without URL the packaged weights are
served by llama.cpp. Needs scipy.
"""

import argparse
import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_folder import add_data_option
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
# MedHallu's true answers are the papers' conclusions, which the evidence that goes with them leaves out: whoever tells
# them from made-up ones does not go by that evidence alone. It is scored, and nothing is fitted on it.
FITTED = frozenset({"SciFact", "HealthVer", "RAGTruth-QA"})
FOLDS = 5
# On half the squared weights of standardised signals, beside the loss summed over pairs.
PENALTY = 20.0
JUDGES = ("offline", "offline-without-model", "attribution")
# Pairs of a set below which it is not told.
LEAST = 50
OF_MODEL = ("against_contrary", "against_silence")
OF_TEXT = ("coverage", "words", "meaning", "support", "contrary", "number", "entity")
# Beside an opinion the other signals of the text only blur it: they tell the same, of the same words.
BESIDE_MODEL = ("meaning", "contrary", "number", "against_contrary")
# Of these less is better.
AGAINST = frozenset({"contrary", "number", "entity"})


@dataclass(frozen=True)
class Item:
    """A labelled pair and the signals of each of its sentences."""

    set: str
    pair: LabelledPair
    signals: Sequence[Mapping[str, float]]


def drawn(pairs: int, number: int) -> list[int]:
    """The places of so many pairs; a greater number holds all of a lesser one."""
    places = list(range(pairs))
    random.Random(0).shuffle(places)
    return places[:number]


async def read(pairs: Sequence[LabelledPair], name: str, judge: OfflineJudge, opinions: int, kept: Path) -> list[Item]:
    """The signals of all pairs, with the language model's for so many; those of the text are kept in a file."""
    place = kept / f"{name}.jsonl"
    known = [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []
    alone = OfflineJudge(judge.embed_model)
    with place.open("a") as file:
        for pair in pairs[len(known) :]:
            known.append(await alone.signals(sentences_of(pair.claim), [pair.evidence]))
            file.write(json.dumps(known[-1]) + "\n")
    asked = set(drawn(len(pairs), opinions))
    items = []
    for number, (pair, signals) in enumerate(zip(pairs, known, strict=True)):
        found = await judge.signals(sentences_of(pair.claim), [pair.evidence]) if number in asked else signals
        failed = [one for one in found if isinstance(one, Score)]
        if failed:
            raise RuntimeError(f"{name}, pair {number}: {failed[0]}")
        items.append(Item(name, pair, found))
    return items


def folds(items: Sequence[Item]) -> list[int]:
    """A fold for each item, those of a group in the same; each fold has its share of every set, supported and not.

    Else the regression of a fold with many supported pairs would be one that saw few, and call them less likely: such
    scores of several folds, ranked together, tell less than the judge.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    kinds = [f"{item.set} {item.pair.supported}" for item in items]
    groups = [f"{item.set} {item.pair.group}" for item in items]
    found = [0] * len(items)
    for fold, (_, places) in enumerate(
        StratifiedGroupKFold(FOLDS, shuffle=True, random_state=1).split(kinds, kinds, groups)
    ):
        for place in places:
            found[place] = fold
    return found


def fit(items: Sequence[Item], names: Sequence[str]) -> Regression:
    """The regression of "supported" on the signals of each claim, which are the means of its sentences'.

    First with a constant for each set, so that the weights tell claims of one set apart and not the sets, of which some
    have more supported claims and other texts; then one constant and one factor for all. No signal counts the wrong
    way round: what a regression would gain by that on these sets is theirs alone.
    """
    items = [item for item in items if item.set in FITTED]
    rows = np.array([[np.mean([one[name] for one in item.signals]) for name in names] for item in items])
    scale = rows.std(axis=0)
    scale[scale == 0] = 1.0
    sets = sorted({item.set for item in items})
    own = np.array([[item.set == name for name in sets] for item in items], dtype=float)
    signs = [-1 if name in AGAINST else 1 for name in names]
    weights = _least(np.column_stack([rows / scale, own]), items, signs)[: len(names)]
    logits = rows / scale @ weights
    factor, constant = _least(np.column_stack([logits, np.ones(len(items))]), items, [1])
    found = {name: round(float(value), 3) for name, value in zip(names, factor * weights / scale, strict=True)}
    return Regression(round(float(constant), 3), {name: value for name, value in found.items() if value})


def _least(rows: np.ndarray, items: Sequence[Item], signs: Sequence[int]) -> np.ndarray:
    """The weights of least loss; the first have a sign and are drawn towards 0."""
    from scipy.optimize import minimize

    supported = np.array([item.pair.supported for item in items])
    bounds = [(0.0, None) if sign > 0 else (None, 0.0) for sign in signs] + [(None, None)] * (
        rows.shape[1] - len(signs)
    )

    def loss(values: np.ndarray) -> float:
        logits = rows @ values
        wrong = np.logaddexp(0, -logits) * supported + np.logaddexp(0, logits) * ~supported
        return float(wrong.sum() + PENALTY / 2 * (values[: len(signs)] ** 2).sum())

    found: np.ndarray = minimize(loss, np.zeros(rows.shape[1]), method="L-BFGS-B", bounds=bounds).x
    return found


def scores(items: Sequence[Item], regression: Regression) -> list[Score]:
    """The mean chance of each claim's sentences."""
    return [Score.of(np.mean([regression.chance(one) for one in item.signals])) for item in items]


def out_of_fold(items: Sequence[Item], names: Sequence[str]) -> list[Score]:
    """The score of each item by a regression that saw nothing of its group."""
    of = folds(items)
    regressions = [
        fit([item for item, fold in zip(items, of, strict=True) if fold != left_out], names)
        for left_out in range(FOLDS)
    ]
    return [scores([item], regressions[fold])[0] for item, fold in zip(items, of, strict=True)]


def of_signal(item: Item, name: str) -> Score:
    """One signal alone, the mean of the sentences'."""
    sign = -1.0 if name in AGAINST else 1.0
    return Score.of(np.mean([sign * one[name] for one in item.signals]))


def has_opinion(item: Item) -> bool:
    """Whether the language model was asked."""
    return OF_MODEL[0] in item.signals[0]


def rows(items: Sequence[Item], attribution: Sequence[Score]) -> dict[str, list[tuple[Item, Score]]]:
    """By name, what was scored and how."""
    asked = [item for item in items if has_opinion(item)]
    told = {
        "offline": list(zip(asked, out_of_fold(asked, BESIDE_MODEL), strict=True)) if asked else [],
        "offline-without-model": list(zip(items, out_of_fold(items, OF_TEXT), strict=True)),
        "attribution": list(zip(items, attribution, strict=True)),
    }
    for name in OF_MODEL:
        told[f"signal: {name}"] = [(item, of_signal(item, name)) for item in asked]
    for name in OF_TEXT:
        told[f"signal: {name}"] = [(item, of_signal(item, name)) for item in items]
    told["word overlap"] = [(item, Score.of(word_overlap(item.pair))) for item in items]
    told["length"] = [(item, Score.of(length(item.pair))) for item in items]
    # On the same pairs as the judge that asks the model, to be held against it.
    for name in [name for name in told if name not in ("offline", *(f"signal: {one}" for one in OF_MODEL))]:
        told[f"{name}, same pairs"] = [(item, score) for item, score in told[name] if has_opinion(item)]
    return told


def measured(items: Sequence[Item], attribution: Sequence[Score]) -> dict[str, Any]:
    """All figures, by row and set."""
    told: dict[str, Any] = {}
    for row, scored in rows(items, attribution).items():
        told[row] = {}
        for name in SETS:
            some = [(item, score) for item, score in scored if item.set == name]
            if len(some) >= LEAST:
                probabilities = row.removesuffix(", same pairs") in JUDGES
                figures = quality(
                    [score for _, score in some], [item.pair for item, _ in some], probabilities=probabilities
                )
                told[row][name] = figures.as_data()
    return told


async def collected(options: argparse.Namespace, files: Mapping[str, Path]) -> tuple[list[Item], list[Score], Any]:
    """The signals of all pairs, and what attribution says of them."""
    items: list[Item] = []
    attribution: list[Score] = []
    options.kept.mkdir(parents=True, exist_ok=True)
    asked = dict(zip(SETS, options.opinions, strict=True))
    with open_judge(EMBEDDED, api_base=options.api_base, model=options.model) as server:
        async with ModelCalls.open(server, options.kept / "opinions.jsonl") as calls:
            judge = OfflineJudge(open_embedder(EMBEDDED), LogOddsJudge(calls))
            for name, path in files.items():
                pairs = load_pairs(path)
                items += await read(pairs, name, judge, asked[name], options.kept)
                attribution += await judge_pairs(AttributionJudge(), pairs)
            return items, attribution, dict(judge.identity)


def main() -> None:
    """Measures all sets and writes ``results/judge_quality.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser)
    parser.add_argument(
        "--opinions",
        type=int,
        nargs=len(SETS),
        default=[500] * len(SETS),
        help="pairs of each set that are asked about",
    )
    parser.add_argument("--kept", type=Path, default=Path("judge_quality"), help="folder of signals and opinions")
    parser.add_argument("--api-base", help="server of the language model, in place of the packaged weights")
    parser.add_argument("--model", help="name under which it serves the model")
    options = parser.parse_args()
    files = {name: options.data / "faithfulness" / f"{file}.jsonl" for name, file in SETS.items()}
    items, attribution, identity = asyncio.run(collected(options, files))
    asked = [item for item in items if has_opinion(item)]
    results = {
        "judge": identity,
        "asked": Counter(item.set for item in asked),
        "regressions": {
            **({"offline": vars(fit(asked, BESIDE_MODEL))} if asked else {}),
            "offline-without-model": vars(fit(items, OF_TEXT)),
        },
        "rows": measured(items, attribution),
        "folds": FOLDS,
        "penalty": PENALTY,
        "provenance": provenance(files.values(), ["numpy", "scipy", "llama-index-core", "xllamacpp", "openvino"]),
    }
    print(write_results("judge_quality", results).read_text())


if __name__ == "__main__":
    main()
