"""The gate's report as one HTML page that loads nothing."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from llama_index_medqa.evaluation.gate.charts import cases_plot, difference_plot, means_plot
from llama_index_medqa.evaluation.gate.comparison import CaseDifference, Comparison, GateReport
from llama_index_medqa.evaluation.gate.junit_markdown import describe_judges, interval, number, outcomes
from llama_index_medqa.evaluation.results import CaseResult, Results

_WORST = 5

_STYLE = """
:root { --ink: #1d2733; --soft: #5c6b7a; --line: #d9e0e7; --paper: #fff; --card: #f6f8fa;
  --before: #7a8899; --after: #1f6feb; --good: #1a7f4b; --bad: #c4314b; --open: #b7791f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --soft: #9aa8b6; --line: #36424f; --paper: #14191f;
  --card: #1c232b; --before: #94a3b4; --after: #62a0ff; --good: #4cc38a; --bad: #ff6b81; --open: #e0a84f; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1080px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } h3 { font-size: 1rem; margin: 1.4rem 0 .4rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: 600 } .wide { overflow-x: auto }
.verdict { font-weight: 700; white-space: nowrap }
.pass, .better, .not-worse { color: var(--good) } .fail, .worse, .not-scored { color: var(--bad) }
.not-enough-evidence { color: var(--open) } .not-gated, .soft { color: var(--soft) }
svg { width: 100%; max-width: 760px; height: auto; display: block }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .tick { fill: var(--soft); font-size: 11px; text-anchor: middle } svg .end { text-anchor: end }
svg .grid, svg .axis { stroke: var(--line) } svg .margin { stroke: var(--bad); stroke-dasharray: 4 3 }
svg g line { stroke: currentColor; stroke-width: 2.5 } svg g circle { fill: currentColor }
svg g.baseline { color: var(--before) } svg g.candidate { color: var(--after) }
svg g.not-gated { color: var(--before) } svg rect.better { fill: var(--good) } svg rect.worse { fill: var(--bad) }
.case { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem;
  margin: .6rem 0 }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }
.sides > div { min-width: 0; overflow-wrap: anywhere }
.sides p { white-space: pre-wrap; margin: .2rem 0 } pre { overflow-x: auto; background: var(--card); padding: .8rem }
@media (max-width: 640px) { .sides { grid-template-columns: 1fr } }
"""


def as_html(report: GateReport, baseline: Results, candidate: Results) -> str:
    """Render a gate report as an HTML page.

    Args:
        report: what the gate found.
        baseline: results that it compared.
        candidate: results that it compared.
    """
    shares = [
        one
        for one in report.comparisons
        if one.measure.unit == "share" and (one.baseline.estimate or one.candidate.estimate)
    ]
    compared = [one for one in report.comparisons if one.better_by is not None]
    parts = [
        f"<h1>Gate: {_verdict(report.verdict)}</h1>",
        *(f'<p class="fail">{escape(problem)}</p>' for problem in report.problems),
        f'<div class="wide">{_table(report)}</div>',
        f'<p class="soft">A positive difference is an improvement. “Would catch” is the least true worsening that this '
        f"comparison catches with a chance of {report.margins.power:.0%}. The chance of a false alarm is at most "
        f"{report.margins.level:.0%} over all gated measures together.</p>",
        "<h2>Means</h2>",
        '<p class="soft">Baseline above (grey), candidate below (blue), with 95 % intervals.</p>',
        means_plot([(one.measure.name, one.baseline.estimate, one.candidate.estimate) for one in shares]),
        "<h2>Differences</h2>",
        '<p class="soft">Right of 0 the candidate is better; the dashed line is the margin.</p>',
        *(
            difference_plot(one.measure.name, one.better_by, one.margin, one.verdict)
            for one in compared
            if one.better_by
        ),
        "<h2>Case by case</h2>",
        *(_cases(one) for one in compared),
        "<h2>The worst regressions</h2>",
        *_regressions(report, baseline, candidate),
        "<h2>What was compared</h2>",
        _systems(baseline, candidate),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>medqa gate: {escape(report.verdict)}</title><style>{_STYLE}</style></head>\n"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _verdict(verdict: str) -> str:
    return f'<span class="verdict {verdict.replace(" ", "-")}">{escape(verdict)}</span>'


def _table(report: GateReport) -> str:
    confidence = f"{1 - 2 * report.margins.level:.0%}"
    heads = (
        "measure",
        "baseline",
        "candidate",
        f"better by ({confidence})",
        "margin",
        "would catch",
        "cases",
        "verdict",
    )
    rows = "".join(f"<tr>{_cells(one)}</tr>" for one in report.comparisons)
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{rows}</table>"


def _cells(comparison: Comparison) -> str:
    missing = outcomes(comparison)
    judges = describe_judges(comparison).removeprefix(f"{comparison.measure.name}: ")
    notes = "; ".join(filter(None, (comparison.reason, missing and f"without a score: {missing}", judges)))
    cells = (
        escape(comparison.measure.name),
        interval(comparison.baseline.estimate),
        interval(comparison.candidate.estimate),
        interval(comparison.better_by, signed=True),
        "–" if comparison.margin is None else number(comparison.margin),
        "–" if comparison.detectable is None else number(comparison.detectable),
        str(len(comparison.differences)),
        f'{_verdict(comparison.verdict)}<br><span class="soft">{escape(notes)}</span>',
    )
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _cases(comparison: Comparison) -> str:
    differences = [one.better_by for one in comparison.differences]
    worse, better = sum(value < 0 for value in differences), sum(value > 0 for value in differences)
    heading = f"<h3>{escape(comparison.measure.name)}</h3>"
    if not worse + better:
        return f'{heading}<p class="soft">No case of {len(differences)} changed.</p>'
    counts = f"{worse} cases worse, {len(differences) - worse - better} equal, {better} better"
    return f'{heading}<p class="soft">{counts}</p>{cases_plot(comparison.measure.name, differences)}'


def _regressions(report: GateReport, baseline: Results, candidate: Results) -> list[str]:
    before = {case.case_id: case for case in baseline.cases}
    after = {case.case_id: case for case in candidate.cases}
    parts = []
    for comparison in report.comparisons:
        worst = sorted((one for one in comparison.differences if one.better_by < 0), key=lambda one: one.better_by)
        if worst and comparison.measure.repeatable:
            parts.append(f"<h3>{escape(comparison.measure.name)}</h3>")
            parts.extend(_regression(one, before[one.case_id], after[one.case_id]) for one in worst[:_WORST])
    failed = [case for case in candidate.cases if case.failure and not before[case.case_id].failure]
    if failed:
        parts.append("<h3>No answer any more</h3>")
        parts.extend(
            f'<p>{escape(case.question)} <span class="fail">{escape(case.failure)}</span></p>'
            for case in failed[:_WORST]
        )
    return parts or ['<p class="soft">None.</p>']


def _regression(difference: CaseDifference, before: CaseResult, after: CaseResult) -> str:
    scores = f"{number(difference.baseline)} → {number(difference.candidate)}"
    return (
        f'<div class="case"><strong>{escape(before.question)}</strong> <span class="soft">{escape(before.case_id)}: '
        f'{scores}</span><div class="sides">{_side("Baseline", before)}{_side("Candidate", after)}</div></div>'
    )


def _side(name: str, case: CaseResult) -> str:
    answer: Mapping[str, Any] = case.answer or {}
    documents = ", ".join(answer.get("documents") or ()) or "unknown"
    return (
        f'<div><span class="soft">{name}</span><p>{escape(str(answer.get("text", case.failure)))}</p>'
        f'<span class="soft">retrieved: {escape(documents)}</span></div>'
    )


def _systems(baseline: Results, candidate: Results) -> str:
    facts = {
        name: {"system": results.system, "adapter": results.adapter, "run": results.run}
        for name, results in (("baseline", baseline), ("candidate", candidate))
    }
    return f"<pre>{escape(json.dumps(facts, indent=1, ensure_ascii=False, default=str))}</pre>"
