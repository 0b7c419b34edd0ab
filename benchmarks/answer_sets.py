"""The questions and papers that answers and abstention are measured on.

- PubMedQA: 500 questions; the paper of each is its abstract less its conclusion, without the title, which is the
  question.
- BioASQ: 983 questions; 6,851 papers as the snippets that its experts marked, with their titles where known.

150 questions of each are drawn for the final measurement of answers. The others are for choosing: what is chosen on
them was not seen by the measurement.
"""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index.core import Document
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from benchmarks.retrieval_sets import load_set
from llama_index_medqa import E5Embedding, PubMedIndex, TokenNodeParser
from llama_index_medqa.evaluation.cases import EvaluationCase

NAMES = ("PubMedQA", "BioASQ")
FINAL_QUESTIONS = 150
_SEED = 6


@dataclass(frozen=True)
class AnswerSet:
    """Papers and questions.

    Attributes:
        name: one of :data:`NAMES`.
        documents: what is indexed.
        final: the questions of the measurement of answers.
        others: the questions that choices are made on.
        files: what all were read from.
    """

    name: str
    documents: list[Document]
    final: list[EvaluationCase]
    others: list[EvaluationCase]
    files: list[Path]


def load_answer_set(name: str, data: Path) -> AnswerSet:
    """Reads one of the sets; the final questions are the same in every run, in a random order."""
    chosen = load_set(name, data)
    cases = sorted(chosen.cases, key=lambda case: case.case_id)
    random.Random(_SEED).shuffle(cases)
    titles = _titles(data) if name == "BioASQ" else {}
    documents = [_with_title(document, titles.get(document.id_, "")) for document in chosen.documents]
    return AnswerSet(name, documents, cases[:FINAL_QUESTIONS], cases[FINAL_QUESTIONS:], chosen.files)


def open_answer_index(chosen: AnswerSet, embedder: E5Embedding, folder: Path) -> PubMedIndex:
    """The index of a set, built once and kept."""
    parser = TokenNodeParser(tokenizer=embedder.model_name, chunk_size=128, chunk_overlap=64)
    index = PubMedIndex.open(str(folder / chosen.name), embed_model=embedder, node_parser=parser, create=True)
    index.ingest(chosen.documents)
    return index


class WithoutPapers(BaseRetriever):
    """Retrieves as if some papers were not in the index, which makes the questions that they answer unanswerable.

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
