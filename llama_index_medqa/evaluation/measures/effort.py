"""Measures of the cost of an answer: time and tokens."""

import math

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.score import NOT_A_NUMBER, Score


def _seconds(case: EvaluationCase, answer: Answer) -> Score:
    if answer.seconds is None:
        return Score.not_applicable("time unknown")
    return Score.of(answer.seconds) if math.isfinite(answer.seconds) else Score.unscored(NOT_A_NUMBER)


def _tokens(case: EvaluationCase, answer: Answer) -> Score:
    return Score.not_applicable("tokens unknown") if answer.tokens is None else Score.of(answer.tokens)


Seconds = Measure("Seconds", _seconds, unit="seconds", higher_is_better=False, repeatable=False)
"""Seconds from the question to the whole answer, as it was first given; other questions may have run beside it."""

Tokens = Measure("Tokens", _tokens, unit="tokens", higher_is_better=False)
"""Tokens that models read and wrote for the answer, as they tell themselves."""
