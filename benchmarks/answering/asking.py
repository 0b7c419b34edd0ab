"""Asks questions through the profile's engine, and keeps each answer at once."""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.llms.openai_like import OpenAILike

from benchmarks.common.answer_sets import AnswerSet, WithoutPapers, open_answer_index
from benchmarks.common.cached_llm import KeptDrafts
from benchmarks.common.provenance import ROOT
from llama_index_medqa import MedQAQueryEngine, PubMedIndex, PubMedRetriever
from llama_index_medqa._common.jsonl import LineFile, read_rows
from llama_index_medqa.answering.drafting import EXTRACTIVE
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.components import DraftingModel, open_drafter, open_embedder, open_engine, start_answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.profiles import EMBEDDED, Profile

Split = Literal["calibration", "final"]
DrafterName = Literal["model", "extractive"]
Row = dict[str, Any]

# Chunks to retrieve before the papers that hold the answer are taken out: enough for any of these questions.
_DEEP = 60


class Question(NamedTuple):
    """A question to ask.

    Attributes:
        chosen: the set that it is of.
        case: the question.
        gold_removed: whether it is asked as if the papers that hold its answer were not in the index.
    """

    chosen: AnswerSet
    case: EvaluationCase
    gold_removed: bool

    @property
    def key(self) -> tuple[str, str, bool]:
        """Return what tells the question from all others."""
        return self.chosen.name, self.case.case_id, self.gold_removed


def questions_of(sets: Sequence[AnswerSet], split: Split, limit: int) -> list[Question]:
    """Return the questions to ask.

    So ordered that what is there after an interruption is balanced.

    Args:
        sets: of questions.
        split: the part of each set.
        limit: most questions of a set.
    """
    parts = {chosen.name: getattr(chosen, split)[:limit] for chosen in sets}
    return [
        Question(chosen, parts[chosen.name][number], gold_removed)
        for number in range(max(map(len, parts.values()), default=0))
        for chosen in sets
        if number < len(parts[chosen.name])
        for gold_removed in (False, True)
    ]


def answers_file(work: Path, split: Split, drafter: DrafterName) -> Path:
    """Return the file in which the answers of a run are kept."""
    return work / f"answers_{split}_{drafter}.jsonl"


def kept_answers(file: Path, code: str | None = None) -> list[Row]:
    """Return the answers in a file that some code gave.

    None takes the code of the last of them.

    Args:
        file: of :func:`answers_file`; one that is not there holds none.
        code: of :func:`code_hash`.
    """
    rows = [row for _, row in read_rows(file)] if file.exists() else []
    wanted = code or (rows[-1]["code"] if rows else None)
    return [row for row in rows if row["code"] == wanted]


def code_hash() -> str:
    """Return a hash of all that decides an answer beside the question.

    The package's files, its models included.
    """
    # This module decides what is recorded.
    found = hashlib.sha256(Path(__file__).read_bytes())
    package = ROOT / "llama_index_medqa"
    for path in sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        found.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return found.hexdigest()[:16]


class Answering:
    """Asks the questions of one set.

    Args:
        engine: of the set's index.
        index: of its papers.
        profile: how much is retrieved.
        drafts: the model whose drafts are kept; None where no model writes.
    """

    def __init__(
        self, engine: MedQAQueryEngine, index: PubMedIndex, profile: Profile, drafts: KeptDrafts | None
    ) -> None:
        self._engine = engine
        self._profile = profile
        self._drafts = drafts
        self._deep = PubMedRetriever(index, mode=profile.retrieval, similarity_top_k=_DEEP)

    def row(self, question: Question) -> Row:
        """Ask a question, and return all that the measures need."""
        engine, case = self._engine, question.case
        if question.gold_removed:
            rest = WithoutPapers(self._deep, case.gold_documents, self._profile.similarity_top_k)
            engine = with_retriever(engine, rest)
        answered = ask(engine, case.question, self._drafts)
        return {
            "set": question.chosen.name,
            "case": case.case_id,
            "gold_removed": question.gold_removed,
            "question": case.question,
            "gold": list(case.gold_documents),
            **answered,
        }


def ask(engine: MedQAQueryEngine, question: str, drafts: KeptDrafts | None) -> Row:
    """Ask a streaming engine a question, and return the outcome as plain data.

    The seconds of the model are those of the day when it wrote the draft. Until a sentence is shown they are those up
    to the piece that ended it: a server that writes on while sentences are verified is no slower than that.

    Args:
        engine: made with ``streaming=True``.
        question: what is asked.
        drafts: see :class:`Answering`.
    """
    stream = start_answer(engine, question)
    check: Any = stream._draft
    first_sentence: float | None = None
    for _ in stream.response_gen:
        if first_sentence is None and stream.outcome == "answer":
            first_sentence = round(sum(_seconds(check.timer.seconds, drafts).values()), 3)
    response = check.response()
    assert isinstance(response, MedQAResponse)
    nodes = [item.node for item in response.source_nodes]
    # As a row is when it is read again.
    data = json.loads(json.dumps(response.metadata))
    data["seconds"] = _seconds(data["seconds"], drafts)
    return {
        "retrieved": list(dict.fromkeys(str(node.ref_doc_id) for node in nodes)),
        "chunks": [{"document_id": str(node.ref_doc_id), "text": node.get_content()} for node in nodes],
        "shown": [
            {"document_id": part.document_id, "text": " ".join(sentence.text for sentence in part.sentences)}
            for part in check.evidence.shown
        ],
        "cited": list(dict.fromkeys(citation.document_id for citation in response.citations)),
        "first_sentence_seconds": first_sentence if data["outcome"] == "answer" else None,
        "response": data,
    }


def _seconds(seconds: dict[str, float], drafts: KeptDrafts | None) -> dict[str, float]:
    return {**seconds, "generate": drafts.seconds} if drafts and "generate" in seconds else seconds


def with_retriever(engine: MedQAQueryEngine, retriever: BaseRetriever) -> MedQAQueryEngine:
    """Return an engine like another, over another retriever."""
    changed = copy(engine)
    changed._retriever = retriever
    return changed


def ask_all(
    sets: Sequence[AnswerSet], questions: Sequence[Question], work: Path, split: Split, drafter: DrafterName
) -> list[Row]:
    """Ask what this code has not answered yet; return a row for each question.

    In the order of the questions.

    Args:
        sets: of the questions.
        questions: see :func:`questions_of`.
        work: keeps indexes, drafts and answers.
        split: of which the questions are.
        drafter: the profile's model, or quotes alone.
    """
    file, code = answers_file(work, split, drafter), code_hash()
    rows = {_key(row): row for row in kept_answers(file, code)}
    todo = [question for question in questions if question.key not in rows]
    if todo:
        with LineFile.open(file) as lines:
            for number, (question, row) in enumerate(_answers(sets, todo, work, drafter), start=1):
                rows[question.key] = {"code": code, **row}
                lines.add(rows[question.key])
                print(f"{number} of {len(todo)}: {as_line(row)}", file=sys.stderr, flush=True)
    return [rows[question.key] for question in questions]


def _answers(
    sets: Sequence[AnswerSet], questions: Sequence[Question], work: Path, drafter: DrafterName
) -> Iterator[tuple[Question, Row]]:
    embedder = open_embedder(EMBEDDED)
    with open_model(work, drafter) as (profile, model, drafts):
        asking: dict[str, Answering] = {}
        for chosen in sets:
            index = open_answer_index(chosen, embedder, work / "indexes")
            asking[chosen.name] = Answering(open_engine(profile, index, model), index, profile, drafts)
        for question in questions:
            yield question, asking[question.chosen.name].row(question)


@contextmanager
def open_model(work: Path, drafter: DrafterName) -> Iterator[tuple[Profile, DraftingModel, KeptDrafts | None]]:
    """Yield the profile, its drafter, and the model's kept drafts.

    For the length of the ``with`` block.

    Args:
        work: keeps the drafts.
        drafter: the profile's model, or quotes alone.
    """
    profile = replace(EMBEDDED, llm=EXTRACTIVE) if drafter == EXTRACTIVE else EMBEDDED
    with open_drafter(profile) as model:
        drafts = KeptDrafts(model, work / "drafts.jsonl") if isinstance(model, OpenAILike) else None
        yield profile, drafts or model, drafts


def as_line(row: Row) -> str:
    """Return a question's outcome in a line for people."""
    response = row["response"]
    removed = "without" if row["gold_removed"] else "with"
    outcome = f"{len(response['sentences'])} sentences" if response["outcome"] == "answer" else response["abstained"]
    return f"{row['set']} {row['case']} {removed} its papers: {outcome}, {sum(response['seconds'].values()):.1f} s"


def _key(row: Row) -> tuple[str, str, bool]:
    return row["set"], row["case"], row["gold_removed"]
