"""ragas' metrics as measures."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.score import Score

# ragas' names of what it takes, in the order in which it takes them.
_INPUTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Faithfulness": ("user_input", "response", "retrieved_contexts"),
        "ContextPrecision": ("user_input", "reference", "retrieved_contexts"),
        "ContextRecall": ("user_input", "retrieved_contexts", "reference"),
        "AnswerRelevancy": ("user_input", "response"),
        "FactualCorrectness": ("response", "reference"),
    }
)
# Why a measure says nothing of a case.
_MISSING = {
    "response": "abstained",
    "reference": "no gold answer",
    "retrieved_contexts": "no evidence text",
}

RAGAS_NAMES = {f"{metric}(ragas)": metric for metric in _INPUTS}
"""Metrics of ragas by the name of their measure."""


def ragas_name(name: str) -> str | None:
    """Return a metric's name as ragas writes it.

    Upper and lower case are ignored. None if it is not one of :data:`RAGAS_NAMES`.
    """
    return {known.lower(): known for known in RAGAS_NAMES}.get(name.lower())


def ragas_measure(name: str, judge: RagasJudge) -> Measure:
    """Return a metric of ragas as a measure.

    The reference is the first gold answer, the contexts are the retrieved texts. ``Faithfulness(ragas)`` is the share
    of an answer's statements that the contexts hold, ``ContextRecall(ragas)`` the share of the reference's,
    ``ContextPrecision(ragas)`` whether useful contexts come first, ``FactualCorrectness(ragas)`` the F1 of the
    answer's statements with the reference's, and ``AnswerRelevancy(ragas)`` how near the questions that the answer
    would answer are to the question that was asked.

    Args:
        name: one of :data:`RAGAS_NAMES`.
        judge: asks the model.
    """
    metric = RAGAS_NAMES[name]
    return Measure(name, _judged(metric, judge), judge=judge.identity_of(metric))


def _judged(metric: str, judge: RagasJudge) -> Callable[[EvaluationCase, Answer], Awaitable[Score]]:
    async def score(case: EvaluationCase, answer: Answer) -> Score:
        known = _known(case, answer)
        if not answer.abstained and "response" in _INPUTS[metric] and not known["response"]:
            return Score.unscored("empty answer")
        for name in _INPUTS[metric]:
            if not known[name]:
                return Score.not_applicable(_MISSING[name])
        return await judge.score(metric, {name: known[name] for name in _INPUTS[metric]})

    return score


def _known(case: EvaluationCase, answer: Answer) -> dict[str, Any]:
    return {
        "user_input": case.question,
        "response": "" if answer.abstained else answer.text.strip(),
        "reference": next(iter(case.gold_answers), "").strip(),
        "retrieved_contexts": [piece.text for piece in answer.evidence or () if piece.text.strip()],
    }
