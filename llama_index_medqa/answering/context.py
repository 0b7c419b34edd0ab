"""From retrieved chunks to the context for the model, or to the reason for no answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from llama_index.core.schema import NodeWithScore

from llama_index_medqa.answering.answerability import AnswerabilityGate
from llama_index_medqa.answering.drafting import Drafter
from llama_index_medqa.answering.prompt_injection import records_that_give_orders
from llama_index_medqa.answering.questions.decomposition import QuestionPart
from llama_index_medqa.answering.questions.focus import Form, form_of
from llama_index_medqa.answering.questions.population import unnamed_populations
from llama_index_medqa.answering.response import Abstention, ExcludedPaper
from llama_index_medqa.answering.sentence_selection import EvidenceSelector, stretches
from llama_index_medqa.answering.translation.translator import TranslatedQuestion
from llama_index_medqa.retrieval.fusion import reciprocal_rank_fusion
from llama_index_medqa.verification.passages import EvidenceSentence, Passage, document_id_of, passages_of

# Several things, and two sides held against each other, need more room than one finding.
_ROOM: dict[Form, int] = {"yes_no": 1, "description": 1, "list": 2, "comparison": 2}


@dataclass
class AnswerContext:
    """The context of an answer, before it is drafted.

    Attributes:
        question: what is to be answered: the question, less the parts that the evidence does not speak of.
        nodes: the retrieved chunks of all parts, the best first.
        passages: what may be cited: of records of which the model is shown something, all that was retrieved; of all
            records where no model is asked.
        shown: what the model is shown.
        retrieved_sentences: how many sentences were retrieved, titles not counted.
        searched: what was searched for.
        unanswered: parts of the question that the evidence does not speak of.
        withheld: ids of records that give orders to the model.
        confidence: of the best part, 0 to 1; None where nothing was retrieved.
        refusal: why no model is asked; None where one is.
        asked: the question as it was asked, where it is not in English; its ``problem`` where that is the reason.
        unmet_filters: which filters no paper meets, in a sentence, where that is the reason.
        excluded: papers that come near the question and that a filter left out, where nothing else was found.
    """

    question: str
    nodes: list[NodeWithScore] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    shown: list[Passage] = field(default_factory=list)
    retrieved_sentences: int = 0
    searched: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    confidence: float | None = None
    refusal: Abstention | None = None
    asked: TranslatedQuestion | None = None
    unmet_filters: str = ""
    excluded: list[ExcludedPaper] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """Return the number of retrieved sentences that the model is not shown."""
        return self.retrieved_sentences - _sentence_count(self.shown)

    def unnamed_populations(self, document_ids: Collection[str]) -> list[str]:
        """Return the groups of people that the question names, and nothing read of these records does."""
        cited = [item.node for item in self.nodes if document_id_of(item.node) in document_ids]
        texts = [f"{node.get_content()}\n{node.metadata.get('title')}\n{node.metadata.get('mesh')}" for node in cited]
        return unnamed_populations(self.question, texts) if cited else []

    def take(self, nodes: Sequence[NodeWithScore]) -> None:
        """Take more chunks of the retrieved records.

        Records that turn out to give orders are withheld.

        Args:
            nodes: all chunks, the best first.
        """
        withheld = records_that_give_orders(passages_of(nodes))
        self.withheld = [*self.withheld, *withheld]
        self.nodes = [item for item in nodes if document_id_of(item.node) not in withheld]


class ContextBuilder:
    """Builds the context, and decides whether a draft is made.

    Args:
        gate: tells how well retrieved chunks meet a question.
        selector: chooses sentences.
        drafter: knows how much it can read.
        most_tokens: of evidence for one finding; questions for several things, or that compare, get twice as much.
    """

    def __init__(self, gate: AnswerabilityGate, selector: EvidenceSelector, drafter: Drafter, most_tokens: int) -> None:
        self._gate = gate
        self._selector = selector
        self._drafter = drafter
        self._most_tokens = most_tokens

    def _answerable(
        self, parts: Sequence[QuestionPart], found: Sequence[list[NodeWithScore]]
    ) -> tuple[list[QuestionPart], float | None]:
        """Return the answerable parts, and the greatest confidence of any."""
        confidences = [self._gate.confidence(part.search, its) for part, its in zip(parts, found, strict=True)]
        answerable = [
            part
            for part, confidence in zip(parts, confidences, strict=True)
            if confidence is not None and confidence >= self._gate.threshold
        ]
        return answerable, max((value for value in confidences if value is not None), default=None)

    def build(
        self, question: str, parts: Sequence[QuestionPart], found: Sequence[list[NodeWithScore]]
    ) -> AnswerContext:
        """Return the context for a question.

        Args:
            question: the whole question.
            parts: of the question.
            found: for each part its chunks, the best first.
        """
        withheld = records_that_give_orders(passages_of(fused(found)))
        found = [[item for item in items if document_id_of(item.node) not in withheld] for items in found]
        nodes = fused(found)
        passages = passages_of(nodes)
        evidence = AnswerContext(question, nodes, passages, searched=[part.search for part in parts], withheld=withheld)
        evidence.retrieved_sentences = _sentence_count(passages)
        answerable, evidence.confidence = self._answerable(parts, found)
        if not answerable or not passages:
            evidence.refusal = "no_evidence"
            return evidence
        if len(answerable) < len(parts):
            evidence.unanswered = [part.text for part in parts if part not in answerable]
            evidence.question = " ".join(part.text for part in answerable)

        def choose(most_tokens: int) -> list[Passage]:
            return self._choose(answerable, passages, most_tokens)

        room = self._most_tokens * max(_ROOM[form_of(part.text)] for part in answerable)
        evidence.shown = self._drafter.fitting(evidence.question, choose, room)
        if not evidence.shown:
            evidence.refusal = "no_evidence"
            return evidence
        documents = {passage.document_id for passage in evidence.shown}
        evidence.passages = [passage for passage in passages if passage.document_id in documents]
        return evidence

    def _choose(self, parts: Sequence[QuestionPart], passages: list[Passage], most_tokens: int) -> list[Passage]:
        """Choose the context, with the same share of the budget for each part."""
        if len(parts) == 1:
            return self._selector.select(parts[0].search, passages, most_tokens)
        kept: dict[str, set[EvidenceSentence]] = {}
        for part in parts:
            for passage in self._selector.select(part.search, passages, most_tokens // len(parts)):
                kept.setdefault(passage.document_id, set()).update(passage.sentences)
        return [part for passage in passages for part in stretches(passage, kept.get(passage.document_id, ()))]


def _sentence_count(passages: Sequence[Passage]) -> int:
    return sum(not sentence.in_title for passage in passages for sentence in passage.sentences)


def fused(found: Sequence[list[NodeWithScore]]) -> list[NodeWithScore]:
    """Fuse the results of several searches by reciprocal rank.

    Each chunk is listed once.
    """
    if len(found) == 1:
        return found[0]
    by_id = {item.node.node_id: item for items in found for item in items}
    order = reciprocal_rank_fusion([list(dict.fromkeys(item.node.node_id for item in items)) for items in found])
    return [by_id[node_id] for node_id in order]
