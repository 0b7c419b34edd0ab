"""The experiment's results as data, tables, plots and conclusions.

No sentence says more than was shown.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.experiment.design import CLOSED, RAG, Cell, Setup
from benchmarks.experiment.scoring import CellScores, EffectComparison, RightLabel
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.gate.charts import means_plot, standalone
from llama_index_medqa.evaluation.gate.junit_markdown import interval
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.judges.measured import measured_quality
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.evaluation.statistics.intervals import Estimate, bootstrap_mean

LEVEL = 0.05
MAJORITY = "always the commonest label"
_NOT_RUN = "not run"


def majority(cases: Sequence[EvaluationCase]) -> tuple[str, Estimate]:
    """Return the commonest gold label, and the share that it is right for."""
    labels = [case.gold_label for case in cases if case.gold_label]
    [(commonest, _)] = Counter(labels).most_common(1)
    return commonest, bootstrap_mean([float(label == commonest) for label in labels])


def describe_judge(judge: Judge) -> str:
    """Return the judge's name and its agreement with people.

    AUROC on labelled claims, where that was measured.
    """
    quality = measured_quality(judge.identity) or {}
    known = "; ".join(f"{name} {value:.2f} ({low:.2f} to {high:.2f})" for name, (value, low, high) in quality.items())
    return f"Judge of sentences: {judge.name}; AUROC against people's labels: {known or 'not measured'}."


def as_data(cells: Sequence[CellScores], found: Sequence[EffectComparison]) -> dict[str, Any]:
    """Return scores and comparisons as plain data.

    Ids and numbers, no text of a question, paper or answer.
    """
    return {
        "cells": {
            one.cell.name: {
                "outcomes": dict(one.outcomes),
                "estimates": {name: _estimate(one.estimate(name)) for name in one.scores},
                "scores": {
                    name: {row.case_id: row.score.as_data() for row in rows} for name, rows in one.scores.items()
                },
            }
            for one in cells
        },
        "comparisons": [
            {
                "measure": one.measure,
                "effect": one.effect.name,
                "difference": _estimate(one.difference),
                "p_value": one.p_value,
                "corrected": one.corrected,
                "gained": one.changed.gained if one.changed else None,
                "lost": one.changed.lost if one.changed else None,
            }
            for one in found
        ],
    }


def _estimate(estimate: Estimate | None) -> dict[str, float] | None:
    return {key: round(value, 4) for key, value in estimate._asdict().items()} if estimate else None


def _differences(found: Sequence[EffectComparison]) -> list[str]:
    return [
        "## Differences",
        "",
        "p by exact McNemar's test where answers are right or wrong, else by flipped signs;",
        f"corrected by Holm for all {len(found)} of them.",
        "",
        "| measure | effect | difference | gained, lost | p | corrected | questions |",
        "|---|---|---|---|---|---|---|",
        *(_row(one) for one in found),
    ]


def as_markdown(
    cells: Sequence[CellScores],
    found: Sequence[EffectComparison],
    commonest: tuple[str, Estimate] | None,
    judge: str,
    proofs: Mapping[str, Any],
) -> str:
    """Return all tables as Markdown.

    Args:
        cells: as they were measured.
        found: their comparisons.
        commonest: what :func:`majority` gives; None where no label was asked for.
        judge: the judge and how good it is, as a sentence.
        proofs: of the adapters, by cell.
    """
    lines = ["# The experiment", "", f"Means over questions with 95 % intervals. {judge}", ""]
    for measure in _measures(cells):
        lines += [f"## {measure}", "", f"| | {CLOSED} | {RAG} |", "|---|---|---|"]
        if measure == RightLabel.name and commonest:
            lines.append(f"| {MAJORITY} ({commonest[0]}) | {interval(commonest[1])} | {interval(commonest[1])} |")
        for name, pair in _pairs(cells, measure):
            lines.append(
                f"| {name} | {' | '.join(_cell(pair.get(condition), measure) for condition in (CLOSED, RAG))} |"
            )
        lines.append("")
    lines += _differences(found)
    lines += ["", "## What is shown", "", *conclusions(found), ""]
    proved = ", ".join(name for name, proof in proofs.items() if not proof["gap"])
    lines += [f"Adapters proved before the first question of: {proved or 'none'}.", ""]
    return "\n".join(lines)


def _measures(cells: Sequence[CellScores]) -> list[str]:
    return list(dict.fromkeys(name for cell in cells for name in cell.scores))


def _pairs(cells: Sequence[CellScores], measure: str) -> Iterable[tuple[str, dict[str, CellScores]]]:
    pairs: dict[str, dict[str, CellScores]] = {}
    for one in cells:
        if measure in one.scores:
            pairs.setdefault(one.cell.subject.name, {})[one.cell.condition] = one
    return pairs.items()


def _cell(one: CellScores | None, measure: str) -> str:
    if one is None:
        return "–"
    if not one.outcomes:
        return _NOT_RUN
    scores = [row.score for row in one.scores[measure]]
    if len(scores) == sum(one.outcomes.values()):
        counts = Counter(one.outcomes)
        counts.update(_came_of(score) for score in scores if score.value is None and score.applicable)
    else:
        # Only some of the questions: what became of the others does not belong here.
        counts = Counter(map(_came_of, scores))
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    return f"{interval(one.estimate(measure))}; {told}"


def _came_of(score: Score) -> str:
    if score.value is not None:
        return "scored"
    return f"unscored: {score.reason}" if score.applicable else score.reason


def _row(one: EffectComparison) -> str:
    changed = f"{one.changed.gained}, {one.changed.lost}" if one.changed else "–"
    cells = (
        one.measure, one.effect.name, interval(one.difference, signed=True), changed,
        _p(one.p_value), _p(one.corrected), str(one.difference.cases),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}"


def conclusions(found: Sequence[EffectComparison]) -> list[str]:
    """Return a sentence for every shown effect, and the names of the others."""
    shown = [one for one in found if one.corrected < LEVEL]
    lines = [
        f"- {one.measure}, {one.effect.name}: {'higher' if one.difference.mean > 0 else 'lower'} by "
        f"{abs(one.difference.mean):.3f} (corrected p: {_p(one.corrected)})."
        for one in shown
    ]
    rest = [f"{one.measure}, {one.effect.name}" for one in found if one.corrected >= LEVEL]
    return [*lines, f"- Not shown, either way: {'; '.join(rest)}."] if rest else lines


def as_plot(cells: Sequence[CellScores], measure: str) -> str:
    """Return a plot of a measure as SVG: closed book above, RAG below."""
    rows = [
        (name, *(pair[condition].estimate(measure) if condition in pair else None for condition in (CLOSED, RAG)))
        for name, pair in _pairs(cells, measure)
    ]
    return standalone(means_plot(rows, f"{measure}: {CLOSED} above (grey), {RAG} below (blue); 95 % intervals"))


def plan(setup: Setup, left: Mapping[Cell, int], present: Mapping[str, bool]) -> str:
    """Return what a run would do: training, downloads, requests, cost.

    Args:
        setup: with what.
        left: questions that are to be asked, by cell.
        present: whether the adapter of a subject is there.
    """
    lines = [
        f"Profile {setup.name}: {setup.base} on vLLM, {setup.profile.embedder}.",
        "",
        "To be fetched where it is missing:",
    ]
    lines += [f"  {size / 1e9:6.2f} GB  {what}" for what, size in setup.downloads.items()]
    lines += ["", "Adapters, each proved before its first question:"]
    for name, folder in setup.adapters.items():
        how = "there" if present[name] else f"missing: python -m training run {setup.recipes[name]}"
        lines.append(f"  {name:14} {folder.name}: {how}")
    lines += ["", "Questions to ask:"]
    lines += [f"  {number:5}  {cell.name}" for cell, number in left.items()]
    read, written = tokens(left, setup.profile.evidence_tokens)
    lines += ["", f"About {read:,} tokens to read and {written:,} to write at most, in {sum(left.values()):,} answers."]
    lines.append(_cost(setup, left))
    return "\n".join(lines) + "\n"


# Of a prompt: the templates, a question of 30 tokens, and the evidence.
_QUESTION_TOKENS, _EVIDENCE_TOKENS = 90, 100


def tokens(left: Mapping[Cell, int], evidence_tokens: int) -> tuple[int, int]:
    """Return the estimated tokens of prompts, and the most of answers."""
    asked = {cell: number for cell, number in left.items() if cell.subject.kind != "quoted"}
    read = sum(
        number * (_QUESTION_TOKENS + (evidence_tokens + _EVIDENCE_TOKENS if cell.condition == RAG else 0))
        for cell, number in asked.items()
    )
    return read, sum(number * cell.task.max_tokens for cell, number in asked.items())


def _cost(setup: Setup, left: Mapping[Cell, int]) -> str:
    if not setup.rates:
        return "How long that takes was not measured: nobody ran it yet. No paid service is asked."
    seconds = 0.0
    for kind, (reading, writing) in setup.rates.items():
        read, written = tokens(
            {cell: number for cell, number in left.items() if cell.subject.kind == kind}, setup.profile.evidence_tokens
        )
        seconds += read / reading + written / writing
    return f"At most {seconds / 60:.0f} minutes at the rates that were measured. No paid service is asked."
