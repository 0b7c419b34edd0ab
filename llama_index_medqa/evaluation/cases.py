"""Evaluation cases: questions with what is known to be right, loaded from files and checked."""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from llama_index_medqa._common.jsonl import read_objects
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.document_ids import are_all_pmids, canonical_id

Label = Literal["yes", "no", "maybe"]


@dataclass(frozen=True)
class EvaluationCase:
    """A question and what is known to be right.

    Attributes:
        case_id: unique in its set.
        question: a question, or a claim to be checked.
        gold_documents: ids of the documents that hold the answer, such as ``PMID:123`` or those of a corpus of one's
            own; may be empty.
        gold_answers: answers written by people, any of which is right; may be empty.
        gold_label: the answer in one word, where the question has one.
        gold_evidence: texts that hold the answer; may be empty.
        group: cases of one group stand or fall together, such as questions on one abstract; empty where none is told.
    """

    case_id: str
    question: str
    gold_documents: tuple[str, ...] = ()
    gold_answers: tuple[str, ...] = ()
    gold_label: Label | None = None
    gold_evidence: tuple[str, ...] = ()
    group: str = ""

    @property
    def cluster(self) -> str:
        """What intervals are clustered by: the group, or else the first gold document, or else the question."""
        return self.group or next(iter(self.gold_documents), self.question)

    @property
    def gold_pmids(self) -> tuple[str, ...]:
        """The PMIDs among the documents."""
        return tuple(name.removeprefix("PMID:") for name in self.gold_documents if name.startswith("PMID:"))

    @property
    def judgements(self) -> dict[str, float]:
        """The documents with a relevance of 1 each, as measures of retrieval take them."""
        return dict.fromkeys(self.gold_documents, 1.0)


def load_cases(path: str | Path) -> list[EvaluationCase]:
    """Cases of one's own, as JSON lines.

    A line holds ``id``, ``question`` and, where known, ``gold_pmids``, ``gold_documents`` (ids as the system under test
    has them, for a corpus that is not PubMed), ``gold_answer`` (a text, or a list of them), ``gold_label``,
    ``gold_evidence`` (a list of texts) and ``group``. What is null or NaN is not known.

    Raises:
        InputError: the file is missing or broken, or a case is not usable; the message names the line.
    """
    return _checked(
        path,
        lambda row: (
            row["id"],
            row["question"],
            row.get("gold_pmids"),
            row.get("gold_answer"),
            row.get("gold_label"),
            row.get("gold_evidence"),
            row.get("group"),
            row.get("gold_documents"),
        ),
    )


def load_pubmedqa(path: str | Path) -> list[EvaluationCase]:
    """Cases of PubMedQA (Jin et al. 2019): the question that a paper asks, answered by that paper.

    Raises:
        InputError: as :func:`load_cases`.
    """
    return _checked(
        path,
        lambda row: (
            row["pmid"],
            row["question"],
            [row["pmid"]],
            row["long_answer"],
            row["final_decision"],
            row.get("contexts"),
        ),
    )


def load_bioasq(path: str | Path) -> list[EvaluationCase]:
    """Cases of BioASQ task B (Krithara et al. 2023), with ideal answers, and a label for questions of yes or no.

    Raises:
        InputError: as :func:`load_cases`.
    """
    return _checked(
        path,
        lambda row: (
            row["id"],
            row["question"],
            row["gold_pmids"],
            row["ideal_answers"],
            row["exact_answer"] if row["type"] == "yesno" else None,
        ),
    )


def load_scifact(folder: str | Path, split: Literal["train", "dev"]) -> list[EvaluationCase]:
    """Claims of SciFact (Wadden et al. 2020) with the documents that speak of them, as ``SCIFACT:<number>``.

    Args:
        folder: holds ``queries.jsonl`` and ``qrels_<split>.tsv``.
        split: which claims.

    Raises:
        InputError: as :func:`load_cases`.
    """
    claims = {str(row["_id"]): str(row["text"]) for _, row in read_objects(Path(folder) / "queries.jsonl")}
    file = Path(folder) / f"qrels_{split}.tsv"
    documents: dict[str, list[str]] = {}
    for number, line in enumerate(_read(file).split("\n")[1:], start=2):
        fields = line.split("\t")
        if len(fields) == 3 and fields[0] in claims:
            if float(fields[2]) > 0:
                documents.setdefault(fields[0], []).append(f"SCIFACT:{fields[1]}")
        elif line.strip():
            raise InputError(f"{file}, line {number}: no claim, document and relevance: {line!r}.")
    return [EvaluationCase(name, claims[name], tuple(found)) for name, found in documents.items()]


def _checked(path: str | Path, fields: Any) -> list[EvaluationCase]:
    cases: dict[str, EvaluationCase] = {}
    for number, row in read_objects(Path(path)):
        try:
            case = _case(*fields({key: None if _is_nan(value) else value for key, value in row.items()}))
        except KeyError as error:
            raise InputError(f"{path}, line {number}: the field {error} is missing.") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        if case.case_id in cases:
            raise InputError(f"{path}, line {number}: a second case has the id {case.case_id!r}. Give each its own.")
        cases[case.case_id] = case
    if not cases:
        raise InputError(f"{path} holds no case: give a file of JSON lines.")
    return list(cases.values())


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _case(
    case_id: Any,
    question: Any,
    pmids: Any,
    answers: Any,
    label: Any,
    evidence: Any = None,
    group: Any = None,
    documents: Any = None,
) -> EvaluationCase:
    if case_id is None or not str(case_id).strip():
        raise ValueError("the case has no id: give each its own.")
    if not (isinstance(question, str) and question.strip()):
        raise ValueError(f"the question of {case_id!r} is empty.")
    if not (pmids is None or (isinstance(pmids, list) and are_all_pmids(map(str, pmids)))):
        raise ValueError(
            f"gold_pmids of {case_id!r} must be a list of PMIDs, got {pmids!r}; other ids go under gold_documents."
        )
    if not (documents is None or (isinstance(documents, list) and all(str(name).strip() for name in documents))):
        raise ValueError(f"gold_documents of {case_id!r} must be a list of ids, got {documents!r}.")
    if label is not None and label not in get_args(Label):
        raise ValueError(f"the label of {case_id!r} is {label!r}: it must be one of {', '.join(get_args(Label))}.")
    texts = [answers] if isinstance(answers, str) else answers or []
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the answers of {case_id!r} must be texts, got {answers!r}.")
    if not (evidence is None or (isinstance(evidence, list) and all(isinstance(text, str) for text in evidence))):
        raise ValueError(f"the evidence of {case_id!r} must be a list of texts, got {evidence!r}.")
    gold = dict.fromkeys([*(canonical_id(str(pmid)) for pmid in pmids or ()), *map(str, documents or ())])
    return EvaluationCase(
        str(case_id), question, tuple(gold), tuple(texts), label, tuple(evidence or ()), str(group or "")
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


FORMATS = {"own": load_cases, "pubmedqa": load_pubmedqa, "bioasq": load_bioasq}
"""Loaders of files of cases, by the name that the command takes."""


def fingerprint(cases: Iterable[EvaluationCase]) -> str:
    """16 hexadecimal digits that change when a case does."""
    content = json.dumps([astuple(case) for case in cases], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
