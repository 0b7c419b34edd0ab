"""The retrieval sets of the shared data: documents, and questions with relevant documents.

- SciFact: 5,183 abstracts with titles; claims of the dev split (300) are measured, those of the train split tuned on.
- BioASQ: 6,851 papers as the snippets that its experts marked; 983 questions. The papers that answer a
  question are those with a snippet marked for it.
- PubMedQA without titles: the abstracts of 500 papers less their conclusions; each paper's title is the question.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llama_index.core import Document

from llama_index_medqa.evaluation.cases import EvaluationCase, load_bioasq, load_pubmedqa, load_scifact

NAMES = ("SciFact", "BioASQ", "PubMedQA")


@dataclass(frozen=True)
class RetrievalSet:
    """Documents and questions.

    Attributes:
        name: such as ``SciFact``.
        documents: what is indexed.
        cases: what is asked.
        files: what both were read from.
    """

    name: str
    documents: list[Document]
    cases: list[EvaluationCase]
    files: list[Path]


def load_set(name: str, data: Path, *, train: bool = False) -> RetrievalSet:
    """Read one of the sets.

    Args:
        name: one of :data:`NAMES`.
        data: the shared data.
        train: of SciFact the claims of the train split.
    """
    if name == "SciFact":
        folder = data / "retrieval" / "scifact"
        split: Literal["train", "dev"] = "train" if train else "dev"
        corpus = folder / "corpus.jsonl"
        documents = [_document(f"SCIFACT:{row['_id']}", row["title"], row["text"]) for row in _rows(corpus)]
        files = [corpus, folder / "queries.jsonl", folder / f"qrels_{split}.tsv"]
        return RetrievalSet(name, documents, load_scifact(folder, split), files)
    if name == "BioASQ":
        folder = data / "qa" / "bioasq"
        corpus, questions = folder / "corpus.jsonl", folder / "questions.jsonl"
        documents = [_document(f"PMID:{row['_id']}", row["title"], row["text"]) for row in _rows(corpus)]
        judgements = folder / "qrels.tsv"
        cases = _with_judgements(load_bioasq(questions), judgements)
        return RetrievalSet(name, documents, cases, [corpus, questions, judgements])
    file = data / "qa" / "pubmedqa_dev.jsonl"
    documents = [_document(f"PMID:{row['pmid']}", "", "\n".join(row["contexts"])) for row in _rows(file)]
    return RetrievalSet(name, documents, load_pubmedqa(file), [file])


def _with_judgements(cases: list[EvaluationCase], file: Path) -> list[EvaluationCase]:
    """Return the cases with a file's judgements on documents of the corpus."""
    documents: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").split("\n")[1:]:
        if line:
            question, pmid, _ = line.split("\t")
            documents.setdefault(question, []).append(f"PMID:{pmid}")
    return [replace(case, gold_documents=tuple(documents[case.case_id])) for case in cases if case.case_id in documents]


def _document(document_id: str, title: str, text: str) -> Document:
    return Document(id_=document_id, text="\n".join(part for part in (title, text) if part))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
