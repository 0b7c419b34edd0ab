"""What a comparison shows of a measure, and what a gate makes of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from llama_index_medqa.evaluation.gate.margins import DEFAULT_MARGIN
from llama_index_medqa.evaluation.results import MeasureInfo, Results, Summary

Verdict = Literal["better", "not worse", "worse", "not enough evidence", "not scored", "not gated"]
"""Of a measure. ``not scored``: too many cases have no score, or all."""
GateVerdict = Literal["pass", "fail", "not enough evidence"]
"""Of all measures."""

FAILING: frozenset[Verdict] = frozenset({"worse", "not scored"})
"""Verdicts that fail a gate."""


def verdict_of(
    values: Sequence[float], p_worse: float, p_better: float, p_within: float, margin: float, level: float
) -> tuple[Verdict, str]:
    """Return what the tests show, and the reason.

    Args:
        values: by how much each case is better.
        p_worse: of being worse by the margin or less, corrected for the number of measures.
        p_better: of being no better, corrected too.
        p_within: of being worse by the margin or more.
        margin: worsening that is allowed.
        level: most chance of an error.
    """
    if not any(values):
        return "not worse", "no case changed"
    if p_worse <= level:
        return "worse", f"worse by more than the margin of {margin:g} (p = {p_worse:.2g})"
    if p_better <= level:
        return "better", f"better, not by chance alone (p = {p_better:.2g})"
    if p_within <= level:
        return "not worse", f"not worse by more than the margin of {margin:g} (p = {p_within:.2g})"
    return "not enough evidence", f"a worsening by more than the margin of {margin:g} is neither shown nor ruled out"


def where_seen(reason: str, groups: int, needed: int) -> tuple[Verdict, str]:
    """Return *not worse*, with its reason, where there were cases enough to show a worsening."""
    if groups >= needed:
        return "not worse", reason
    return "not enough evidence", f"{reason}, but {groups} independent cases could not show it: it takes {needed}"


def groups_needed(info: MeasureInfo, margin: float, level: float) -> int:
    """Return the least number of groups that show a worsening.

    The worsening is the margin, made of cases that fail.
    """
    rate = margin if info.unit == "share" and margin > 0 else DEFAULT_MARGIN
    return math.ceil(math.log(level) / math.log1p(-rate)) if rate < 1 else 1


def unscored_verdict(before: Summary, after: Summary, limit: float) -> tuple[Verdict, str]:
    """Return the verdict on too many unscored cases.

    The second value is the reason.
    """
    unscored = ", ".join(f"{count} {reason}" for reason, count in after.unscored.items())
    shares = f"{after.unscored_share:.1%} of the candidate's cases could not be scored"
    reason = f"{shares} ({unscored}); {limit:.1%} may be"
    if after.unscored_share > before.unscored_share:
        return "not scored", reason
    return "not enough evidence", f"{reason}, and the baseline has no fewer"


def other_judge(info: MeasureInfo, candidate: Results) -> str:
    """Return why scores of two judges cannot be compared.

    Empty where one judge scored both, or a file does not name it.
    """
    after = next((one.judge for one in candidate.measures if one.name == info.name), None)
    if not (info.judge and after) or info.judge == after:
        return ""
    first, second = _flat(info.judge), _flat(after)
    different = sorted(key for key in {**first, **second} if first.get(key) != second.get(key))
    identities = ", ".join(f"{key} {first.get(key)!r} and {second.get(key)!r}" for key in different)
    return f"the two were scored by different judges ({identities}): score both by one"


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a nested identity to dotted keys.

    ``verifier.version`` is the version of the verifier within it.
    """
    flat: dict[str, Any] = {}
    for key, value in identity.items():
        flat |= (
            {f"{key}.{name}": one for name, one in _flat(value).items()} if isinstance(value, Mapping) else {key: value}
        )
    return flat
