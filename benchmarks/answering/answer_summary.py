"""The figures of a results file: measures with intervals, failures by stage, seconds, outcomes.

Intervals are 95 % bootstrap intervals over questions.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.answering.failure_stages import NOT_JUDGED, RIGHT, STAGES
from benchmarks.answering.question_scores import ScoredQuestion
from llama_index_medqa.evaluation.measures.labels import Pair, confusion, macro_f1
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean, paired_bootstrap

SECONDS = ("retrieve", "select", "generate", "verify", "all", "first verified sentence")
RESULTS = (RIGHT, NOT_JUDGED, *STAGES)
_RESAMPLES = 2_000
_WITH_MAYBE, _WITHOUT = ("yes", "no", "maybe"), ("yes", "no")

Estimates = dict[str, dict[str, float]]


def summary(questions: Sequence[ScoredQuestion], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of some questions.

    Args:
        questions: scored.
        rows: the same questions as they were answered, in the same order.
    """
    answerable = [question for question in questions if not question.gold_removed]
    asked = [row["response"] for row in rows if "generate" in row["response"]["seconds"]]
    return {
        "questions": len(answerable),
        "measures": {**mean_scores(questions), **label_measures(answerable)},
        "labels": confusion(_pairs(answerable)),
        "failures": failures(answerable),
        "reasons": {"answerable": _reasons(rows, False), "unanswerable": _reasons(rows, True)},
        "answers_citing_removed_papers": sum(
            row["gold_removed"] and not set(row["cited"]).isdisjoint(row["gold"]) for row in rows
        ),
        "seconds": _seconds(rows),
        "tokens": {
            part: round(statistics.mean(response["usage"][part] for response in asked), 1)
            for part in ("prompt", "completion")
            if asked and all(response["usage"] for response in asked)
        },
    }


def mean_scores(questions: Sequence[ScoredQuestion]) -> Estimates:
    """Return the mean of each score over the questions that have it."""
    values: dict[str, list[float]] = {}
    for question in questions:
        for name, value in question.scores.items():
            if value is not None:
                values.setdefault(name, []).append(value)
    return {name: _rounded(bootstrap_mean(scores)._asdict()) for name, scores in values.items()}


def label_measures(questions: Sequence[ScoredQuestion]) -> Estimates:
    """Return the macro F1 of the labels.

    Of all questions that have one, of those answered, of those with a label.
    """
    some = {
        "yes/no: macro F1": _pairs(questions),
        "yes/no: macro F1, of those answered": _pairs([item for item in questions if item.outcome == "answer"]),
        "yes/no: macro F1, of those with a yes or no": _pairs([item for item in questions if item.label]),
    }
    found = {}
    for name, pairs in some.items():
        labels = _WITH_MAYBE if any(gold == "maybe" for gold, _ in some["yes/no: macro F1"]) else _WITHOUT

        def statistic(pairs: Sequence[Pair], labels: Sequence[str] = labels) -> float:
            return macro_f1(pairs, labels) or 0.0

        if pairs:
            found[name] = bootstrap_statistic(pairs, statistic)
    return found


def bootstrap_statistic(values: Sequence[Pair], statistic: Callable[[Sequence[Pair]], float]) -> dict[str, float]:
    """Return a statistic with its percentile bootstrap interval.

    For statistics that are no means.
    """
    random = np.random.default_rng(0)
    drawn = random.integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.quantile(
        [statistic([values[position] for position in positions]) for positions in drawn], [0.025, 0.975]
    )
    return _rounded({"mean": statistic(values), "low": float(low), "high": float(high), "cases": len(values)})


def failures(questions: Sequence[ScoredQuestion]) -> dict[str, dict[str, int]]:
    """Return the right answers by kind of question, and the losses by stage."""
    table: dict[str, dict[str, int]] = {}
    for kind in ("yesno", "factoid", "list", "summary"):
        counts = Counter(question.result for question in questions if question.kind == kind)
        if counts:
            table[kind] = {result: counts[result] for result in RESULTS}
    table["all"] = {result: sum(row[result] for row in table.values()) for result in RESULTS}
    return table


def question_list(questions: Sequence[ScoredQuestion]) -> list[dict[str, Any]]:
    """Return the outcome of each question without its texts.

    For comparing two runs question by question.
    """
    return [
        {
            "set": question.set_name,
            "case": question.case_id,
            "gold_removed": question.gold_removed,
            "kind": question.kind,
            "outcome": question.outcome,
            "label": question.label,
            "result": question.result,
            "scores": {name: round(value, 3) for name, value in question.scores.items() if value is not None},
        }
        for question in questions
    ]


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Estimates:
    """Return the mean difference of each score, after less before.

    Over the questions that both runs scored.

    Args:
        before: of :func:`question_list`.
        after: likewise.
    """
    first, second = _by_score(before), _by_score(after)
    found = {}
    for name, values in second.items():
        others = first.get(name, {})
        if values.keys() == others.keys():
            keys = sorted(values)
            difference = paired_bootstrap([values[key] for key in keys], [others[key] for key in keys])
            found[name] = _rounded(difference._asdict())
    return found


def _by_score(questions: Sequence[Mapping[str, Any]]) -> dict[str, dict[tuple[str, str], float]]:
    found: dict[str, dict[tuple[str, str], float]] = {}
    for question in questions:
        for name, value in question["scores"].items():
            found.setdefault(name, {})[question["set"], question["case"]] = value
    return found


def _pairs(questions: Sequence[ScoredQuestion]) -> list[Pair]:
    return [(question.gold_label, question.label) for question in questions if question.gold_label]


def _reasons(rows: Sequence[Mapping[str, Any]], gold_removed: bool) -> dict[str, int]:
    """Return the reasons for no answer with their counts."""
    reasons = [row["response"]["abstained"] for row in rows if row["gold_removed"] == gold_removed]
    return dict(Counter(filter(None, reasons)))


def _seconds(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return median and 90th percentile by stage.

    Of questions for which a draft was asked.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        spent = row["response"]["seconds"]
        if "generate" in spent:
            for stage in SECONDS[:4]:
                values.setdefault(stage, []).append(spent.get(stage, 0.0))
            values.setdefault("all", []).append(sum(spent.values()))
        if row["first_sentence_seconds"] is not None:
            values.setdefault(SECONDS[5], []).append(row["first_sentence_seconds"])
    return {
        stage: {
            "median": round(statistics.median(values[stage]), 2),
            "90th percentile": round(float(np.quantile(values[stage], 0.9)), 2),
            "cases": len(values[stage]),
        }
        for stage in SECONDS
        if stage in values
    }


def _rounded(estimate: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in estimate.items()}
