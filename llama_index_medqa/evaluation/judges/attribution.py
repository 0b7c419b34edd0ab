"""The check that the query engine itself makes, as a judge."""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import NodeWithScore, TextNode

from llama_index_medqa.attribution import Attributor
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.verification.passages import Passage, passages_of

# Another number where the check says something else of any claim; part of every identity.
VERSION = 1


class AttributionJudge:
    """Calls a claim supported when attribution finds the text that it stands on. Deterministic, without a model.

    What it is worth beside people's labels is told in ``benchmarks/README.md``.
    """

    name = "attribution"

    def __init__(self) -> None:
        self._attributor = Attributor()

    @property
    def identity(self) -> Mapping[str, Any]:
        """The check by words alone, by its version."""
        return {"judge": self.name, "version": VERSION, "threshold": self._attributor.threshold}

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """1 for each supported claim, 0 for any other."""
        judged = await self._attributor.aattribute_all(claims, passages_from(evidence))
        return [Score.of(one.supported) for one in judged]


def passages_from(evidence: Sequence[str]) -> list[Passage]:
    """Texts as evidence, each a record of its own."""
    nodes = [
        NodeWithScore(node=TextNode(id_=str(place), text=text, start_char_idx=0)) for place, text in enumerate(evidence)
    ]
    return passages_of(nodes)
