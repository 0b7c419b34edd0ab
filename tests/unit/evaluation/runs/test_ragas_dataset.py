"""ragas' own dataset, read and made: its schema is what ragas accepts."""

import pytest

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation import evaluate
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.runs.ragas_dataset import (
    answers_of_samples,
    as_ragas_dataset,
    cases_of_samples,
    samples_of,
)

ROWS = [
    {
        "user_input": "Does tea help?",
        "response": "Yes, tea helps.",
        "reference": "Yes, tea helps.",
        "retrieved_contexts": ["Tea helps.", "Coffee does not."],
        "retrieved_context_ids": ["a", "b"],
        "reference_contexts": ["Tea helps."],
        "reference_context_ids": ["a"],
    },
    {"user_input": "Does water help?"},
]


def test_rows_with_ragas_fields_are_cases_and_answers():
    first, second = cases_of_samples(ROWS)
    assert first == EvaluationCase("1", "Does tea help?", ("a",), ("Yes, tea helps.",), gold_evidence=("Tea helps.",))
    assert second == EvaluationCase("2", "Does water help?")
    results = evaluate(answers_of_samples(ROWS), [first, second], measures=["Precision", "WordF1", "Answered"])
    assert results.summary("Precision").values == [0.5]
    assert results.summary("WordF1").values == [1.0]
    assert results.summary("Answered").unscored == {"no stored answer": 1}


def test_ragas_takes_what_we_make_and_we_what_ragas_has():
    pytest.importorskip("ragas")
    cases = [EvaluationCase("x", "Does tea help?", ("tea.txt",), ("Yes.",), gold_evidence=("Tea helps.",))]
    answer = Answer("Yes.", (Evidence("0b4a1b8e-7a0e-4c0e-9f5f-1f1f3a2b4c5d", "Tea helps.", file="/x/tea.txt"),))
    dataset = as_ragas_dataset(cases, [answer])
    assert dataset.samples[0].retrieved_context_ids == ["tea.txt"]
    assert dataset.samples[0].reference_contexts == ["Tea helps."]
    [case] = cases_of_samples(dataset)
    assert (case.question, case.gold_documents, case.gold_answers) == ("Does tea help?", ("tea.txt",), ("Yes.",))
    results = evaluate(answers_of_samples(dataset), [case], measures=["Recall"])
    assert results.summary("Recall").values == [1.0]


def test_what_a_system_did_not_answer_stays_without_a_response():
    assert samples_of([EvaluationCase("1", "Tea?")], [None]) == [{"user_input": "Tea?"}]
    assert samples_of([EvaluationCase("1", "Tea?")], [Answer("Yes.")]) == [{"user_input": "Tea?", "response": "Yes."}]


def test_what_is_no_sample_is_an_error():
    with pytest.raises(InputError, match="sample 1: user_input must be a question"):
        cases_of_samples([{"user_input": [{"content": "Tea?"}]}])
    with pytest.raises(InputError, match="1 retrieved_contexts have 2"):
        answers_of_samples([{**ROWS[0], "retrieved_contexts": ["Tea."]}])
