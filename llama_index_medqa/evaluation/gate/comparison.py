"""The gate: whether a candidate is worse than its baseline, measure by measure, and what that is known by.

**What is tested.** Both systems answered the same cases. Of each gated measure the difference candidate minus baseline
is taken case by case, with its sign turned where less is better, so that a negative one is a worsening. A margin is the
worsening of the mean that is allowed. There are two questions, each asked with a one-sided sign-flip test over groups
of cases (:func:`sign_flip_test`):

- Is the candidate worse by more than the margin? If that is shown, the verdict is *fail*.
- Is it worse by less than the margin? If that is shown, and there are cases enough that a worsening would have been
  seen, the verdict is *pass*.

If neither is shown, the verdict is *not enough evidence*, with the number of cases that it would take.

**What cases are enough.** A test looks at the cases it has, and six cases that did not change say nothing of the one in
twenty that would have failed. Where a mean of shares falls by the margin because as many cases in a hundred fail
altogether, none of ``n`` independent groups shows it with a chance of ``(1 - margin) ** n``. A *pass* needs that to be
at most ``level``: 59 groups for a margin of 0.05. Times and the like, and a margin of 0, take the 0.05 for it.

**What a false alarm is.** A *fail* of one or more measures although no measure is worse by more than its margin. The
p-values of the first question are corrected for the number of gated measures (Holm), so the chance of a false alarm in
a comparison is at most ``level`` (5 %) whatever the number of measures. It is reached where all margins are 0 and the
two systems are equally good, or where a candidate is worse by the margins exactly; an equally good candidate that is
allowed a margin sees fewer. *Pass* for the whole needs *pass* of every measure, which needs no correction (Berger
1982).

**What it cannot see** is printed: the least true worsening of a measure that this comparison catches with a chance of
80 % even if no other measure moves (:func:`minimum_detectable_effect` at ``level`` divided by the number of measures).

**What fails without any test:** too many cases that could not be scored, and more than the baseline has; a gated
measure that the candidate was not scored by; and a LoRA adapter that was not proved to be the one that answered. Where
the baseline has as many unscored cases there is *not enough evidence*. Cases that only one of both could score are left
out of the differences; the report counts them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.gate.margins import DEFAULT_MARGIN, Margins
from llama_index_medqa.evaluation.results import MeasureInfo, Results, Summary
from llama_index_medqa.evaluation.statistics.intervals import Estimate, bootstrap_mean
from llama_index_medqa.evaluation.statistics.power import cases_needed, design_of, minimum_detectable_effect
from llama_index_medqa.evaluation.statistics.significance import McNemar, holm, mcnemar, sign_flip_test

Verdict = Literal["pass", "fail", "not enough evidence", "not gated"]


@dataclass(frozen=True)
class CaseDifference:
    """One case in both runs.

    Attributes:
        case_id: of the case.
        cluster: its group.
        baseline: score.
        candidate: score.
        better_by: how much better the candidate is; negative where it is worse.
    """

    case_id: str
    cluster: str
    baseline: float
    candidate: float
    better_by: float


@dataclass(frozen=True)
class Comparison:
    """A measure in both runs.

    Attributes:
        measure: the measure.
        baseline: all of the baseline's cases.
        candidate: all of the candidate's cases.
        differences: the cases that both have scored.
        level: most chance of a false alarm.
        margin: worsening that is allowed; None where the measure is not gated.
        p_worse: chance of such differences if the candidate were worse by the margin exactly, corrected; None where
            not tested.
        detectable: the least true worsening that would be caught, see the module; None where not tested.
        cases_for: number of such cases at which a worsening by twice the margin would be caught; None where not tested
            or where the margin is 0.
        changed: for scores of 0 and 1, cases gained and lost, with McNemar's exact p-value; else None.
        verdict: the verdict.
        reason: one line that says why.
        candidate_measure: the measure as the candidate's file tells it; None where it was not scored by it.
    """

    measure: MeasureInfo
    baseline: Summary
    candidate: Summary
    differences: Sequence[CaseDifference] = field(repr=False)
    level: float
    margin: float | None
    p_worse: float | None = None
    detectable: float | None = None
    cases_for: int | None = None
    changed: McNemar | None = None
    verdict: Verdict = "not gated"
    reason: str = ""
    candidate_measure: MeasureInfo | None = None

    @cached_property
    def better_by(self) -> Estimate | None:
        """Mean of the differences with an interval of confidence ``1 - 2 level``, whose ends are one-sided bounds.

        None where no case is scored by both. The verdict is the tests', not the interval's; they seldom disagree.
        """
        if not self.differences:
            return None
        values, groups = [one.better_by for one in self.differences], [one.cluster for one in self.differences]
        return bootstrap_mean(values, groups=groups, confidence=1.0 - 2.0 * self.level)


@dataclass(frozen=True)
class GateReport:
    """What the gate found.

    Attributes:
        comparisons: one for each measure of the baseline.
        problems: what fails without any test, apart from single measures.
        margins: what was allowed.
    """

    comparisons: Sequence[Comparison]
    problems: Sequence[str]
    margins: Margins

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        verdicts = {comparison.verdict for comparison in self.comparisons}
        if self.problems or "fail" in verdicts:
            return "fail"
        return "not enough evidence" if "not enough evidence" in verdicts else "pass"

    @property
    def passed(self) -> bool:
        """Whether a job that asks may go on."""
        return self.verdict == "pass" or (
            self.verdict == "not enough evidence" and self.margins.not_enough_evidence == "pass"
        )


def compare(baseline: Results, candidate: Results, margins: Margins) -> GateReport:
    """Compares a candidate with its baseline.

    Args:
        baseline: results of the system as it was.
        candidate: results of the system as it would be, on the same cases.
        margins: what is allowed.

    Raises:
        InputError: the two were measured on different cases, or a margin is given for a measure that the baseline
            lacks.
        MissingExtraError: scipy is not installed.
    """
    _require_same_cases(baseline, candidate)
    known = {info.name for info in baseline.measures}
    strange = sorted(set(margins.margins or {}) - known)
    if strange:
        raise InputError(
            f"A margin is given for {', '.join(strange)}, which the baseline was not scored by; it has "
            f"{', '.join(sorted(known))}."
        )
    gated = [info for info in baseline.measures if margins.margin_of(info) is not None]
    if not gated:
        raise InputError("No measure is gated: name at least one of the baseline's under [margins].")
    differences = {info.name: _differences(info, baseline, candidate) for info in baseline.measures}
    tested = [info for info in gated if differences[info.name]]
    raw = [_p_values(differences[info.name], margins.margin_of(info) or 0.0) for info in tested]
    worse = dict(zip((info.name for info in tested), holm([one[0] for one in raw]), strict=True))
    within = {info.name: one[1] for info, one in zip(tested, raw, strict=True)}
    told = {info.name: info for info in candidate.measures}
    comparisons = [
        replace(
            _judged(info, baseline, candidate, differences[info.name], margins, len(gated), worse, within),
            candidate_measure=told.get(info.name),
        )
        for info in baseline.measures
    ]
    return GateReport(comparisons, _problems(candidate, margins), margins)


def _require_same_cases(baseline: Results, candidate: Results) -> None:
    first, second = ({case.case_id for case in results.cases} for results in (baseline, candidate))
    if baseline.cases_fingerprint != candidate.cases_fingerprint:
        raise InputError(
            f"The two files are of different cases ({len(first - second)} only in the baseline, {len(second - first)} "
            "only in the candidate, or other texts): evaluate both on the same file of cases."
        )


def _differences(info: MeasureInfo, baseline: Results, candidate: Results) -> list[CaseDifference]:
    sign = 1.0 if info.higher_is_better else -1.0
    found = []
    for before, after in zip(baseline.cases, candidate.cases, strict=True):
        first, second = (case.scores[info.name].value if info.name in case.scores else None for case in (before, after))
        if first is not None and second is not None:
            found.append(CaseDifference(before.case_id, before.cluster, first, second, sign * (second - first)))
    return found


def _p_values(differences: Sequence[CaseDifference], margin: float) -> tuple[float, float]:
    """How likely such differences are at the margin: this low, and this high."""
    values = [one.better_by for one in differences]
    test = sign_flip_test(values, mean=-margin, groups=[one.cluster for one in differences])
    return test.below, test.above


def _judged(
    info: MeasureInfo,
    baseline: Results,
    candidate: Results,
    differences: Sequence[CaseDifference],
    margins: Margins,
    gated: int,
    worse: dict[str, float],
    within: dict[str, float],
) -> Comparison:
    before, after, margin = baseline.summary(info.name), candidate.summary(info.name), margins.margin_of(info)
    values, groups = [one.better_by for one in differences], [one.cluster for one in differences]
    told = (info, before, after, differences, margins.level, margin)
    if margin is None:
        return Comparison(*told, reason="reported only")
    other = _other_judge(info, candidate)
    if other:
        return Comparison(*told, verdict="not enough evidence", reason=other)
    if after.unscored_share > margins.unscored_limit:
        verdict, reason = _unscored(before, after, margins.unscored_limit)
        return Comparison(*told, verdict=verdict, reason=reason)
    if not differences:
        if not before.values:
            return Comparison(*told, verdict="not enough evidence", reason="the baseline has no score")
        return Comparison(*told, verdict="fail", reason="no case of the baseline's was scored in the candidate")
    design = design_of(values, share=info.unit == "share", groups=groups)
    level = margins.level / gated
    detectable = minimum_detectable_effect(design, margin=margin, level=level, power=margins.power)
    needed = cases_needed(design, 2.0 * margin, margin=margin, level=level, power=margins.power)
    verdict, reason = _verdict(values, worse[info.name], within[info.name], margin, margins.level)
    if verdict == "pass":
        verdict, reason = _seen(reason, len(set(groups)), _groups_needed(info, margin, margins.level))
    elif verdict == "not enough evidence" and needed:
        reason += f"; with {needed} such cases a worsening by twice the margin would be seen"
    return Comparison(*told, worse[info.name], detectable, needed, _changed(info, differences), verdict, reason)


def _unscored(before: Summary, after: Summary, limit: float) -> tuple[Verdict, str]:
    """The verdict on too many cases without a score, and why."""
    unscored = ", ".join(f"{count} {reason}" for reason, count in after.unscored.items())
    shares = f"{after.unscored_share:.1%} of the candidate's cases could not be scored"
    reason = f"{shares} ({unscored}); {limit:.1%} may be"
    if after.unscored_share > before.unscored_share:
        return "fail", reason
    return "not enough evidence", f"{reason}, and the baseline has no fewer"


def _other_judge(info: MeasureInfo, candidate: Results) -> str:
    """Why scores of two judges cannot be compared; empty where one judged both, or a file does not tell."""
    after = next((one.judge for one in candidate.measures if one.name == info.name), None)
    if not (info.judge and after) or info.judge == after:
        return ""
    first, second = _flat(info.judge), _flat(after)
    different = sorted(key for key in {**first, **second} if first.get(key) != second.get(key))
    told = ", ".join(f"{key} {first.get(key)!r} and {second.get(key)!r}" for key in different)
    return f"the two were scored by different judges ({told}): score both by one"


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity without nesting: ``verifier.version`` for the version of the verifier within it."""
    flat: dict[str, Any] = {}
    for key, value in identity.items():
        flat |= (
            {f"{key}.{name}": one for name, one in _flat(value).items()} if isinstance(value, Mapping) else {key: value}
        )
    return flat


def _verdict(
    values: Sequence[float], p_worse: float, p_within: float, margin: float, level: float
) -> tuple[Verdict, str]:
    if not any(values):
        return "pass", "no case changed"
    if p_worse <= level:
        return "fail", f"worse by more than the margin of {margin:g} (p = {p_worse:.2g})"
    if p_within <= level:
        return "pass", f"not worse by more than the margin of {margin:g} (p = {p_within:.2g})"
    return "not enough evidence", f"a worsening by more than the margin of {margin:g} is neither shown nor ruled out"


def _groups_needed(info: MeasureInfo, margin: float, level: float) -> int:
    """From how many groups on a worsening by the margin would have been seen, if it is made of cases that fail."""
    rate = margin if info.unit == "share" and margin > 0 else DEFAULT_MARGIN
    return math.ceil(math.log(level) / math.log1p(-rate)) if rate < 1 else 1


def _seen(reason: str, groups: int, needed: int) -> tuple[Verdict, str]:
    if groups >= needed:
        return "pass", reason
    return "not enough evidence", f"{reason}, but {groups} independent cases could not show it: it takes {needed}"


def _changed(info: MeasureInfo, differences: Sequence[CaseDifference]) -> McNemar | None:
    before, after = [one.baseline for one in differences], [one.candidate for one in differences]
    if info.unit != "share" or not {*before, *after} <= {0.0, 1.0}:
        return None
    return mcnemar(before, after) if info.higher_is_better else mcnemar(after, before)


def _problems(candidate: Results, margins: Margins) -> list[str]:
    adapter = candidate.adapter
    if adapter is None:
        return ["no LoRA adapter answered, and one is required"] if margins.adapter == "required" else []
    if not adapter.get("verified"):
        return [
            f"the LoRA adapter was not proved to be the one that answered: {adapter.get('gap') or 'no reason told'}"
        ]
    return []
