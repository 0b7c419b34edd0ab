"""The gate: is a candidate worse than its baseline, measure by measure?.

**What is tested.** Both systems answered the same cases. Of each gated measure the difference candidate minus baseline
is taken case by case, with its sign turned where less is better, so that a negative one is a worsening. A margin is the
worsening of the mean that is allowed. Questions are asked with a one-sided sign-flip test over groups of cases
(:func:`sign_flip_test`):

- Is the candidate worse by more than the margin? If that is shown, the verdict is *worse*, and the gate fails.
- Is it worse by less than the margin? If that is shown, and there are cases enough that a worsening would have been
  seen, the verdict is *not worse*. If a third test, against 0, shows that it is better at all, the verdict is *better*.

If none is shown, the verdict is *not enough evidence*, with the number of cases that it would take.

**What cases are enough.** A test looks at the cases it has, and six cases that did not change say nothing of the one in
twenty that would have failed. Where a mean of shares falls by the margin because as many cases in a hundred fail
altogether, none of ``n`` independent groups shows it with a chance of ``(1 - margin) ** n``. *Not worse* needs that to
be at most ``level``: 59 groups for a margin of 0.05. Times and the like, and a margin of 0, take the 0.05 for it.

**What a false alarm is.** *Worse* for one or more measures although no measure is worse by more than its margin. The
p-values of the first question, and of the third, are corrected for the number of gated measures (Holm), so the chance
of a false alarm in a comparison is at most ``level`` (5 %) whatever the number of measures. It is reached where all
margins are 0 and the two systems are equally good, or where a candidate is worse by the margins exactly; an equally
good candidate that is allowed a margin sees fewer. *Pass* for the whole needs *not worse* or *better* of every measure,
which needs no correction (Berger 1982).

**What it cannot see** is printed: the least true worsening of a measure that this comparison catches with a chance of
80 % even if no other measure moves (:func:`minimum_detectable_effect` at ``level`` divided by the number of measures).

**What fails without any test:** too many cases that could not be scored, and more than the baseline has; a gated
measure that the candidate was not scored by; and a LoRA adapter that was not proved to be the one that answered. Where
the baseline has as many unscored cases there is *not enough evidence*. Cases that only one of both could score are left
out of the differences; the report counts them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.gate.margins import Margins
from llama_index_medqa.evaluation.gate.score_file import read_any_results
from llama_index_medqa.evaluation.gate.verdicts import (
    FAILING,
    GateVerdict,
    Verdict,
    groups_needed,
    other_judge,
    unscored_verdict,
    verdict_of,
    where_seen,
)
from llama_index_medqa.evaluation.results import MeasureInfo, Results, Summary
from llama_index_medqa.evaluation.statistics.intervals import Estimate, bootstrap_mean
from llama_index_medqa.evaluation.statistics.power import cases_needed, design_of, minimum_detectable_effect
from llama_index_medqa.evaluation.statistics.significance import McNemar, holm, mcnemar, sign_flip_test


@dataclass(frozen=True)
class CaseDifference:
    """A case that is scored in both runs.

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
        reason: the reason in one line.
        candidate_measure: the measure in the candidate's file; None where it has none.
        p_better: chance of such differences if the candidate were no better, corrected; None where not tested.
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
    p_better: float | None = None

    @cached_property
    def better_by(self) -> Estimate | None:
        """Return the mean difference with its interval.

        The confidence is ``1 - 2 level``, so each end is a one-sided bound.

        None where no case is scored by both. The verdict is the tests', not the interval's; they seldom disagree.
        """
        if not self.differences:
            return None
        values, groups = [one.better_by for one in self.differences], [one.cluster for one in self.differences]
        return bootstrap_mean(values, groups=groups, confidence=1.0 - 2.0 * self.level)

    def __str__(self) -> str:
        """Return the verdict, the difference with its interval, and the reason."""
        better = self.better_by
        told = f", {better.mean:+.3f} ({better.low:+.3f} to {better.high:+.3f})" if better else ""
        return f"{self.verdict}{told}: {self.reason}"


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
    def verdict(self) -> GateVerdict:
        """Return what the worst verdict of all comparisons makes of the gate."""
        verdicts = {comparison.verdict for comparison in self.comparisons}
        if self.problems or verdicts & FAILING:
            return "fail"
        return "not enough evidence" if "not enough evidence" in verdicts else "pass"

    def __str__(self) -> str:
        """Return a line for each measure with its difference and reason, and the verdict."""
        lines = [f"{one.measure.name}: {one}" for one in self.comparisons]
        return "\n".join([*lines, *self.problems, f"Gate: {self.verdict}"])

    @property
    def passed(self) -> bool:
        """Return whether a job that uses the gate may go on."""
        return self.verdict == "pass" or (
            self.verdict == "not enough evidence" and self.margins.not_enough_evidence == "pass"
        )


def compare(
    baseline: Results | str | Path,
    candidate: Results | str | Path,
    margins: Margins | Mapping[str, float] | None = None,
) -> GateReport:
    """Compare a candidate with its baseline.

    ``print(report)`` shows a line for each measure, and the verdict.

    Args:
        baseline: results of the system as it was, or their file, which may be another system's; see
            :func:`read_any_results`.
        candidate: results of the system as it would be, on the same cases, or their file.
        margins: what is allowed: all of it, or the margins by measure; None allows each share to get worse by 0.05.

    Raises:
        InputError: the two were measured on different cases, or a margin is given for a measure that the baseline
            lacks.
        MissingExtraError: scipy is not installed.
    """
    baseline, candidate = _read(baseline), _read(candidate)
    margins = margins if isinstance(margins, Margins) else Margins(margins)
    _require_same_cases(baseline, candidate)
    gated = _gated(baseline, margins)
    differences = {info.name: _differences(info, baseline, candidate) for info in baseline.measures}
    p_values = _p_values_of([info for info in gated if differences[info.name]], differences, margins)
    candidate_measures = {info.name: info for info in candidate.measures}
    comparisons = []
    for info in baseline.measures:
        before, after, margin = baseline.summary(info.name), candidate.summary(info.name), margins.margin_of(info)
        found = Comparison(info, before, after, differences[info.name], margins.level, margin, reason="reported only")
        if margin is not None:
            untested = _verdict_without_test(found, candidate, margins)
            if untested:
                found = replace(found, verdict=untested[0], reason=untested[1])
            else:
                found = _tested(found, margin, margins, len(gated), p_values[info.name])
        comparisons.append(replace(found, candidate_measure=candidate_measures.get(info.name)))
    return GateReport(comparisons, _problems(candidate, margins), margins)


def _gated(baseline: Results, margins: Margins) -> list[MeasureInfo]:
    """Return the measures that have a margin."""
    known = {info.name for info in baseline.measures}
    strange = sorted(set(margins.margins or {}) - known)
    if strange:
        raise InputError(
            f"A margin is given for {', '.join(strange)}, which the baseline was not scored by: remove it, or choose "
            f"among {', '.join(sorted(known))}."
        )
    gated = [info for info in baseline.measures if margins.margin_of(info) is not None]
    if not gated:
        raise InputError("No measure is gated: name at least one of the baseline's under [margins].")
    return gated


def _read(results: Results | str | Path) -> Results:
    return results if isinstance(results, Results) else read_any_results(results)


def _require_same_cases(baseline: Results, candidate: Results) -> None:
    first, second = ({case.case_id for case in results.cases} for results in (baseline, candidate))
    # Scores of other systems tell ids only; they have no fingerprint.
    fingerprints = {baseline.cases_fingerprint, candidate.cases_fingerprint} - {""}
    if len(fingerprints) > 1 or first != second:
        raise InputError(
            f"The two files are of different cases ({len(first - second)} only in the baseline, {len(second - first)} "
            "only in the candidate, or other texts): evaluate both on the same file of cases."
        )


def _differences(info: MeasureInfo, baseline: Results, candidate: Results) -> list[CaseDifference]:
    sign = 1.0 if info.higher_is_better else -1.0
    found = []
    of_candidate = {case.case_id: case for case in candidate.cases}
    for before in baseline.cases:
        after = of_candidate[before.case_id]
        first, second = (case.scores[info.name].value if info.name in case.scores else None for case in (before, after))
        if first is not None and second is not None:
            found.append(CaseDifference(before.case_id, before.cluster, first, second, sign * (second - first)))
    return found


def _p_values(differences: Sequence[CaseDifference], margin: float) -> tuple[float, float, float]:
    """Return p-values at the margin, for worse and better, and at 0 for better.

    How likely are differences this low, and this high?
    """
    values = [one.better_by for one in differences]
    groups = [one.cluster for one in differences]
    test = sign_flip_test(values, mean=-margin, groups=groups)
    return test.below, test.above, sign_flip_test(values, groups=groups).above


class _PValues(NamedTuple):
    """Of one measure; ``worse`` and ``better`` are corrected by Holm for all gated measures."""

    worse: float
    within: float
    better: float


def _p_values_of(
    tested: Sequence[MeasureInfo], differences: Mapping[str, Sequence[CaseDifference]], margins: Margins
) -> dict[str, _PValues]:
    raw = [_p_values(differences[info.name], margins.margin_of(info) or 0.0) for info in tested]
    worse, better = holm([one[0] for one in raw]), holm([one[2] for one in raw])
    return {
        info.name: _PValues(low, one[1], high) for info, one, low, high in zip(tested, raw, worse, better, strict=True)
    }


def _verdict_without_test(found: Comparison, candidate: Results, margins: Margins) -> tuple[Verdict, str] | None:
    """Return verdict and reason where there is nothing to test; else None."""
    other = other_judge(found.measure, candidate)
    if other:
        return "not enough evidence", other
    if found.candidate.unscored_share > margins.unscored_limit:
        return unscored_verdict(found.baseline, found.candidate, margins.unscored_limit)
    if not found.differences:
        if not found.baseline.values:
            return "not enough evidence", "the baseline has no score"
        return "not scored", "no case of the baseline's was scored in the candidate"
    return None


def _tested(found: Comparison, margin: float, margins: Margins, gated: int, p_values: _PValues) -> Comparison:
    """Return the comparison with the outcome of its tests.

    Args:
        found: the comparison so far.
        margin: by which the measure may get worse.
        margins: level and power of the tests.
        gated: number of gated measures, among which the level is shared.
        p_values: of this measure.
    """
    values, groups = [one.better_by for one in found.differences], [one.cluster for one in found.differences]
    design = design_of(values, share=found.measure.unit == "share", groups=groups)
    level = margins.level / gated
    needed = cases_needed(design, 2.0 * margin, margin=margin, level=level, power=margins.power)
    verdict, reason = verdict_of(values, p_values.worse, p_values.better, p_values.within, margin, margins.level)
    if verdict == "not worse":
        verdict, reason = where_seen(reason, len(set(groups)), groups_needed(found.measure, margin, margins.level))
    elif verdict == "not enough evidence" and needed:
        reason += f"; with {needed} such cases a worsening by twice the margin would be seen"
    return replace(
        found,
        p_worse=p_values.worse,
        detectable=minimum_detectable_effect(design, margin=margin, level=level, power=margins.power),
        cases_for=needed,
        changed=_changed(found.measure, found.differences),
        verdict=verdict,
        reason=reason,
        p_better=p_values.better,
    )


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
