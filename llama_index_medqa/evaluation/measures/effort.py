"""What an answer costs: time and tokens."""

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.score import Score


def _seconds(case: EvaluationCase, answer: Answer) -> Score:
    return Score.not_applicable("time unknown") if answer.seconds is None else Score.of(answer.seconds)


def _tokens(case: EvaluationCase, answer: Answer) -> Score:
    return Score.not_applicable("tokens unknown") if answer.tokens is None else Score.of(answer.tokens)


Seconds = Measure("Seconds", _seconds, unit="seconds", higher_is_better=False, repeatable=False)
"""Seconds from the question to the whole answer, as it was first given; other questions may have run beside it."""

Tokens = Measure("Tokens", _tokens, unit="tokens", higher_is_better=False)
"""Tokens that models read and wrote for the answer, as they tell themselves."""
