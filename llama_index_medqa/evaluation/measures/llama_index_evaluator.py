"""Measures as LlamaIndex evaluators, such as for ``BatchEvalRunner``."""

from collections.abc import Iterable, Sequence
from typing import Any

from llama_index.core.async_utils import asyncio_run
from llama_index.core.base.response.schema import Response
from llama_index.core.evaluation import BaseEvaluator, EvaluationResult
from llama_index.core.prompts.mixin import PromptDictType

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, Evidence, answer_of
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.measure import Measure


class MeasureEvaluator(BaseEvaluator):
    """A measure as a LlamaIndex evaluator.

    The case is found by what is asked: its question, with its choices where there are some.

    What could not be scored is an invalid result with its reason, never a score.

    Args:
        measure: the measure.
        cases: with questions that differ.

    Raises:
        InputError: two cases have the same question.
    """

    def __init__(self, measure: Measure, cases: Iterable[EvaluationCase]) -> None:
        self._measure = measure
        self._cases: dict[str, EvaluationCase] = {}
        for case in cases:
            if case.prompt in self._cases:
                raise InputError(f"Two cases ask {case.prompt!r}: an evaluator tells cases apart by their question.")
            self._cases[case.prompt] = case

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts_dict: PromptDictType) -> None:
        """Do nothing: there are no prompts."""

    async def aevaluate(
        self,
        query: str | None = None,
        response: str | None = None,
        contexts: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> EvaluationResult:
        """Score a text.

        Only :meth:`aevaluate_response` knows the ids of retrieved documents.
        """
        evidence = None if contexts is None else tuple(Evidence("", text) for text in contexts)
        return await self._result(query, Answer(response or "", evidence))

    async def aevaluate_response(
        self, query: str | None = None, response: Response | None = None, **kwargs: Any
    ) -> EvaluationResult:
        """Score a response of a query engine."""
        return await self._result(query, answer_of(response or Response(None)))

    def evaluate_response(
        self, query: str | None = None, response: Response | None = None, **kwargs: Any
    ) -> EvaluationResult:
        """Score a response, as :meth:`aevaluate_response`."""
        result: EvaluationResult = asyncio_run(self._result(query, answer_of(response or Response(None))))
        return result

    async def _result(self, query: str | None, answer: Answer) -> EvaluationResult:
        fields: dict[str, Any] = {"query": query, "response": answer.text}
        fields["contexts"] = [piece.text for piece in answer.evidence or ()]
        case = self._cases.get(query or "")
        if case is None:
            return EvaluationResult(**fields, invalid_result=True, invalid_reason="no case asks this question")
        score = await self._measure.ascore(case, answer)
        if score.value is None:
            return EvaluationResult(**fields, invalid_result=True, invalid_reason=score.reason, feedback=score.detail)
        return EvaluationResult(**fields, score=score.value)
