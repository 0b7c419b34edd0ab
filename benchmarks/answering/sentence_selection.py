"""Does half as much evidence for a model still hold the answer?

    python -m benchmarks.answering.sentence_selection [--data DATA] [--claims N]

SciFact's claims that an abstract supports or refutes, with the sentences that its annotators marked as the rationale.
What was retrieved is that abstract and the four others of the set that share most with the claim by words (inverse
document frequency), ranked together by that. Counted is how many claims have at least one whole rationale among the
sentences that are shown: by the engine's selection with words and meaning, by words alone, and by showing the records
from the top until the budget is spent, as before. The weights of the selection were chosen by judgement, not fitted.
"""

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from benchmarks.common.data_folder import add_data_option
from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.answering.sentence_selection import EvidenceSelector, as_context, stretches, token_count
from llama_index_medqa.components import open_embedder
from llama_index_medqa.evaluation.statistics.intervals import bootstrap_mean
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import Passage, passages_of

BUDGETS = (150, 200, 300, 450, 600)
_RECORDS = 5

Select = Callable[[str, Sequence[Passage], int], list[Passage]]


def from_the_top(_: str, passages: Sequence[Passage], most_tokens: int) -> list[Passage]:
    """Return the records in order, each as far as there is room."""
    shown: list[Passage] = []
    for passage in passages:
        for count in range(len(passage.sentences), 0, -1):
            parts = stretches(passage, passage.sentences[:count])
            if token_count(as_context([*shown, *parts])) <= most_tokens:
                shown += parts
                break
    return shown


class Claims:
    """The claims of a split with their retrieved papers.

    Args:
        rows: of ``scifact_pairs.jsonl``.
        split: ``train`` or ``dev``.
        limit: most claims.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], split: str, limit: int) -> None:
        self._documents = {row["doc_id"]: row for row in rows}
        self._words = {
            name: content_words(" ".join([row["title"], *row["evidence"]])) for name, row in self._documents.items()
        }
        self._frequency = Counter(word for words in self._words.values() for word in words)
        self.pairs = [row for row in rows if row["split"] == split and row["rationales"]][:limit]

    def passages(self, row: dict[str, Any]) -> list[Passage]:
        """Return a claim's abstract and four others, the most similar first."""
        asked = content_words(row["claim"])
        scores: dict[str, float] = defaultdict(float)
        for name, words in self._words.items():
            scores[name] = sum(math.log(len(self._words) / self._frequency[word]) for word in asked & words)
        others = sorted((name for name in scores if name != row["doc_id"]), key=lambda name: -scores[name])
        chosen = sorted([row["doc_id"], *others[: _RECORDS - 1]], key=lambda name: -scores[name])
        return passages_of([_node(self._documents[name]) for name in chosen])


def shown_rationale(row: dict[str, Any], shown: Sequence[Passage]) -> bool:
    """Return whether at least one rationale is shown whole."""
    texts = " ".join(sentence.text for passage in shown for sentence in passage.sentences)
    squeezed = " ".join(texts.split())
    return any(
        all(" ".join(row["evidence"][i].split()) in squeezed for i in rationale) for rationale in row["rationales"]
    )


def measured(claims: Claims, select: Select) -> dict[str, Any]:
    """Return shown rationales and shown tokens for each budget.

    The share of claims with a rationale shown.
    """
    found: dict[str, Any] = {}
    for budget in BUDGETS:
        hits, tokens = [], []
        for row in claims.pairs:
            shown = select(row["claim"], claims.passages(row), budget)
            hits.append(float(shown_rationale(row, shown)))
            tokens.append(token_count(as_context(shown)))
        estimate = bootstrap_mean(hits)
        found[str(budget)] = {
            "rationale_shown": round(estimate.mean, 4),
            "low": round(estimate.low, 4),
            "high": round(estimate.high, 4),
            "tokens": round(sum(tokens) / len(tokens), 1),
        }
    return found


def _node(row: dict[str, Any]) -> NodeWithScore:
    node = TextNode(
        text="\n".join([row["title"], *row["evidence"]]), metadata={"title": row["title"]}, start_char_idx=0
    )
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"SCIFACT:{row['doc_id']}")
    return NodeWithScore(node=node)


def main() -> None:
    """Measure and writes ``results/evidence_selection.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--claims", type=int, default=1_000, help="of each split")
    options = parser.parse_args()
    file = options.data / "faithfulness" / "scifact_pairs.jsonl"
    if not file.is_file():
        sys.exit(f"There is no data at {file}: give --data.")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    ways: dict[str, Select] = {
        "words and meaning": EvidenceSelector(open_embedder(EMBEDDED)).select,
        "words": EvidenceSelector().select,
        "from the top": from_the_top,
    }
    splits = {split: Claims(rows, split, options.claims) for split in ("train", "dev")}
    results = {
        split: {
            "claims": len(claims.pairs),
            **{name: measured(claims, select) for name, select in ways.items()},
        }
        for split, claims in splits.items()
    }
    print(json.dumps(results, indent=1))
    write_results("evidence_selection", {"provenance": provenance([file], ["torch", "tiktoken"]), **results})


if __name__ == "__main__":
    main()
