"""Measures of the evidence: retracted papers in it."""

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.score import Score


def _retracted(case: EvaluationCase, answer: Answer) -> Score:
    if answer.evidence is None:
        return Score.not_applicable("evidence unknown")
    statuses = {piece.document_id: piece.status for piece in answer.evidence}
    if not statuses:
        return Score.not_applicable("nothing retrieved")
    if None in statuses.values():
        return Score.not_applicable("status unknown")
    return Score.of(sum(status == "retracted" for status in statuses.values()) / len(statuses))


RetractedEvidence = Measure("RetractedEvidence", _retracted, higher_is_better=False)
"""Share of the retrieved documents that are retracted."""
