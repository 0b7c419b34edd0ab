"""Margins of a gate: how much worse each measure may get."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.results import MeasureInfo

DEFAULT_MARGIN = 0.05


@dataclass(frozen=True)
class Margins:
    """What a gate lets pass.

    Attributes:
        margins: the worsening of the mean that is allowed, by measure, in its own unit; other measures are reported
            and not gated. None gates all measures between 0 and 1 with a margin of 0.05.
        level: most chance of a false alarm, over all gated measures together; at most 0.5.
        power: chance of catching the minimum detectable effect that is printed.
        unscored_limit: most share of the candidate's cases that may be unscored, of those for which a number was due.
        not_enough_evidence: whether a comparison without enough evidence passes or fails.
        adapter: ``if used``: where a LoRA adapter answers, it must have been proved; ``required``: one must answer.
    """

    margins: Mapping[str, float] | None = None
    level: float = 0.05
    power: float = 0.8
    unscored_limit: float = 0.02
    not_enough_evidence: Literal["pass", "fail"] = "pass"
    adapter: Literal["if used", "required"] = "if used"

    def __post_init__(self) -> None:
        choices = {"not_enough_evidence": ("pass", "fail"), "adapter": ("if used", "required")}
        ranges = {"level": (0.0, 0.5), "power": (0.5, 1.0), "unscored_limit": (-math.inf, 1.0)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} must be {' or '.join(map(repr, allowed))}, got {getattr(self, name)!r}.")
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not (_is_number(value) and low < value <= high and value >= 0 and not (name == "power" and value == 1)):
                raise InputError(f"{name} must be a number above {max(low, 0):g} and up to {high:g}, got {value!r}.")
        for name, margin in (self.margins or {}).items():
            if not (_is_number(margin) and margin >= 0):
                raise InputError(f"The margin of {name!r} must be 0 or more, in the measure's unit, got {margin!r}.")

    def margin_of(self, measure: MeasureInfo) -> float | None:
        """Return the allowed worsening; None if not gated."""
        if self.margins is None:
            return DEFAULT_MARGIN if measure.unit == "share" else None
        return self.margins.get(measure.name)


def read_margins(path: str | Path) -> Margins:
    """Read margins from a TOML file.

    Such as::

        level = 0.05

        [margins]
        "nDCG@10" = 0.03
        Accuracy = 0.05
        Seconds = 2.0

    Raises:
        InputError: the file is missing or broken, or holds what nothing reads.
    """
    try:
        data: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}. Correct the file.") from error
    known = {field.name for field in fields(Margins)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise InputError(
            f"{path}: remove {', '.join(map(repr, unknown))}, which nothing reads; it may hold "
            f"{', '.join(sorted(known))}."
        )
    if not isinstance(data.get("margins", {}), dict):
        raise InputError(f'{path}: margins must be a table: [margins], then lines such as "nDCG@10" = 0.03.')
    if "margins" in data:
        data["margins"] = MappingProxyType(data["margins"])
    return Margins(**data)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
