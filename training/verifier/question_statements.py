"""Pairs from yes/no questions that experts answered.

What a paper found, and the statement that is asked.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llama_index_medqa.answering.questions.statement import question_statement
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.windows import windows_of
from training.verifier.pairs import TrainingPair
from training.verifier.rows import read_rows

_LABELS = {"yes": "entailment", "no": "contradiction", "maybe": "neutral"}
# Windows of each paper, and papers of each question.
_MOST_WINDOWS = 2
_MOST_PAPERS = 3
_RESULTS = frozenset({"RESULTS", "CONCLUSIONS", "CONCLUSION", "FINDINGS", "MAIN RESULTS"})


def statement_pairs(questions: Path) -> list[TrainingPair]:
    """Return pairs of yes/no ``training`` questions.

    Of PubMedQA and BioASQ.

    The hypothesis is the statement that "yes" asserts. The premise is what the verifier would read of the paper beside
    it: of PubMedQA the results, and the authors' conclusion; of BioASQ the experts' snippets.

    Args:
        questions: the folder with ``split.json``, ``pubmedqa_dev.jsonl`` and ``bioasq``.
    """
    split = json.loads((questions / "split.json").read_text(encoding="utf-8"))
    return [
        *_pubmedqa(questions / "pubmedqa_dev.jsonl", {str(id_) for id_ in split["PubMedQA"]["training"]}),
        *_bioasq(questions / "bioasq", {str(id_) for id_ in split["BioASQ"]["training"]}),
    ]


def _pubmedqa(file: Path, ids: set[str]) -> Iterator[TrainingPair]:
    for row in read_rows(file):
        statement = question_statement(row["question"])
        if statement is None or str(row["pmid"]) not in ids:
            continue
        parts = zip(row["labels"], row["contexts"], strict=True)
        results = " ".join(text for label, text in parts if label.upper() in _RESULTS)
        for text in (results, row["long_answer"]):
            yield from _pairs(statement, text, row["final_decision"], "PubMedQA", str(row["pmid"]))


def _bioasq(folder: Path, ids: set[str]) -> Iterator[TrainingPair]:
    snippets = {str(row["_id"]): row["text"] for row in read_rows(folder / "corpus.jsonl")}
    for row in read_rows(folder / "questions.jsonl"):
        statement = question_statement(row["question"]) if row["type"] == "yesno" else None
        if statement is None or str(row["id"]) not in ids:
            continue
        held = [pmid for pmid in map(str, row["gold_pmids"]) if pmid in snippets]
        for pmid in held[:_MOST_PAPERS]:
            yield from _pairs(statement, snippets[pmid], _label(row), "BioASQ", pmid)


def _label(row: Mapping[str, Any]) -> str:
    return str(row["exact_answer"]).strip().lower()


def _pairs(statement: str, text: str, answer: str, source: str, pmid: str) -> Iterator[TrainingPair]:
    for window in windows_of(statement, _passage(pmid, text))[:_MOST_WINDOWS]:
        yield TrainingPair(window.text, statement, _LABELS[answer], f"questions {source}", pmid)


def _passage(pmid: str, text: str) -> Passage:
    sentences = [
        EvidenceSentence(text[start:end], start, end, complete=True, in_title=False)
        for start, end in split_sentences(text)
    ]
    return Passage(f"PMID:{pmid}", "", text, 0, tuple(sentences))
