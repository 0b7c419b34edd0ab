"""The engine's drafts with their retrieved texts and verdicts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from benchmarks.common.answer_sets import AnswerSet
from benchmarks.common.cached_llm import KeptDrafts
from llama_index_medqa import MedQAQueryEngine, PubMedIndex, PubMedRetriever
from llama_index_medqa._common.timer import StageTimer
from llama_index_medqa.answering.context import AnswerContext
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.verification.citation_marks import sentences_with_marks
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.verification.verdicts import AnswerSentence
from llama_index_medqa.verification.verifier import Verifier

SPLITS = ("calibration", "final")
# What became of sentences that the engine leaves out without asking the verifier.
NEVER_VERIFIED = ("declined", "cut_off")


class _RecordingVerifier:
    """Records the verdicts of the current answer."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.verdicts: list[tuple[str, AnswerSentence]] = []

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return the verifier's identity."""
        return self._verifier.identity

    def verify(self, sentences: Sequence[str], passages: Sequence[Passage], question: str = "") -> list[AnswerSentence]:
        """Verify, and record the verdicts."""
        found = self._verifier.verify(sentences, passages, question)
        self.verdicts.extend(zip(sentences, found, strict=True))
        return found


class _RecordingEngine(MedQAQueryEngine):
    """Records the evidence of the last question."""

    evidence: AnswerContext

    def _draft_verifier(self, query_bundle: QueryBundle, evidence: AnswerContext, timer: StageTimer) -> Any:
        self.evidence = evidence
        return super()._draft_verifier(query_bundle, evidence, timer)


class DraftedAnswers:
    """Asks the embedded profile's engine, and keeps all that it made.

    As ``benchmarks.answering.answer_quality`` does.

    Args:
        chosen: the set that questions are taken from.
        index: of its papers.
        drafter: writes the answers.
        verifier: decides which of their sentences are said.
    """

    def __init__(self, chosen: AnswerSet, index: PubMedIndex, drafter: KeptDrafts, verifier: Verifier) -> None:
        self._chosen = chosen
        self._drafter = drafter
        self._verifier = _RecordingVerifier(verifier)
        self._engine = _RecordingEngine(
            PubMedRetriever(index, similarity_top_k=EMBEDDED.similarity_top_k),
            drafter,
            embed_model=index._embed_model,
            verifier=self._verifier,
            evidence_tokens=EMBEDDED.evidence_tokens,
        )

    def row(self, case: EvaluationCase, split: str) -> dict[str, Any]:
        """Ask one question.

        A question that is refused before the model is asked has no draft.
        """
        self._verifier.verdicts.clear()
        response = self._engine.query(case.question)
        assert isinstance(response, MedQAResponse)
        evidence = self._engine.evidence
        draft = None if evidence.refusal else self._drafter.text
        return {
            "split": split,
            "set": self._chosen.name,
            "case": case.case_id,
            "question": case.question,
            "asked": evidence.question,
            "gold": list(case.gold_documents),
            "passages": list(map(_plain, evidence.passages)),
            "shown": list(map(_plain, evidence.shown)),
            "draft": draft,
            "sentences": sentence_rows(draft or "", self._verifier.verdicts, cut_off=response.cut_off),
            "abstained": response.abstained,
            "answer": str(response),
            "seconds": {**response.seconds, **({} if draft is None else {"generate": self._drafter.seconds})},
        }


def sentence_rows(draft: str, verdicts: Sequence[tuple[str, AnswerSentence]], *, cut_off: bool) -> list[dict[str, Any]]:
    """Return the sentences of a draft in order, each with its outcome.

    ``said``, ``dropped`` and ``repeated`` (the answer has it already) were verified; ``declined`` speaks of the
    evidence instead of the question; ``cut_off`` was not finished.

    Args:
        draft: what the model wrote.
        verdicts: the sentences that the engine verified, in order and with their marks, and the verdict on each.
        cut_off: whether the model reached the most tokens that it may write.

    Raises:
        ValueError: a verified sentence is not in the draft.
    """
    spans = sentences_with_marks(draft)
    waiting, said, rows = list(verdicts), set[str](), list[dict[str, Any]]()
    for number, (start, end) in enumerate(spans):
        text = draft[start:end]
        row: dict[str, Any] = {"number": number, "sentence": text}
        if waiting and waiting[0][0] == text:
            found = waiting.pop(0)[1]
            became = "repeated" if found.text in said else "said" if found.supported else "dropped"
            said |= {found.text} if found.supported else set()
            row |= {"became": became, **{name: value for name, value in asdict(found).items() if name != "text"}}
        else:
            row["became"] = "cut_off" if cut_off and number == len(spans) - 1 else "declined"
        rows.append(row)
    if waiting:
        raise ValueError(f"{len(waiting)} verified sentences are not in the draft, the first: {waiting[0][0]!r}")
    return rows


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the kept answers.

    A line that an interruption broke off is left out.
    """
    for line in file.read_text(encoding="utf-8").split("\n")[:-1]:
        yield json.loads(line)


def passages_in(row: dict[str, Any]) -> list[Passage]:
    """Return the retrieved passages of a kept answer.

    Cut into sentences by the current code.
    """
    return passages_of([NodeWithScore(node=_node(passage)) for passage in row["passages"]])


def _plain(passage: Passage) -> dict[str, Any]:
    return {name: getattr(passage, name) for name in ("document_id", "title", "text", "start")}


def _node(passage: dict[str, Any]) -> TextNode:
    return TextNode(
        id_=passage["document_id"],
        text=passage["text"],
        start_char_idx=passage["start"],
        metadata={"title": passage["title"]},
    )
