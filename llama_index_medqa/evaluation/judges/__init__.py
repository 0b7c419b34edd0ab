"""Judges say whether a text supports a claim.

May import ``evaluation.score``, ``serving``, ``embeddings``, ``llms``, ``verification`` and what stands below them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.verification.verdicts import Verdict


class Judge(Protocol):
    """Says how likely a text supports a claim."""

    @property
    def name(self) -> str:
        """Return the name in the names of its measures."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return what decides its scores, as JSON values.

        Cached scores are stored under it.
        """
        ...

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Score claims from 0, not supported, to 1, supported.

        A claim is unscored where the judge failed.

        Claims of one answer come together, so that its evidence is read once.

        Args:
            claims: sentences.
            evidence: texts, any of which may support a claim.
        """
        ...


@runtime_checkable
class GivesChances(Protocol):
    """A judge that writes verdicts and knows how sure it was."""

    async def chances(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Return the chance that each claim is supported.

        From 0 to 1, otherwise as :meth:`Judge.score_all`.
        """
        ...


@runtime_checkable
class GivesVerdicts(Protocol):
    """A judge that tells a contradiction from a want of support."""

    async def verdicts(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Verdict]:
        """Return the verdict on each claim."""
        ...
