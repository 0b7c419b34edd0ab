"""What the gate found, as Markdown for people and as JUnit XML for continuous integration."""

import re
from xml.etree import ElementTree

from llama_index_medqa.evaluation.gate.comparison import Comparison, GateReport
from llama_index_medqa.evaluation.results import MeasureInfo
from llama_index_medqa.evaluation.statistics.intervals import Estimate

_MARKS = {"pass": "✅", "fail": "❌", "not enough evidence": "❔", "not gated": ""}
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def number(value: float) -> str:
    """A number as the reports write it: three decimals below 10, none above 1,000."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"


def interval(estimate: Estimate | None, *, signed: bool = False) -> str:
    """A mean with its interval."""
    if estimate is None:
        return "–"
    plus = "+" if signed and estimate.mean > 0 else ""
    return f"{plus}{number(estimate.mean)} ({number(estimate.low)} to {number(estimate.high)})"


def judge_told(measure: MeasureInfo) -> str:
    """How far a judged measure can be trusted, in a line; empty where no judge was asked."""
    return _told(measure, measure.own_work or "")


def judges_told(comparison: Comparison) -> str:
    """The same of both runs of a measure."""
    runs = {"baseline": comparison.measure, "candidate": comparison.candidate_measure}
    own = {run: info.own_work for run, info in runs.items() if info and info.own_work}
    if len(set(own.values())) == 1 and len(own) == len(runs):
        return judge_told(comparison.measure)
    return _told(comparison.measure, "; ".join(f"the {run} was {told}" for run, told in own.items()))


def _told(measure: MeasureInfo, own_work: str) -> str:
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
    """How many of the candidate's cases have no score, and why; empty where all have one."""
    missing = {**comparison.candidate.unscored, **comparison.candidate.not_applicable}
    return ", ".join(f"{count} {reason}" for reason, count in missing.items())


def as_markdown(report: GateReport) -> str:
    """A summary, such as for ``$GITHUB_STEP_SUMMARY``."""
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
            f"- {one.measure.name}: {one.changed.gained} cases gained, {one.changed.lost} lost "
            f"(McNemar's exact p = {one.changed.p_value:.2g})."
            for one in report.comparisons
            if one.changed and one.changed.gained + one.changed.lost
        ),
        *(
            f"- {one.measure.name}: without a score in the candidate: {outcomes(one)}."
            for one in report.comparisons
            if outcomes(one)
        ),
        *(f"- {told}." for one in report.comparisons if (told := judges_told(one))),
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
        str(len(comparison.differences)),
        f"{_MARKS[comparison.verdict]} {comparison.verdict}".strip(),
    )
    return f"| {' | '.join(cells)} |"


def as_junit(report: GateReport) -> str:
    """A JUnit report: a test case for each gated measure, and one for what fails without a test."""
    suite = ElementTree.Element("testsuite", name="medqa gate")
    problems = ElementTree.SubElement(suite, "testcase", classname="medqa.gate", name="run")
    for problem in report.problems:
        ElementTree.SubElement(problems, "failure", message=_xml_text(problem))
    for comparison in report.comparisons:
        if comparison.margin is None:
            continue
        case = ElementTree.SubElement(suite, "testcase", classname="medqa.gate", name=comparison.measure.name)
        undecided = comparison.verdict == "not enough evidence"
        if comparison.verdict == "fail" or (undecided and report.margins.not_enough_evidence == "fail"):
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
