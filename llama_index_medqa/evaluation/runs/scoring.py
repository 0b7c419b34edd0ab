"""Scoring of every reply by every measure."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.cases import fingerprint as fingerprint_of_cases
from llama_index_medqa.evaluation.judges.measured import measured_quality
from llama_index_medqa.evaluation.judges.verifier import own_work
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.results import CaseResult, MeasureInfo, Results
from llama_index_medqa.evaluation.runs.figures import figures_of
from llama_index_medqa.evaluation.runs.runner import Reply
from llama_index_medqa.evaluation.score import Score

# Answers that fail everywhere for one reason would otherwise fill the file with it.
_FAILURE_CHARACTERS = 300


async def score_all(
    cases: Sequence[EvaluationCase],
    replies: Sequence[Reply],
    measures: Sequence[Measure],
    *,
    system: Mapping[str, Any],
    adapter: Mapping[str, Any] | None = None,
    run: Callable[[], Mapping[str, Any]] = dict,
    progress: Callable[[int, int], None] | None = None,
) -> Results:
    """Score every reply by every measure.

    Judges behind servers are asked for all cases together.

    Args:
        cases: the cases.
        replies: one for each, in the same order.
        measures: with names that differ.
        system: see :class:`Results`.
        adapter: see :class:`Results`.
        run: returns the run block of :class:`Results`; called when all is scored.
        progress: called after every case, with the number of cases that are scored and of all.

    Raises:
        InputError: two measures have the same name.
    """
    _require_different_names(measures)
    scoring = [_case_result(case, reply, measures) for case, reply in zip(cases, replies, strict=True)]
    scored_cases = await _all_of(scoring, progress)
    return Results(
        system,
        fingerprint_of_cases(cases),
        [_info(measure, replies) for measure in measures],
        scored_cases,
        adapter,
        run(),
        figures_of(cases, replies, [case.scores for case in scored_cases]),
    )


async def _all_of(
    scoring: Sequence[Awaitable[CaseResult]], progress: Callable[[int, int], None] | None
) -> list[CaseResult]:
    """Await all together, and report after each."""
    done = 0

    async def one(result: Awaitable[CaseResult]) -> CaseResult:
        nonlocal done
        scored = await result
        done += 1
        if progress:
            progress(done, len(scoring))
        return scored

    return await asyncio.gather(*map(one, scoring))


def _require_different_names(measures: Sequence[Measure]) -> None:
    names = [measure.name for measure in measures]
    if len(set(names)) != len(names):
        raise InputError(f"Each measure can be taken once, got {', '.join(names)}.")


def _info(measure: Measure, replies: Sequence[Reply]) -> MeasureInfo:
    info = MeasureInfo(measure.name, measure.unit, measure.higher_is_better, measure.repeatable, measure.judge)
    if info.judge is None:
        return info
    deciding = (reply.answer.verifier for reply in replies if reply.answer and reply.answer.verifier)
    own = next(filter(None, (own_work(info.judge, verifier) for verifier in deciding)), None)
    return replace(info, judge_quality=measured_quality(info.judge), own_work=own)


async def _case_result(case: EvaluationCase, reply: Reply, measures: Sequence[Measure]) -> CaseResult:
    if reply.answer is None:
        failed = Score.unscored(reply.outcome, reply.failure[:_FAILURE_CHARACTERS])
        scores = {measure.name: failed for measure in measures}
        return CaseResult(case.case_id, case.question, case.cluster, None, reply.failure[:_FAILURE_CHARACTERS], scores)
    answer = reply.answer
    values = await asyncio.gather(*(measure.ascore(case, answer) for measure in measures))
    scores = {measure.name: value for measure, value in zip(measures, values, strict=True)}
    # Texts of evidence are in the file of answers; here the documents are enough.
    # Named as the gold ones are: ids that LlamaIndex made up differ from run to run.
    documents = answer.ranking_like(case.gold_documents)
    shown = {"text": answer.text, "documents": documents, "cited": answer.cited, "abstained": answer.abstained}
    return CaseResult(
        case.case_id, case.question, case.cluster, {**shown, "answered_by": answer.answered_by}, "", scores
    )
