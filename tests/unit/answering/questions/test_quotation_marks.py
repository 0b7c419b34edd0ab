"""Quotation marks around a name change nothing of what is asked; questions are written for these tests."""

import pytest

from llama_index_medqa.answering.questions.focus import form_of
from llama_index_medqa.answering.questions.quotation_marks import unquoted
from llama_index_medqa.answering.questions.statement import question_statement
from llama_index_medqa.answering.short_answer.answer_type import answer_type

QUESTIONS = [
    "Is {obesity} a risk factor for heart failure?",
    "Are {Tregs} regulatory T cells a positive regulator of the immune response?",
    "What are the currently {FDA} approved monoclonal antibodies for myeloma?",
    "Which {JAK2} inhibitors are approved?",
    "Does {green tea} lower the heart rate?",
    "How many {CpG} sites does the clock use?",
]
MARKS = [('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("„", "“"), ("«", "»")]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("marks", MARKS, ids="".join)
def test_a_name_in_quotation_marks_is_asked_for_as_without(question, marks):
    plain = question.replace("{", "").replace("}", "")
    quoted = question.replace("{", marks[0]).replace("}", marks[1])
    assert unquoted(quoted) == plain
    assert form_of(quoted) == form_of(plain)
    assert question_statement(quoted) == question_statement(plain)
    assert answer_type(quoted) == answer_type(plain)


@pytest.mark.parametrize("text", ["Is Crohn's disease rare?", "What does the 5' end of 3'-UTRs do?", "Is it O'Brien?"])
def test_apostrophes_and_primes_stay(text):
    assert unquoted(text) == text
