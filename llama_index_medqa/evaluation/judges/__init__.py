"""Judges say whether a text supports a claim.

May import ``evaluation.score``, ``evaluation.line_file``, ``serving``, ``embeddings``, ``llms``, ``verification`` and
what stands below them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from llama_index_medqa.evaluation.score import Score


class Judge(Protocol):
    """Says how likely a text supports a claim."""

    @property
    def name(self) -> str:
        """What its measures are called by."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that decides its scores, fit for JSON; scores that are kept are kept under it."""
        ...

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Of each claim from 0, not supported, to 1, supported; unscored where the judge failed.

        Claims of one answer come together, so that its evidence is read once.

        Args:
            claims: sentences.
            evidence: texts, any of which may support a claim.
        """
        ...


@runtime_checkable
class GivesChances(Protocol):
    """A judge whose scores are verdicts, and that can tell how sure it was of each."""

    async def chances(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Of each claim the chance that it is supported, 0 to 1; see :meth:`Judge.score_all`."""
        ...
