"""Measures of an answer's sentences against texts, by a judge."""

from collections.abc import Awaitable, Callable, Sequence

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.measures.measure import Measure, without_text
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.text.sentences import split_sentences

SUPPORTED = 0.5


def names_by(judge: str) -> tuple[str, str]:
    """Return the names of a judge's two measures."""
    return f"Faithfulness({judge})", f"GoldSupport({judge})"


def faithfulness(judge: Judge) -> Measure:
    """Score the sentences that the retrieved texts support.

    It is their share (RAGAS: Es et al. 2024, with sentences as claims).

    With :class:`VerifierJudge` it says nothing of a :class:`MedQAQueryEngine`, which keeps only what that very verifier
    supports; the results tell so.
    """
    return Measure(names_by(judge.name)[0], _judged(judge, _retrieved), judge=judge.identity)


def gold_support(judge: Judge) -> Measure:
    """Score the sentences that the gold evidence supports.

    It is their share, for answers that were given from memory.
    """
    return Measure(names_by(judge.name)[1], _judged(judge, _gold), judge=judge.identity)


def _retrieved(case: EvaluationCase, answer: Answer) -> Sequence[str]:
    return [piece.text for piece in answer.evidence or () if piece.text]


def _gold(case: EvaluationCase, answer: Answer) -> Sequence[str]:
    return case.gold_evidence


def _judged(
    judge: Judge, evidence_of: Callable[[EvaluationCase, Answer], Sequence[str]]
) -> Callable[[EvaluationCase, Answer], Awaitable[Score]]:
    async def score(case: EvaluationCase, answer: Answer) -> Score:
        if missing := without_text(answer):
            return missing
        evidence = evidence_of(case, answer)
        if not evidence:
            return Score.not_applicable("no evidence text")
        sentences = [answer.text[start:end] for start, end in split_sentences(answer.text)]
        if not sentences:
            return Score.unscored("empty answer")
        judged = await judge.score_all(sentences, evidence)
        # One sentence that could not be judged leaves the share unknown.
        failed = next((one for one in judged if one.value is None), None)
        if failed is not None:
            return failed
        return Score.of(sum((one.value or 0.0) >= SUPPORTED for one in judged) / len(judged))

    return score
