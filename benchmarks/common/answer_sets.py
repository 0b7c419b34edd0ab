"""The questions and papers that answers and abstention are measured on.

- PubMedQA: 500 questions; the paper of each is its abstract less its conclusion, without the title, which is the
  question.
- BioASQ: 983 questions; 6,851 papers as the snippets that its experts marked, with their titles where known.

``qa/split.json`` of the shared data parts the questions of each set: the 150 ``final`` ones are for measuring answers
and for nothing else; thresholds are set on the 150 ``calibration`` ones; the ``training`` ones are for all else.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index.core import Document
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from benchmarks.common.retrieval_sets import load_set
from llama_index_medqa import E5Embedding, PubMedIndex, TokenNodeParser
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.text.search_terms import lexical_terms

NAMES = ("PubMedQA", "BioASQ")
# The usual constants of BM25, as SQLite has them.
_K1, _B = 1.2, 0.75
_PARTS = ("final", "calibration", "training")


@dataclass(frozen=True)
class AnswerSet:
    """Papers and questions.

    Attributes:
        name: one of :data:`NAMES`.
        documents: what is indexed.
        final: the questions of the measurement of answers.
        calibration: the questions that thresholds are set on.
        training: the questions that may be trained on.
        files: what all were read from.
    """

    name: str
    documents: list[Document]
    final: list[EvaluationCase]
    calibration: list[EvaluationCase]
    training: list[EvaluationCase]
    files: list[Path]

    @property
    def others(self) -> list[EvaluationCase]:
        """Return all questions that answers are not measured on."""
        return [*self.calibration, *self.training]


def load_answer_set(name: str, data: Path) -> AnswerSet:
    """Read a set; its questions are split and ordered by ``qa/split.json``.

    Raises:
        ValueError: the split does not name every question of the set exactly once.
    """
    chosen = load_set(name, data)
    split = data / "qa" / "split.json"
    ids: dict[str, list[str]] = json.loads(split.read_text(encoding="utf-8"))[name]
    cases = {case.case_id: case for case in chosen.cases}
    named = [case_id for part in _PARTS for case_id in ids[part]]
    if sorted(named) != sorted(cases):
        raise ValueError(f"{split} must name each of the {len(cases)} questions of {name} once; it names {len(named)}.")
    titles = _titles(data) if name == "BioASQ" else {}
    documents = [_with_title(document, titles.get(document.id_, "")) for document in chosen.documents]
    final, calibration, training = ([cases[case_id] for case_id in ids[part]] for part in _PARTS)
    return AnswerSet(name, documents, final, calibration, training, [*chosen.files, split])


def open_answer_index(chosen: AnswerSet, embedder: E5Embedding, folder: Path) -> PubMedIndex:
    """Return the index of a set, built once and kept."""
    parser = TokenNodeParser(tokenizer=embedder.model_name, chunk_size=128, chunk_overlap=64)
    index = PubMedIndex.open(str(folder / chosen.name), embed_model=embedder, node_parser=parser, create=True)
    index.ingest(chosen.documents)
    return index


class WholePapers(BaseRetriever):
    """Retrieves whole papers of a set by BM25, without an index.

    For measurements that need no embedder.

    Args:
        chosen: the set.
        top_k: papers to retrieve.
    """

    def __init__(self, chosen: AnswerSet, top_k: int) -> None:
        super().__init__()
        self._papers = {document.id_: document for document in chosen.documents}
        self._top_k = top_k
        self._lengths: dict[str, int] = {}
        self._postings: dict[str, dict[str, int]] = {}
        for name, document in self._papers.items():
            counts = Counter(lexical_terms(document.text))
            self._lengths[name] = sum(counts.values())
            for term, count in counts.items():
                self._postings.setdefault(term, {})[name] = count

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        papers, scores = len(self._papers), Counter[str]()
        mean_length = sum(self._lengths.values()) / papers
        for term in set(lexical_terms(query_bundle.query_str)):
            found = self._postings.get(term, {})
            weight = math.log(1 + (papers - len(found) + 0.5) / (len(found) + 0.5))
            for name, count in found.items():
                length = _K1 * (1 - _B + _B * self._lengths[name] / mean_length)
                scores[name] += weight * count * (_K1 + 1) / (count + length)
        return [_whole(self._papers[name], score) for name, score in scores.most_common(self._top_k)]


def _whole(document: Document, score: float) -> NodeWithScore:
    node = TextNode(text=document.text, metadata=document.metadata, start_char_idx=0)
    node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=document.id_)
    return NodeWithScore(node=node, score=score)


class WithoutPapers(BaseRetriever):
    """Retrieves as if some papers were not in the index.

    That makes the questions that they answer unanswerable.

    Args:
        retriever: what retrieves; it is to bring more than is wanted, so that enough is left.
        papers: ids of the papers that are left out, such as ``PMID:123``.
        top_k: chunks to keep.
    """

    def __init__(self, retriever: BaseRetriever, papers: Iterable[str], top_k: int) -> None:
        super().__init__()
        self._retriever = retriever
        self._papers = frozenset(papers)
        self._top_k = top_k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._retriever.retrieve(query_bundle)
        return [item for item in found if item.node.ref_doc_id not in self._papers][: self._top_k]


def _titles(data: Path) -> dict[str, str]:
    rows = (
        json.loads(line) for line in (data / "qa/bioasq/corpus.jsonl").read_text(encoding="utf-8").split("\n") if line
    )
    return {f"PMID:{row['_id']}": row["title"] for row in rows}


def _with_title(document: Document, title: str) -> Document:
    metadata: dict[str, Any] = {"pmid": document.id_.removeprefix("PMID:"), "title": title}
    return Document(
        id_=document.id_,
        text=document.text,
        metadata=metadata,
        excluded_embed_metadata_keys=list(metadata),
        excluded_llm_metadata_keys=list(metadata),
    )
