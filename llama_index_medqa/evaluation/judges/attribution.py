"""The check that the query engine itself makes, as a judge."""

from collections.abc import Sequence

from llama_index.core.schema import NodeWithScore, TextNode

from llama_index_medqa.attribution import Attributor
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.evidence import passages_of


class AttributionJudge:
    """Calls a claim supported when attribution finds the text that it stands on. Deterministic.

    What it is worth beside people's labels is told in ``benchmarks/README.md``.

    Args:
        attributor: makes the check; by default by words alone, without a model.
    """

    name = "attribution"

    def __init__(self, attributor: Attributor | None = None) -> None:
        self._attributor = attributor or Attributor()

    def score(self, claim: str, evidence: Sequence[str]) -> Score:
        """1 for a supported claim, 0 for any other."""
        nodes = [
            NodeWithScore(node=TextNode(id_=str(place), text=text, start_char_idx=0))
            for place, text in enumerate(evidence)
        ]
        return Score.of(self._attributor.attribute(claim, passages_of(nodes)).supported)
