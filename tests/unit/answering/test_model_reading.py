"""Yes or no as a model reads it: by the chances of its first token, over a real HTTP server."""

import math

import pytest

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.answering.short_answer.model_reading import label_of
from llama_index_medqa.cli.question_list.answer_file import answer_row
from llama_index_medqa.rendering.text import as_data, exact_answer_text, short_answer
from llama_index_medqa.testing import ScriptedEntailment, ScriptedLLM
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verifier import ClaimVerifier

QUESTION = "Does green tea lower the resting heart rate?"


class Reader(ScriptedLLM):
    """A scripted model that tells the chances of its first token."""

    def first_token_log_probabilities(self, messages):
        assert "Green tea lowered the resting heart rate" in messages[-1].content
        assert messages[-1].content.endswith("Answer with one word, Yes or No.\nAnswer:")
        return {" No": math.log(0.8), "Yes": math.log(0.1), "The": math.log(0.1)}


@pytest.mark.parametrize(
    ("chances", "label"),
    [
        ({"Yes": 0.9, "No": 0.1}, "yes"),
        ({" yes": 0.6, "YES": 0.2, "no": 0.2}, "yes"),
        ({"No": 0.6, "Yes": 0.4}, "no"),
        # The model says yes too readily: a small lead tells nothing.
        ({"Yes": 0.6, "No": 0.4}, None),
        ({"The": 0.9}, None),
        ({}, None),
    ],
)
def test_a_label_needs_a_clear_lead(chances, label):
    assert label_of({token: math.log(chance) for token, chance in chances.items()}) == label


def test_a_model_s_reading_is_said_to_be_one(index):
    unsure = ClaimVerifier(
        ScriptedEntailment({("", "Green tea lower the resting heart rate."): Entailment(0.0, 1.0, 0.0)})
    )
    engine = MedQAQueryEngine.from_index(index, Reader(["Nothing is known of nurses in Norway."]), verifier=unsure)
    response = engine.query(QUESTION)
    assert response.outcome == "findings"
    assert response.exact_answer.label == "no"
    assert response.exact_answer.is_model_reading
    line = "Short answer (as scripted reads the quotes; not verified): No"
    assert short_answer(response) == line
    # The web page shows what the data hold; agents and lists of answers get the text behind the label.
    assert as_data(QUESTION, response)["short_answer"] == line
    assert exact_answer_text(response) == "No (as scripted reads the quotes; not verified)"
    assert answer_row(QUESTION, response, 1.0)["exact_answer"] == exact_answer_text(response)


def test_a_model_that_tells_no_chances_reads_nothing(index):
    unsure = ClaimVerifier(
        ScriptedEntailment({("", "Green tea lower the resting heart rate."): Entailment(0.0, 1.0, 0.0)})
    )
    engine = MedQAQueryEngine.from_index(index, ScriptedLLM(["Nothing is known of it."]), verifier=unsure)
    assert engine.query(QUESTION).exact_answer is None
