"""How well does the verifier separate claims on sets that it was not trained on?

    python -m benchmarks.verification.public_sets [--data DATA] [--model FOLDER] [--journal FILE] [--limit N]
        [--sets NAME ...]

SciFact (claims about science beside abstracts), HealthVer and Check-COVID (claims about COVID-19 beside sentences of
papers) and RAGTruth (answers of language models beside passages). The shipped model has seen none of them. Of each set
at most 400 claims are drawn, always the same. Three more are told by kind of claim and whole: the ``dev`` part of the
claims written for training, and two collections of sentences that an earlier version got wrong.

A claim's score is its support, as an answer of the engine would tell it; that of a claim of several sentences is their
mean. Beside it stand what takes no verifier: the share of the claim's words in the text, each weighed by its rarity;
the claim's length; and what the model says of the claim with no text beside it. By row

- AUROC of supported claims against all others, and against refuted ones;
- balanced accuracy of the verdict *supported* (threshold ``balanced``);
- expected calibration error of the support, in 10 bins;
- recall where the score is so high that 95 % of what passes is supported; 0 where no score is.

By kind of claim the share that passes at each ``strictness``. Intervals (95 %) are bootstrapped over groups of claims
on the same text, question or claim. Some minutes on one core. ``--limit`` holds for all sets.
``--sets`` measures some and keeps the others of the results file; each set tells with which checks, and on which day.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, provenance, write_results
from benchmarks.verification.labelled_sets import BY_KIND, FILES, PUBLIC, SEED, LabelledClaim, drawn
from benchmarks.verification.measured_model import KeptJudgements, add_model_option
from llama_index_medqa.evaluation.judges.calibration import (
    balanced_accuracy,
    bootstrapped,
    length,
    quality,
    sentences_of,
)
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean
from llama_index_medqa.text.term_weights import idf, terms
from llama_index_medqa.verification.entailment import EntailmentEncoder, EntailmentModel
from llama_index_medqa.verification.verdicts import AnswerSentence
from llama_index_medqa.verification.verifier import CHECKS_VERSION, ClaimVerifier, Strictness

LIMIT = 400
PRECISION = 0.95

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class VerifiedClaim:
    """A labelled claim with the verdicts on its sentences, by strictness."""

    labelled: LabelledClaim
    verdicts: dict[Strictness, list[AnswerSentence]]

    @property
    def support(self) -> float:
        """Return the mean support of its sentences."""
        found = self.verdicts["balanced"]
        return sum(sentence.support for sentence in found) / len(found)

    def passes(self, strictness: Strictness = "balanced") -> bool:
        """Return whether each of its sentences is supported."""
        return all(sentence.supported for sentence in self.verdicts[strictness])

    @property
    def verdict(self) -> str:
        """Return ``contradicted`` if a sentence is, ``supported`` if all are."""
        if any(sentence.verdict == "contradicted" for sentence in self.verdicts["balanced"]):
            return "contradicted"
        return "supported" if self.passes() else "unsupported"


def verified(claims: Sequence[LabelledClaim], model: EntailmentModel) -> list[VerifiedClaim]:
    """Verify each claim against its passages at every strictness."""
    levels: tuple[Strictness, ...] = get_args(Strictness)
    verifiers = {strictness: ClaimVerifier(model, strictness) for strictness in levels}
    return [
        VerifiedClaim(
            claim,
            {
                strictness: verifier.verify(sentences_of(claim.claim), claim.passages)
                for strictness, verifier in verifiers.items()
            },
        )
        for claim in claims
    ]


def chance_without_checks(claim: LabelledClaim, model: EntailmentModel) -> float:
    """Return the mean of the sentences' highest chance of support.

    By the model alone; numbers and names are not checked.
    """
    verifier = ClaimVerifier(model)
    best = [
        max((reading.entailment.supported for reading in verifier.readings(sentence, claim.passages)), default=0.0)
        for sentence in sentences_of(claim.claim)
    ]
    return sum(best) / len(best)


def weighed_overlap(claim: LabelledClaim) -> float:
    """Return the share of the claim's words in the evidence, by rarity."""
    words = terms(claim.claim)
    there = words & terms(claim.pair.evidence)
    return sum(map(idf, there)) / (sum(map(idf, words)) or 1.0)


def claim_only(claims: Sequence[LabelledClaim], model: EntailmentModel) -> list[float]:
    """Return the model's chances of claims beside an empty text.

    The mean of their sentences.
    """
    chances = []
    for claim in claims:
        found = model.judge([("", sentence) for sentence in sentences_of(claim.claim)])
        chances.append(sum(one.supported for one in found) / len(found))
    return chances


def recall_at_precision(scores: _Floats, positive: _Flags, weights: _Floats) -> float:
    """Return the highest recall at :data:`PRECISION`.

    The highest share of positives above a threshold over which that share of the scores are positives'.

    0 where no threshold is that precise, nan without positives. Equal scores lie on the same side of a threshold.
    """
    values, tie = np.unique(-scores, return_inverse=True)
    right = np.cumsum(np.bincount(tie, weights * positive, minlength=len(values)))
    passing = np.cumsum(np.bincount(tie, weights, minlength=len(values)))
    if not right[-1]:
        return float("nan")
    precise = (passing > 0) & (right >= PRECISION * passing)
    return float((right[precise] / right[-1]).max(initial=0.0))


def measured(
    claims: Sequence[LabelledClaim], scores: Sequence[float], *, probabilities: bool = False
) -> dict[str, Any]:
    """Return the figures of one score."""
    pairs = [claim.pair for claim in claims]
    figures = quality([Score.of(score) for score in scores], pairs, probabilities=probabilities).as_data()
    names = ("auroc", "supported_against_refuted", *(["calibration_error"] if probabilities else []))
    return {
        **{name: figures[name] for name in names},
        "recall_at_precision": _figure(recall_at_precision, claims, scores),
    }


def _figure(
    of: Callable[[_Floats, _Flags, _Floats], float], claims: Sequence[LabelledClaim], scores: Sequence[float]
) -> list[float] | None:
    supported = np.array([claim.label == "supported" for claim in claims])
    found = bootstrapped(of, np.array(scores, dtype=float), supported, [claim.group for claim in claims])
    return found and [round(value, 4) for value in found]


def share(hits: Sequence[bool], groups: Sequence[str]) -> dict[str, float]:
    """Return a share with its interval, resampling groups."""
    found = bootstrap_mean([float(hit) for hit in hits], groups=groups, resamples=1_000)
    return {name: round(value, 4) for name, value in found._asdict().items()}


def verdicts_by_label(found: Sequence[VerifiedClaim]) -> dict[str, dict[str, int]]:
    """For each label how often each verdict was given."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        counts[one.labelled.label][one.verdict] += 1
    return {label: dict(sorted(verdicts.items())) for label, verdicts in sorted(counts.items())}


def measure_set(claims: Sequence[LabelledClaim], model: EntailmentModel) -> dict[str, Any]:
    """Return all rows of one set."""
    found = verified(claims, model)
    return {
        "claims": dict(Counter(claim.label for claim in claims)),
        "groups": len({claim.group for claim in claims}),
        "rows": {
            "verifier": measured(claims, [one.support for one in found], probabilities=True)
            | {"balanced_accuracy": _figure(balanced_accuracy, claims, [float(one.passes()) for one in found])},
            "verifier without checks": measured(
                claims, [chance_without_checks(claim, model) for claim in claims], probabilities=True
            ),
            "word overlap": measured(claims, list(map(weighed_overlap, claims))),
            "length": measured(claims, [length(claim.pair) for claim in claims]),
            "claim only": measured(claims, claim_only(claims, model)),
        },
        "verdicts": verdicts_by_label(found),
        "passing": passing_by_kind(found),
    }


def passing_by_kind(found: Sequence[VerifiedClaim]) -> dict[str, dict[str, Any]]:
    """Return the share that passes at each strictness, by kind and label.

    Empty where a set has no kinds.
    """
    kinds: dict[str, list[VerifiedClaim]] = defaultdict(list)
    for one in found:
        if one.labelled.kind:
            kinds[f"{one.labelled.kind} ({one.labelled.label})"].append(one)
    return {
        kind: {
            strictness: share([one.passes(strictness) for one in some], [one.labelled.group for one in some])
            for strictness in get_args(Strictness)
        }
        for kind, some in sorted(kinds.items())
    }


def table(sets: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    figures = (
        "auroc",
        "supported_against_refuted",
        "balanced_accuracy",
        "calibration_error",
        "recall_at_precision",
    )
    lines = [f"| set | score | {' | '.join(name.replace('_', ' ') for name in figures)} |", "|---" * 7 + "|"]
    for name, measurement in sets.items():
        for row, values in measurement["rows"].items():
            lines.append(
                f"| {name} | {row} | {' | '.join(_format_interval(values.get(figure)) for figure in figures)} |"
            )
    lines += ["", "| set | kind | claims | pass, strict | balanced | open |", "|---" * 6 + "|"]
    for name, measurement in sets.items():
        for kind, levels in measurement["passing"].items():
            shares = " | ".join(f"{levels[level]['mean']:.0%}" for level in get_args(Strictness))
            lines.append(f"| {name} | {kind} | {levels['balanced']['cases']} | {shares} |")
    return "\n".join(lines)


def with_kept(new: dict[str, Any], file: Path, order: Sequence[str]) -> dict[str, Any]:
    """Return sets just measured with the others of a results file, in an order; each tells when it was measured."""
    kept = json.loads(file.read_text(encoding="utf-8"))["sets"] if file.exists() else {}
    found = {**kept, **new}
    return {name: found[name] for name in order if name in found}


def _format_interval(value: Sequence[float] | None) -> str:
    return "" if value is None else "{:.3f} ({:.3f} to {:.3f})".format(*value)


def main() -> None:
    """Measure all sets and writes ``results/public_sets.json``."""
    loaders = PUBLIC | BY_KIND
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    add_model_option(parser)
    parser.add_argument("--journal", type=Path, help="keep the model's judgements in this file, for the next run")
    parser.add_argument("--limit", type=int, help=f"most claims of a set; by default {LIMIT} of each public one")
    parser.add_argument("--sets", nargs="+", choices=list(loaders), default=list(loaders), help="by default all")
    options = parser.parse_args()
    require_data(options.data)
    model = KeptJudgements(EntailmentEncoder(options.model), options.journal)
    told = provenance([options.data / file for file in FILES], ["onnxruntime", "tokenizers", "numpy"])
    measured_by = {"checks": CHECKS_VERSION} | {name: told[name] for name in ("date", "commit", "uncommitted_changes")}
    sets = {}
    for name in options.sets:
        limit = options.limit or (LIMIT if name in PUBLIC else None)
        sets[name] = {"measured": measured_by, **measure_set(drawn(loaders[name](options.data), limit), model)}
        print(table({name: sets[name]}), "\n", flush=True)
    results = {
        "model": dict(model.identity),
        "thresholds": dict(model.thresholds),
        "seed": SEED,
        "precision": PRECISION,
        "sets": with_kept(sets, RESULTS / "public_sets.json", list(loaders)),
        "provenance": told,
    }
    if options.model is None:
        print(write_results("public_sets", results))
    else:
        print(json.dumps({name: results[name] for name in ("model", "thresholds")}))


if __name__ == "__main__":
    main()
