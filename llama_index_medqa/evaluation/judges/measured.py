"""How well the judges of this package agreed with people when they were measured."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

# Decides what a judge says, but hardly: it is told, and a judge is not called unmeasured for it.
_PASSING = frozenset({"weights"})


@cache
def _measured() -> list[dict[str, Any]]:
    text = (files(__package__) / "measured.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def measured_quality(identity: Mapping[str, Any]) -> Mapping[str, Sequence[float]] | None:
    """AUROC against people's labels, by labelled set, each with the ends of its interval; None where not measured.

    From ``benchmarks/results/judge_quality.json``.

    Args:
        identity: the judge's.
    """
    wanted = _lasting(identity)
    return next((row["auroc"] for row in _measured() if _lasting(row["judge"]) == wanted), None)


def _lasting(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in identity.items() if key not in _PASSING}
