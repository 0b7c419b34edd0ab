"""Measured agreement of this package's judges with people."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

# Parts of an identity that hardly change scores: a judge with other values still counts as measured.
_PASSING = frozenset({"weights"})


@cache
def _measured() -> list[dict[str, Any]]:
    text = (files(__package__) / "measured.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def measured_quality(identity: Mapping[str, Any]) -> Mapping[str, Sequence[float]] | None:
    """Return a judge's AUROC by labelled set.

    Each has the ends of its interval. None where the judge was not measured.

    From ``benchmarks/results/judge_quality.json``.

    Args:
        identity: the judge's.
    """
    wanted = _lasting(identity)
    return next((row["auroc"] for row in _measured() if _lasting(row["judge"]) == wanted), None)


def _lasting(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in identity.items() if key not in _PASSING}
