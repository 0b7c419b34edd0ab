"""The score of one case: a number, or why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llama_index_medqa.errors import InputError

Unit = Literal["share", "seconds", "tokens", "number"]
"""Of a score's number; a share is from 0 to 1, a number has no unit."""
NOT_A_NUMBER = "not a number"
"""Why there is no score where NaN, infinity or null stands in its place."""


@dataclass(frozen=True)
class Score:
    """A measure's result for one case.

    A failure to score is a value of its own, never a number.

    Make one with :meth:`of`, :meth:`of_repeats`, :meth:`unscored` or :meth:`not_applicable`.

    Attributes:
        value: the number; None where there is none.
        reason: why there is none, in a word or two that can be counted, such as ``unparsable``.
        detail: what was seen, for people.
        applicable: False where the measure does not apply to such a case (a case without a gold label has no accuracy);
            True where a number was due. Only what was due and is missing counts against a system.
        repeats: where the case was judged several times, the numbers of which ``value`` is the mean.
    """

    value: float | None
    reason: str = ""
    detail: str = ""
    applicable: bool = True
    repeats: tuple[float, ...] = ()

    @classmethod
    def of(cls, value: float) -> "Score":
        """Return a score with a number.

        Raises:
            InputError: it is not finite: say why with :meth:`unscored`.
        """
        if not math.isfinite(value):
            raise InputError(f"A score cannot be {value}: say with Score.unscored why there is no number.")
        return cls(float(value))

    @classmethod
    def of_repeats(cls, scores: Sequence["Score"]) -> "Score":
        """Average repeated judgings of one case.

        If some failed, the first that failed is returned.

        Args:
            scores: at least one.
        """
        failed = next((score for score in scores if score.value is None), None)
        if failed is not None:
            return failed
        values = tuple(score.value for score in scores if score.value is not None)
        return cls(math.fsum(values) / len(values), repeats=values)

    @classmethod
    def unscored(cls, reason: str, detail: str = "") -> "Score":
        """Return a score without a number that was due.

        Such as after a timeout, an answer that cannot be parsed or a failed judge.
        """
        return cls(None, reason, detail)

    @classmethod
    def not_applicable(cls, reason: str) -> "Score":
        """Return a score where no number is due."""
        return cls(None, reason, applicable=False)

    def as_data(self) -> Any:
        """Return the score as JSON values.

        It is the number, or an object with the reason.
        """
        if self.value is not None:
            return {"mean": self.value, "repeats": list(self.repeats)} if self.repeats else self.value
        kind = "unscored" if self.applicable else "not_applicable"
        return {kind: self.reason, "detail": self.detail} if self.detail else {kind: self.reason}

    @classmethod
    def from_data(cls, data: Any) -> "Score":
        """Read what :meth:`as_data` wrote.

        Raises:
            InputError: it is not what :meth:`as_data` gives.
        """
        if data is None or (isinstance(data, float) and not math.isfinite(data)):
            # As others write what they could not compute: it counts as missing, and the rest of the file holds.
            return cls.unscored(NOT_A_NUMBER)
        if isinstance(data, int | float) and not isinstance(data, bool):
            return cls.of(data)
        if isinstance(data, dict) and isinstance(data.get("repeats"), list) and data["repeats"]:
            return cls.of_repeats([cls.from_data(value) for value in data["repeats"]])
        if isinstance(data, dict) and isinstance(data.get("unscored"), str):
            return cls.unscored(data["unscored"], str(data.get("detail", "")))
        if isinstance(data, dict) and isinstance(data.get("not_applicable"), str):
            return cls.not_applicable(data["not_applicable"])
        raise InputError(f"A score must be a number or say why there is none, got {data!r}.")
