"""The gate's report as one HTML page that loads nothing."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llama_index_medqa._common.counts import counted
from llama_index_medqa.evaluation.gate.charts import cases_plot, difference_plot, means_plot
from llama_index_medqa.evaluation.gate.comparison import CaseDifference, Comparison, GateReport
from llama_index_medqa.evaluation.gate.junit_markdown import describe_judges, interval, number, outcomes
from llama_index_medqa.evaluation.results import CaseResult, Results, scored_of_all
from llama_index_medqa.rendering.page_templates import render_page

if TYPE_CHECKING:
    from markupsafe import Markup

_WORST = 5


def as_html(report: GateReport, baseline: Results, candidate: Results) -> str:
    """Render a gate report as an HTML page.

    Args:
        report: what the gate found.
        baseline: results that it compared.
        candidate: results that it compared.
    """
    compared = [one for one in report.comparisons if one.better_by is not None]
    before = {case.case_id: case for case in baseline.cases}
    failed = [case for case in candidate.cases if case.failure and not before[case.case_id].failure]
    return render_page(
        "gate",
        report=report,
        confidence=f"{1 - 2 * report.margins.level:.0%}",
        power=f"{report.margins.power:.0%}",
        level=f"{report.margins.level:.0%}",
        rows=[_row(one) for one in report.comparisons],
        means=_means(report),
        differences=[
            _drawn(difference_plot(one.measure.name, one.better_by, one.margin, one.verdict))
            for one in compared
            if one.better_by
        ],
        measures=[_changes(one) for one in compared],
        regressions=list(_regressions(report, before, {case.case_id: case for case in candidate.cases})),
        failed=failed[:_WORST],
        facts=_facts(baseline, candidate),
    )


def _drawn(svg: str) -> "Markup":
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704  # its texts are escaped where it is drawn


def _row(comparison: Comparison) -> dict[str, Any]:
    missing = outcomes(comparison)
    judges = describe_judges(comparison).removeprefix(f"{comparison.measure.name}: ")
    return {
        "cells": (
            comparison.measure.name,
            interval(comparison.baseline.estimate),
            interval(comparison.candidate.estimate),
            interval(comparison.better_by, signed=True),
            "–" if comparison.margin is None else number(comparison.margin),
            "–" if comparison.detectable is None else number(comparison.detectable),
            scored_of_all(len(comparison.differences), comparison.baseline.all_cases),
        ),
        "verdict": comparison.verdict,
        "notes": "; ".join(filter(None, (comparison.reason, missing and f"without a score: {missing}", judges))),
    }


def _means(report: GateReport) -> "Markup":
    shares = [
        (one.measure.name, one.baseline.estimate, one.candidate.estimate)
        for one in report.comparisons
        if one.measure.unit == "share" and (one.baseline.estimate or one.candidate.estimate)
    ]
    return _drawn(means_plot(shares))


def _changes(comparison: Comparison) -> dict[str, Any]:
    """Return how many cases of a measure got worse and better, and their plot."""
    differences = [one.better_by for one in comparison.differences]
    worse, better = sum(value < 0 for value in differences), sum(value > 0 for value in differences)
    name = comparison.measure.name
    if not worse + better:
        return {"name": name, "counts": f"No case of {len(differences)} changed.", "plot": ""}
    counts = f"{counted(worse, 'case')} worse, {len(differences) - worse - better} equal, {better} better"
    return {"name": name, "counts": counts, "plot": _drawn(cases_plot(name, differences))}


def _regressions(
    report: GateReport, before: dict[str, CaseResult], after: dict[str, CaseResult]
) -> Iterator[dict[str, Any]]:
    """Yield each measure with the cases that lost most."""
    for comparison in report.comparisons:
        worst = sorted((one for one in comparison.differences if one.better_by < 0), key=lambda one: one.better_by)
        if worst and comparison.measure.repeatable:
            cases = [
                {"before": before[one.case_id], "after": after[one.case_id], "scores": _scores(one)}
                for one in worst[:_WORST]
            ]
            yield {"name": comparison.measure.name, "cases": cases}


def _scores(difference: CaseDifference) -> str:
    return f"{number(difference.baseline)} → {number(difference.candidate)}"


def _facts(baseline: Results, candidate: Results) -> str:
    facts = {
        name: {"system": results.system, "adapter": results.adapter, "run": results.run}
        for name, results in (("baseline", baseline), ("candidate", candidate))
    }
    return json.dumps(facts, indent=1, ensure_ascii=False, default=str)
