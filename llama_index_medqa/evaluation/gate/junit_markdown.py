"""The gate's report as Markdown and as JUnit XML."""

import re
from xml.etree import ElementTree

from llama_index_medqa._common.counts import counted
from llama_index_medqa.evaluation.gate.comparison import Comparison, GateReport
from llama_index_medqa.evaluation.gate.verdicts import FAILING
from llama_index_medqa.evaluation.results import MeasureInfo, scored_of_all
from llama_index_medqa.evaluation.statistics.intervals import Estimate

_MARKS = {
    "pass": "✅",
    "fail": "❌",
    "better": "✅",
    "not worse": "✅",
    "worse": "❌",
    "not scored": "❌",
    "not enough evidence": "❔",
    "not gated": "",
}
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def number(value: float) -> str:
    """Format a number for reports.

    Three decimals below 10, none above 1,000.
    """
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def interval(estimate: Estimate | None, *, signed: bool = False) -> str:
    """Format a mean with its interval."""
    if estimate is None:
        return "–"
    plus = "+" if signed and estimate.mean > 0 else ""
    return f"{plus}{number(estimate.mean)} ({number(estimate.low)} to {number(estimate.high)})"


def describe_judge(measure: MeasureInfo) -> str:
    """Describe in a line how far a measure's judge agrees.

    Empty where no judge was asked.
    """
    return _judge_line(measure, measure.own_work or "")


def describe_judges(comparison: Comparison) -> str:
    """Describe the judges of a measure in both runs."""
    runs = {"baseline": comparison.measure, "candidate": comparison.candidate_measure}
    own = {run: info.own_work for run, info in runs.items() if info and info.own_work}
    if len(set(own.values())) == 1 and len(own) == len(runs):
        return describe_judge(comparison.measure)
    return _judge_line(comparison.measure, "; ".join(f"the {run} was {sentence}" for run, sentence in own.items()))


def _judge_line(measure: MeasureInfo, own_work: str) -> str:
    if measure.judge is None:
        return ""
    shares = ", ".join(
        f"{name} {value:.2f} ({low:.2f} to {high:.2f})"
        for name, (value, low, high) in (measure.judge_quality or {}).items()
    )
    quality = (
        f"its judge against people's labels, AUROC: {shares}"
        if shares
        else "it is not measured how well its judge agrees with people (medqa judge calibrate does it)"
    )
    return f"{measure.name}: {'; '.join(filter(None, (own_work, quality)))}"


def outcomes(comparison: Comparison) -> str:
    """Count a candidate's unscored cases by reason.

    Empty where every case has a score.
    """
    missing = {**comparison.candidate.unscored, **comparison.candidate.not_applicable}
    return ", ".join(f"{count} {reason}" for reason, count in missing.items())


def as_markdown(report: GateReport) -> str:
    """Render a summary, such as for ``$GITHUB_STEP_SUMMARY``."""
    confidence = f"{1 - 2 * report.margins.level:.0%}"
    lines = [
        f"## {_MARKS[report.verdict]} Gate: {report.verdict}",
        "",
        *(f"- ❌ {problem}" for problem in report.problems),
        *([""] if report.problems else []),
        f"| measure | baseline | candidate | better by ({confidence}) | margin | would catch | cases | verdict |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(comparison) for comparison in report.comparisons),
        "",
        *(
            f"- {comparison.measure.name}: {comparison.reason}."
            for comparison in report.comparisons
            if comparison.margin is not None
        ),
        *(
            f"- {one.measure.name}: {counted(one.changed.gained, 'case')} gained, {one.changed.lost} lost "
            f"(McNemar's exact p = {one.changed.p_value:.2g})."
            for one in report.comparisons
            if one.changed and one.changed.gained + one.changed.lost
        ),
        *(
            f"- {one.measure.name}: without a score in the candidate: {outcomes(one)}."
            for one in report.comparisons
            if outcomes(one)
        ),
        *(f"- {sentence}." for one in report.comparisons if (sentence := describe_judges(one))),
        "",
        "A positive difference is an improvement. “Would catch” is the least true worsening that is caught with a "
        f"chance of {report.margins.power:.0%}; the chance of a false alarm is at most {report.margins.level:.0%} over "
        "all gated measures together.",
    ]
    return "\n".join(lines) + "\n"


def _row(comparison: Comparison) -> str:
    cells = (
        comparison.measure.name,
        interval(comparison.baseline.estimate),
        interval(comparison.candidate.estimate),
        interval(comparison.better_by, signed=True),
        "–" if comparison.margin is None else number(comparison.margin),
        "–" if comparison.detectable is None else number(comparison.detectable),
        scored_of_all(len(comparison.differences), comparison.baseline.all_cases),
        f"{_MARKS[comparison.verdict]} {comparison.verdict}".strip(),
    )
    return f"| {' | '.join(cells)} |"


def as_junit(report: GateReport) -> str:
    """Render a JUnit report.

    Each gated measure is a test case, and so is what fails without a test.
    """
    suite = ElementTree.Element("testsuite", name="medqa gate")
    problems = ElementTree.SubElement(suite, "testcase", classname="medqa.gate", name="run")
    for problem in report.problems:
        ElementTree.SubElement(problems, "failure", message=_xml_text(problem))
    for comparison in report.comparisons:
        if comparison.margin is None:
            continue
        case = ElementTree.SubElement(suite, "testcase", classname="medqa.gate", name=comparison.measure.name)
        undecided = comparison.verdict == "not enough evidence"
        if comparison.verdict in FAILING or (undecided and report.margins.not_enough_evidence == "fail"):
            ElementTree.SubElement(case, "failure", message=_xml_text(comparison.reason))
        elif undecided:
            ElementTree.SubElement(case, "skipped", message=_xml_text(comparison.reason))
        output = ElementTree.SubElement(case, "system-out")
        output.text = _xml_text(f"better by {interval(comparison.better_by, signed=True)}")
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
