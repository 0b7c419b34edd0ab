"""Asks every cell of the experiment its questions, each of them once."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llama_index.core.llms import LLM
from llama_index.core.prompts import PromptTemplate

from benchmarks.common.answer_sets import AnswerSet, open_answer_index
from benchmarks.experiment.design import CLOSED, KINDS, Cell, Kind, Setup, Task, questions_of
from llama_index_medqa import MedQAQueryEngine, PubMedIndex, VllmLora
from llama_index_medqa.components import DraftingModel, open_embedder
from llama_index_medqa.errors import InputError, WeightsError
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.runs.journal import AnswerJournal, answer_key, read_answers
from llama_index_medqa.evaluation.runs.runner import Progress, collect
from llama_index_medqa.evaluation.runs.systems import QueryEngineSystem, System
from llama_index_medqa.evaluation.runs.token_usage import counted_tokens
from llama_index_medqa.llms.openai_responses import is_cut_off
from llama_index_medqa.prompts import CHAT, template_hash
from llama_index_medqa.text.sentences import split_sentences

# Of an answer, in seconds: a server works on many at once.
TIMEOUT = 1800.0
ALL = 1_000_000
"""A limit above the number of questions of any set."""
CellProgress = Callable[[Cell, Progress], None]
Models = Callable[[Kind], AbstractContextManager[Callable[[Cell], DraftingModel]]]


@dataclass(frozen=True)
class ClosedBook:
    """A model asked without evidence.

    Attributes:
        llm: the model.
        prompt: with ``{query_str}``.
        identity: see :class:`System`.
    """

    llm: LLM
    prompt: PromptTemplate
    identity: Mapping[str, Any]

    async def answer(self, case: EvaluationCase) -> Answer:
        """Return the model's answer without a sentence cut off at its end.

        As the query engine does.
        """
        start = time.perf_counter()
        with counted_tokens() as usage:
            response = await self.llm.acomplete(self.prompt.format(query_str=case.question))
        text = _whole_sentences(response.text) if is_cut_off(response) else response.text.strip()
        return Answer(
            text,
            abstained=None if text else "nothing said",
            prompt_tokens=usage.prompt_tokens,
            answer_tokens=usage.answer_tokens,
            seconds=round(time.perf_counter() - start, 3),
        )


def _whole_sentences(text: str) -> str:
    spans = split_sentences(text)
    return text[: spans[-2][1]].strip() if len(spans) > 1 else ""


def identity_of(cell: Cell, setup: Setup, papers: Sequence[Path]) -> dict[str, Any]:
    """Return what decides the answers of a cell, beside the code.

    They are kept under it.

    Args:
        cell: the cell.
        setup: with what it is asked.
        papers: the files of the set of questions.
    """
    subject, task = cell.subject, cell.task
    served = subject.kind == "served"
    identity: dict[str, Any] = {
        "subject": subject.name,
        "model": setup.base if served else subject.name,
        "adapter": file_hash(subject.adapter / "adapter_model.safetensors") if subject.adapter else None,
        "prompt": template_hash(task.prompt(cell.condition), setup.prompt_format if served else CHAT),
        "max_tokens": task.max_tokens,
        "choices": list(task.choices),
    }
    if cell.condition != CLOSED:
        profile = setup.profile
        identity["embedder"] = profile.embedder
        identity["retrieval"] = [profile.retrieval, profile.similarity_top_k, profile.evidence_tokens]
        identity["papers"] = [file_hash(file) for file in papers]
    return identity


@lru_cache
def file_hash(path: Path) -> str:
    """16 hexadecimal digits of a file's SHA-256."""
    if not path.is_file():
        raise WeightsError(f"{path} is missing: python -m benchmarks.experiment --plan tells what makes it.")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


class Asking:
    """The experiment while it is run.

    Args:
        setup: with what.
        sets: the questions and papers.
        work: folder that keeps indexes, answers and proofs.
        limit: most questions of each set.
        models: what drafts the answers of one kind of subject, as long as its ``with`` block runs.
    """

    def __init__(self, setup: Setup, sets: Mapping[str, AnswerSet], work: Path, limit: int, models: Models) -> None:
        self._setup = setup
        self._sets = sets
        self._work = work
        self._limit = limit
        self._models = models
        self._indexes: dict[str, PubMedIndex] = {}

    def cases(self, task: Task, set_name: str) -> list[EvaluationCase]:
        """Return the questions of a set, the same for all cells of a task."""
        return questions_of(self._sets[set_name], min(task.questions[set_name], self._limit))

    def replies(self, cell: Cell) -> list[tuple[EvaluationCase, Answer | None]]:
        """Return the cases of a cell with the answers so far."""
        file = self._file(cell, "jsonl")
        known = {row.key: row.answer for row in read_answers(file)} if file.exists() else {}
        return [
            (case, known.get(answer_key(self._identity(cell, name), case.question)))
            for name in cell.task.questions
            for case in self.cases(cell.task, name)
        ]

    def left(self, cell: Cell) -> int:
        """Return the number of unanswered questions of a cell."""
        return sum(answer is None for _, answer in self.replies(cell))

    def proof(self, cell: Cell) -> dict[str, Any] | None:
        """Return how the adapter of a cell was proved.

        None where the cell has none, or was not asked.
        """
        file = self._file(cell, "proof.json")
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def ask(self, cells: Sequence[Cell], progress: CellProgress) -> list[str]:
        """Ask all that is not answered yet.

        Args:
            cells: those to ask.
            progress: called after every answer.

        Returns:
            What failed, a line each; the next run asks it again.

        Raises:
            AdapterNotActive: another adapter answers than the one of a cell: nothing of it was asked.
        """
        failures = []
        (self._work / "answers").mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            waiting = [cell for cell in cells if cell.subject.kind == kind and self.left(cell)]
            if waiting:
                with self._models(kind) as drafter_of:
                    for cell in waiting:
                        failures += self._ask_cell(cell, drafter_of(cell), progress)
        return failures

    def _ask_cell(self, cell: Cell, drafter: DraftingModel, progress: CellProgress) -> list[str]:
        if isinstance(drafter, VllmLora) and drafter.adapter:
            proof = {"adapter": drafter.adapter, **asdict(drafter.verify())}
            self._file(cell, "proof.json").write_text(json.dumps(proof, indent=1) + "\n", encoding="utf-8")
        failures = []
        with AnswerJournal.open(self._file(cell, "jsonl")) as journal:
            for name in cell.task.questions:
                run = collect(
                    self.cases(cell.task, name),
                    self._system(cell, drafter, name),
                    journal,
                    concurrency=self._setup.concurrency if cell.subject.kind == "served" else 1,
                    timeout=TIMEOUT,
                    progress=lambda reached: progress(cell, reached),
                )
                failures += [f"{cell.name}: {reply.failure}" for reply in asyncio.run(run) if reply.failure]
        return failures

    def _system(self, cell: Cell, drafter: DraftingModel, set_name: str) -> System:
        identity = self._identity(cell, set_name)
        prompt = cell.task.prompt(cell.condition)
        if cell.condition == CLOSED:
            if isinstance(drafter, str):
                raise InputError("Quotes need evidence: there is no such cell.")
            return ClosedBook(drafter, prompt, identity)
        profile = self._setup.profile
        engine = MedQAQueryEngine.from_index(
            self._index(set_name),
            drafter,
            similarity_top_k=profile.similarity_top_k,
            retrieval=profile.retrieval,
            evidence_tokens=profile.evidence_tokens,
            prompt=prompt,
            # What the model says is measured, not what the engine would let through.
            policy="report",
        )
        return QueryEngineSystem(engine, identity)

    def _identity(self, cell: Cell, set_name: str) -> dict[str, Any]:
        return identity_of(cell, self._setup, self._sets[set_name].files)

    def _index(self, name: str) -> PubMedIndex:
        if name not in self._indexes:
            embedder = open_embedder(self._setup.profile)
            self._indexes[name] = open_answer_index(self._sets[name], embedder, self._work / "indexes")
        return self._indexes[name]

    def _file(self, cell: Cell, ending: str) -> Path:
        return self._work / "answers" / f"{cell.file_name}.{ending}"
