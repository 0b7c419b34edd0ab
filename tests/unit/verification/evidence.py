"""Passages for tests of the verifier, and an entailment model whose chances a test sets."""

from llama_index.core.schema import NodeWithScore, TextNode

from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.passages import Passage, passages_of

THRESHOLDS = {"strict": 0.9, "balanced": 0.7, "open": 0.5, "contradicted": 0.8}


def passage(words: str, pmid: str = "7", title: str = "Tea and the heart") -> Passage:
    """A whole record: its title on the first line, then the text."""
    node = TextNode(
        text=f"{title}\n{words}" if title else words, start_char_idx=0, id_=f"PMID:{pmid}", metadata={"title": title}
    )
    return passages_of([NodeWithScore(node=node, score=1.0)])[0]


class Scripted:
    """Says of a pair what the test wrote for the first piece of text that the premise holds; else "not enough".

    Args:
        chances: for a piece of a premise: (supported, contradicted), for every claim, or by claim.
    """

    def __init__(self, chances):
        self.chances = chances
        self.asked = []
        self.identity = {"verifier": "scripted"}
        self.thresholds = THRESHOLDS

    def judge(self, pairs):
        self.asked += pairs
        return [self._of(premise, claim) for premise, claim in pairs]

    def _of(self, premise, claim):
        for piece, chance in self.chances.items():
            if piece in premise:
                supported, contradicted = chance[claim] if isinstance(chance, dict) else chance
                return Entailment(supported, 1.0 - supported - contradicted, contradicted)
        return Entailment(0.05, 0.9, 0.05)
