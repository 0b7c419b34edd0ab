"""Measures of a ranking: ``nDCG @ 10``, ``Recall @ 5``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.document_ids import are_comparable, canonical_id
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.score import Score

Ranking = Sequence[str]
Judgements = Mapping[str, float]


@dataclass(frozen=True)
class RetrievalMeasure:
    """A measure of a ranking with a cutoff: ``nDCG @ 10``.

    Attributes:
        name: such as ``nDCG``.
        cutoff: the rank after which nothing counts; None counts all.
    """

    name: str
    _formula: Callable[[Ranking, Judgements, int], float]
    cutoff: int | None = None

    def __matmul__(self, cutoff: int) -> "RetrievalMeasure":
        if cutoff < 1:
            raise InputError(f"{self.name} cannot be cut off at rank {cutoff}: ranks begin with 1.")
        return replace(self, cutoff=cutoff)

    def __str__(self) -> str:
        return self.name if self.cutoff is None else f"{self.name}@{self.cutoff}"

    def score(self, ranking: Ranking, judgements: Judgements) -> float:
        """Score one ranking from 0 to 1.

        Args:
            ranking: document ids, the best first, each once.
            judgements: how relevant each judged document is; more than 0 is relevant.

        Raises:
            InputError: no document is relevant, or the ranking names one twice.
        """
        relevant = {document: gain for document, gain in judgements.items() if gain > 0}
        if not relevant:
            raise InputError(f"{self} needs at least one relevant document: leave the question out and count it.")
        if len(set(ranking)) != len(ranking):
            raise InputError(f"{self} needs each document once in a ranking: group chunks by their document first.")
        return self._formula(ranking, relevant, self.cutoff or max(len(ranking), len(relevant)))

    def per_question(self, rankings: Mapping[str, Ranking], judgements: Mapping[str, Judgements]) -> dict[str, float]:
        """Score the ranking of each judged question.

        Args:
            rankings: by question id.
            judgements: by question id.

        Raises:
            InputError: a judged question has no ranking; an empty one is a ranking too.
        """
        missing = [question for question in judgements if question not in rankings]
        if missing:
            raise InputError(
                f"{len(missing)} judged questions have no ranking, {missing[0]!r} for one: retrieve for all."
            )
        return {question: self.score(rankings[question], judged) for question, judged in judgements.items()}


def _ndcg(ranking: Ranking, relevant: Judgements, cutoff: int) -> float:
    gain = _discounted([relevant.get(document, 0.0) for document in ranking[:cutoff]])
    return gain / _discounted(sorted(relevant.values(), reverse=True)[:cutoff])


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _recall(ranking: Ranking, relevant: Judgements, cutoff: int) -> float:
    return len(set(ranking[:cutoff]) & set(relevant)) / len(relevant)


def _precision(ranking: Ranking, relevant: Judgements, cutoff: int) -> float:
    # The documents that are there, not the cutoff, as ragas' id-based context precision has it.
    kept = ranking[:cutoff]
    return len(set(kept) & set(relevant)) / len(kept) if kept else 0.0


def of_answers(measure: RetrievalMeasure) -> Measure:
    """Return a measure of rankings as one of answers.

    It compares the documents of the evidence with the gold documents.

    Ids of another kind than the gold ones, such as UUIDs against PMIDs, give no score: ``ids unknown``.
    """

    def score(case: EvaluationCase, answer: Answer) -> Score:
        if not case.gold_documents:
            return Score.not_applicable("no gold document")
        if answer.evidence is None:
            return Score.not_applicable("evidence unknown")
        ranking = answer.ranking_like(case.gold_documents)
        judgements = {canonical_id(name): gain for name, gain in case.judgements.items()}
        if ranking is None or not are_comparable(ranking, judgements):
            return Score.not_applicable("ids unknown")
        return Score.of(measure.score(ranking, judgements))

    return Measure(str(measure), score)


nDCG = RetrievalMeasure("nDCG", _ndcg)  # noqa: N816  # the name that the field writes
"""Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002) with linear gains, as trec_eval computes it."""

Recall = RetrievalMeasure("Recall", _recall)
"""Share of the relevant documents that were found."""

Precision = RetrievalMeasure("Precision", _precision)
"""Share of the documents found that are relevant, 0 where none was found. Without a cutoff, ``Precision`` and
``Recall`` are ragas' id-based context precision and recall."""
