"""Evaluation cases: questions and what is known to be right."""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Literal, get_args

from llama_index_medqa._common.jsonl import read_objects
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.document_ids import are_all_pmids, canonical_id

Label = Literal["yes", "no", "maybe"]
Kind = Literal["", "yesno", "factoid", "list", "summary"]
"""Of a question, by BioASQ's types; empty where unknown."""
GoldItems = tuple[tuple[str, ...], ...]
"""Right items, each in all its spellings."""
# Those that a case had when fingerprints were first written.
_FIRST_FIELDS = 7


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
        group: cases of one group depend on one another, such as questions on one abstract; empty if none.
        kind: of the question; a ``factoid`` has one right item, a ``list`` several.
        gold_items: the right names or numbers of a ``factoid`` or ``list`` question; empty if none.
        choices: of a multiple-choice question, letter and text of each; empty if none.
        gold_choice: the letter of the right one; empty where there are no choices.
    """

    case_id: str
    question: str
    gold_documents: tuple[str, ...] = ()
    gold_answers: tuple[str, ...] = ()
    gold_label: Label | None = None
    gold_evidence: tuple[str, ...] = ()
    group: str = ""
    kind: Kind = ""
    gold_items: GoldItems = ()
    choices: tuple[tuple[str, str], ...] = ()
    gold_choice: str = ""

    @property
    def prompt(self) -> str:
        """Return what a system is asked: the question, and its choices."""
        if not self.choices:
            return self.question
        listed = "\n".join(f"{letter}. {text}" for letter, text in self.choices)
        return f"{self.question}\n{listed}\nAnswer with the letter of one choice."

    @property
    def cluster(self) -> str:
        """Return the key that intervals are clustered by.

        It is the group, else the first gold document, else the question.
        """
        return self.group or next(iter(self.gold_documents), self.question)

    @property
    def gold_pmids(self) -> tuple[str, ...]:
        """Return the PMIDs among the gold documents."""
        return tuple(name.removeprefix("PMID:") for name in self.gold_documents if name.startswith("PMID:"))

    @property
    def judgements(self) -> dict[str, float]:
        """Return a relevance of 1 for each gold document.

        Measures of retrieval take them in this form.
        """
        return dict.fromkeys(self.gold_documents, 1.0)


def load_cases(path: str | Path) -> list[EvaluationCase]:
    """Read cases of one's own from JSON lines.

    A line holds ``id``, ``question`` and, where known, ``gold_pmids``, ``gold_documents`` (ids as the system under test
    has them, or names of files, for a corpus that is not PubMed), ``gold_answer`` (a text, or a list of them),
    ``gold_label``, ``gold_evidence`` (a list of texts), ``group``, ``kind`` with ``gold_items`` (a list, each a text or
    a list of spellings), and ``choices`` (texts by letter) with ``gold_choice``. What is null or NaN is not known.

    Raises:
        InputError: the file is missing or broken, or a case is not usable; the message names the line.
    """
    return _checked(path, read_objects(path), _own)


def as_cases(source: str | Path | Iterable[EvaluationCase | Mapping[str, Any]]) -> list[EvaluationCase]:
    """Return cases of a file, of rows, or as they are.

    Args:
        source: a file for :func:`load_cases`, or cases and rows with the fields of its lines.

    Raises:
        InputError: as :func:`load_cases`; the message counts the rows from 1.
    """
    if isinstance(source, str | Path):
        return load_cases(source)
    cases: list[EvaluationCase] = []
    for number, row in enumerate(source, start=1):
        cases += [row] if isinstance(row, EvaluationCase) else _checked("cases", [(f"case {number}", row)], _own)
    repeated = next((one for one, count in Counter(case.case_id for case in cases).items() if count > 1), None)
    if repeated is not None:
        raise InputError(f"Two cases have the id {repeated!r}. Give each its own.")
    if not cases:
        raise InputError("There is no case: give at least one.")
    return cases


def load_pubmedqa(path: str | Path) -> list[EvaluationCase]:
    """Read cases of PubMedQA (Jin et al. 2019).

    Each question is answered by the paper that asks it.

    Raises:
        InputError: as :func:`load_cases`.
    """
    return _checked(
        path,
        read_objects(path),
        lambda row: {
            "case_id": row["pmid"],
            "question": row["question"],
            "pmids": [row["pmid"]],
            "answers": row["long_answer"],
            "label": row["final_decision"],
            "evidence": row.get("contexts"),
        },
    )


def load_bioasq(path: str | Path) -> list[EvaluationCase]:
    """Read cases of BioASQ task B (Krithara et al. 2023).

    They have ideal answers; questions of yes or no have a label, factoid and list questions have items.

    Raises:
        InputError: as :func:`load_cases`.
    """
    return _checked(path, read_objects(path), _bioasq)


def load_mirage(path: str | Path) -> list[EvaluationCase]:
    """Read multiple-choice questions of MIRAGE (Xiong et al. 2024).

    Ids are ``SET/NUMBER``, such as ``mmlu/anatomy-000``.

    Args:
        path: of ``benchmark.json``: by set and number ``question``, ``options`` by letter, and ``answer``.

    Raises:
        InputError: as :func:`load_cases`.
    """
    try:
        sets = json.loads(_read(Path(path)))
        rows = [
            (f"{path}, {name}/{number}", (f"{name}/{number}", row))
            for name in sets
            for number, row in sets[name].items()
        ]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{path} is no benchmark.json of MIRAGE ({error}): give the file that holds sets of questions by number."
        ) from error
    return _checked(
        path,
        ((location, {**row, "id": case_id}) for location, (case_id, row) in rows),
        lambda row: {
            "case_id": row["id"],
            "question": row["question"],
            "choices": row["options"],
            "gold_choice": row["answer"],
        },
    )


def load_scifact(folder: str | Path, split: Literal["train", "dev"]) -> list[EvaluationCase]:
    """Read claims of SciFact (Wadden et al. 2020).

    Their documents are named ``SCIFACT:<number>``.

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
            raise InputError(
                f"{file}, line {number}: no claim, document and relevance: {line!r}. Correct or remove the line."
            )
    return [EvaluationCase(name, claims[name], tuple(found)) for name, found in documents.items()]


def _own(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "case_id": row["id"],
        "question": row["question"],
        "pmids": row.get("gold_pmids"),
        "answers": row.get("gold_answer"),
        "label": row.get("gold_label"),
        "evidence": row.get("gold_evidence"),
        "group": row.get("group"),
        "documents": row.get("gold_documents"),
        "kind": row.get("kind"),
        "items": row.get("gold_items"),
        "choices": row.get("choices"),
        "gold_choice": row.get("gold_choice"),
    }


def _bioasq(row: Mapping[str, Any]) -> dict[str, Any]:
    kind, exact = row["type"], row["exact_answer"]
    fields = {
        "case_id": row["id"],
        "question": row["question"],
        "pmids": row["gold_pmids"],
        "answers": row["ideal_answers"],
        "kind": kind,
    }
    return {**fields, "label": exact} if kind == "yesno" else {**fields, "items": exact if kind != "summary" else None}


def _checked(
    source: object,
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    fields: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> list[EvaluationCase]:
    cases: dict[str, EvaluationCase] = {}
    for location, row in rows:
        try:
            case = _case(fields({key: None if _is_nan(value) else value for key, value in row.items()}))
        except KeyError as error:
            raise InputError(f"{location}: the field {error} is missing. Add it, or remove the case.") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"{location}: {error}") from error
        if case.case_id in cases:
            raise InputError(f"{location}: a second case has the id {case.case_id!r}. Give each its own.")
        cases[case.case_id] = case
    if not cases:
        raise InputError(f"{source} holds no case: give a file of JSON lines.")
    return list(cases.values())


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _case(fields: Mapping[str, Any]) -> EvaluationCase:
    case_id, question = fields["case_id"], fields["question"]
    label, kind, answers, evidence = (fields.get(name) for name in ("label", "kind", "answers", "evidence"))
    if case_id is None or not str(case_id).strip():
        raise ValueError("the case has no id: give each its own.")
    if not (isinstance(question, str) and question.strip()):
        raise ValueError(f"the question of {case_id!r} is empty.")
    if label is not None and label not in get_args(Label):
        raise ValueError(f"the label of {case_id!r} is {label!r}: it must be one of {', '.join(get_args(Label))}.")
    if (kind or "") not in get_args(Kind):
        raise ValueError(f"the kind of {case_id!r} is {kind!r}: it must be one of {', '.join(get_args(Kind)[1:])}.")
    texts = [answers] if isinstance(answers, str) else answers or []
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"the answers of {case_id!r} must be texts, got {answers!r}.")
    if not (evidence is None or (isinstance(evidence, list) and all(isinstance(text, str) for text in evidence))):
        raise ValueError(f"the evidence of {case_id!r} must be a list of texts, got {evidence!r}.")
    return EvaluationCase(
        str(case_id),
        question,
        _documents(case_id, fields.get("pmids"), fields.get("documents")),
        tuple(texts),
        label,
        tuple(evidence or ()),
        str(fields.get("group") or ""),
        kind or "",
        _items(case_id, fields.get("items")),
        *_choices(case_id, fields.get("choices"), fields.get("gold_choice")),
    )


def _documents(case_id: Any, pmids: Any, documents: Any) -> tuple[str, ...]:
    if not (pmids is None or (isinstance(pmids, list) and are_all_pmids(map(str, pmids)))):
        raise ValueError(
            f"gold_pmids of {case_id!r} must be a list of PMIDs, got {pmids!r}; other ids go under gold_documents."
        )
    if not (documents is None or (isinstance(documents, list) and all(str(name).strip() for name in documents))):
        raise ValueError(f"gold_documents of {case_id!r} must be a list of ids, got {documents!r}.")
    return tuple(dict.fromkeys([*(canonical_id(str(pmid)) for pmid in pmids or ()), *map(str, documents or ())]))


def _items(case_id: Any, items: Any) -> GoldItems:
    if items is None:
        return ()
    spelled = [[item] if isinstance(item, str) else item for item in ([items] if isinstance(items, str) else items)]
    if not all(isinstance(item, list) and all(isinstance(spelling, str) for spelling in item) for item in spelled):
        raise ValueError(f"the items of {case_id!r} must be texts, or lists of spellings, got {items!r}.")
    # Some items of BioASQ have an empty spelling.
    kept = (tuple(spelling for spelling in item if spelling.strip(" .,;:")) for item in spelled)
    return tuple(filter(None, kept))


def _choices(case_id: Any, choices: Any, gold: Any) -> tuple[tuple[tuple[str, str], ...], str]:
    if choices is None:
        return (), ""
    listed = dict(zip(ascii_uppercase, choices, strict=False)) if isinstance(choices, list) else choices
    if not (isinstance(listed, dict) and all(re.fullmatch("[A-Z]", str(letter)) for letter in listed)):
        raise ValueError(f"choices of {case_id!r} must be texts by letter, such as {{'A': '…'}}, got {choices!r}.")
    if gold not in listed:
        raise ValueError(f"gold_choice of {case_id!r} must be one of {', '.join(listed)}, got {gold!r}.")
    return tuple((letter, str(text)) for letter, text in listed.items()), gold


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}. Give a file that exists and that you may read.") from error


FORMATS = {"own": load_cases, "pubmedqa": load_pubmedqa, "bioasq": load_bioasq, "mirage": load_mirage}
"""Loaders of files of cases, by the name that the command takes."""


def fingerprint(cases: Iterable[EvaluationCase]) -> str:
    """Return 16 hexadecimal digits that identify the cases.

    They change when a case does.
    """
    content = json.dumps([_known_fields(case) for case in cases], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _known_fields(case: EvaluationCase) -> tuple[Any, ...]:
    """Return a case's fields; later ones only where one is known, so that older fingerprints hold."""
    fields = astuple(case)
    return fields if any(fields[_FIRST_FIELDS:]) else fields[:_FIRST_FIELDS]
