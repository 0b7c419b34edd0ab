"""The check that the query engine itself makes, as a judge."""

from collections.abc import Sequence

from llama_index.core.schema import NodeWithScore, TextNode

from llama_index_medqa.attribution import attribute
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.evidence import passages_of


class AttributionJudge:
    """Calls a claim supported when attribution by words finds the text that it stands on. Deterministic, no model.

    It keeps unrelated text out and hardly tells a refuted claim from a supported one: see ``benchmarks/README.md``.

    Args:
        threshold: least share of the claim's meaningful words in the text, 0 to 1.
    """

    name = "attribution"

    def __init__(self, threshold: float = 0.7) -> None:
        self._threshold = threshold

    def score(self, claim: str, evidence: Sequence[str]) -> Score:
        """1 for a supported claim, 0 for any other."""
        nodes = [NodeWithScore(node=TextNode(text=text, start_char_idx=0)) for text in evidence]
        return Score.of(attribute(claim, passages_of(nodes), self._threshold).supported)
