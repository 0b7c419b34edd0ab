"""Figures of a whole run that no mean over cases gives, each with a bootstrap interval over groups of cases."""

from collections.abc import Hashable, Iterator, Mapping, Sequence

import numpy as np

from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.abstention import area_under_risk_coverage
from llama_index_medqa.evaluation.measures.accuracy import parse_label
from llama_index_medqa.evaluation.measures.labels import codes_of, macro_f1_of_codes
from llama_index_medqa.evaluation.runs.runner import Reply
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.evaluation.statistics.intervals import Estimate, bootstrap_mean, bootstrap_statistic

_RIGHT_OR_WRONG = ("Accuracy", "ChoiceAccuracy")
_LEAST_CASES = 2


def figures_of(
    cases: Sequence[EvaluationCase], replies: Sequence[Reply], scores: Sequence[Mapping[str, Score]]
) -> dict[str, Estimate]:
    """Return the figures for which there are data.

    ``MacroF1`` is the mean of the labels' F1, as BioASQ and PubMedQA report it. ``Accuracy of all questions`` and
    ``ChoiceAccuracy of all questions`` count a question without a readable answer as wrong, as published tables do, and
    the latter stands for each set of ids such as ``mmlu/12`` too. ``AURC(Accuracy)`` is the area under the curve of
    risk against coverage (Geifman and El-Yaniv 2017), where the system tells how sure it is; less is better.

    Args:
        cases: the cases.
        replies: one for each.
        scores: of each case, by measure.
    """
    taken = {name for row in scores for name in row}
    figures = dict(_macro_f1(cases, replies)) if "Accuracy" in taken else {}
    for name in _RIGHT_OR_WRONG:
        if name in taken:
            figures |= dict(_of_all(name, cases, scores))
            figures |= dict(_risk(name, cases, replies, scores))
    return figures


def _macro_f1(cases: Sequence[EvaluationCase], replies: Sequence[Reply]) -> Iterator[tuple[str, Estimate]]:
    labelled = [(case, reply) for case, reply in zip(cases, replies, strict=True) if case.gold_label]
    if len(labelled) < _LEAST_CASES:
        return
    pairs = [(str(case.gold_label), _stated_label(reply)) for case, reply in labelled]
    labels = sorted({gold for gold, _ in pairs})
    codes = codes_of(pairs, labels)
    yield (
        "MacroF1",
        bootstrap_statistic(
            lambda drawn: macro_f1_of_codes(codes[drawn], len(labels)), [case.cluster for case, _ in labelled]
        ),
    )


def _stated_label(reply: Reply) -> str | None:
    return parse_label(reply.answer.text) if reply.answer and not reply.answer.abstained else None


def _of_all(
    name: str, cases: Sequence[EvaluationCase], scores: Sequence[Mapping[str, Score]]
) -> Iterator[tuple[str, Estimate]]:
    due = [(case, row[name].value or 0.0) for case, row in zip(cases, scores, strict=True) if _is_due(name, case)]
    if not due:
        return
    yield f"{name} of all questions", _mean(due)
    sets = {case.case_id.partition("/")[0] for case, _ in due if "/" in case.case_id}
    if name == "ChoiceAccuracy" and len(sets) > 1:
        for one in sorted(sets):
            inside = [pair for pair in due if pair[0].case_id.startswith(f"{one}/")]
            yield f"{name} of all questions ({one})", _mean(inside)


def _mean(due: Sequence[tuple[EvaluationCase, float]]) -> Estimate:
    return bootstrap_mean([value for _, value in due], groups=[case.cluster for case, _ in due])


def _is_due(name: str, case: EvaluationCase) -> bool:
    return bool(case.choices if name == "ChoiceAccuracy" else case.gold_label)


def _risk(
    name: str, cases: Sequence[EvaluationCase], replies: Sequence[Reply], scores: Sequence[Mapping[str, Score]]
) -> Iterator[tuple[str, Estimate]]:
    sure: list[float] = []
    wrong: list[float] = []
    groups: list[Hashable] = []
    for case, reply, row in zip(cases, replies, scores, strict=True):
        value = row[name].value
        if reply.answer and reply.answer.confidence is not None and value is not None:
            sure.append(reply.answer.confidence)
            wrong.append(1.0 - value)
            groups.append(case.cluster)
    if len(sure) < _LEAST_CASES:
        return
    confidences, losses = np.asarray(sure), np.asarray(wrong)
    yield (
        f"AURC({name})",
        bootstrap_statistic(lambda drawn: area_under_risk_coverage(confidences[drawn], losses[drawn]), groups),
    )
