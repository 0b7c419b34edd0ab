"""Judges say whether a text supports a claim."""

from collections.abc import Sequence
from typing import Protocol

from llama_index_medqa.evaluation.score import Score


class Judge(Protocol):
    """Says how likely a text supports a claim."""

    @property
    def name(self) -> str:
        """What its measures are called by."""
        ...

    def score(self, claim: str, evidence: Sequence[str]) -> Score:
        """From 0, not supported, to 1, supported; unscored where it failed.

        Args:
            claim: one sentence.
            evidence: texts, any of which may support it.
        """
        ...
