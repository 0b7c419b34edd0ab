"""What kind of thing a question asks for; the expected kinds were written by reading."""

import pytest

from llama_index_medqa.answering.short_answer.answer_type import answer_type


@pytest.mark.parametrize(
    ("question", "wanted", "kinds"),
    [
        ("Which kinase does PD98059 inhibit?", "one", ("gene",)),
        ("Which disease is treated with emapalumab?", "one", ("disease",)),
        ("What company makes Xacduro?", "one", ("organisation",)),
        ("Which drugs are included in the Lonsurf pill?", "list", ("drug",)),
        ("List the symptoms of narcolepsy.", "list", ("disease",)),
        ("What percentage of patients relapse within a year?", "one", ("percentage",)),
        ("How many genes are screened by the test?", "one", ("count",)),
        ("What dose of aspirin prevents stroke?", "one", ("dose",)),
        ("When was dupilumab approved by the EMA?", "one", ("date",)),
        ("How long is the half-life of warfarin?", "one", ("duration",)),
        ("What does DMARD stand for?", "one", ("long_form",)),
        ("Does green tea lower the heart rate?", "yes_no", ()),
    ],
)
def test_the_words_of_a_question_tell_what_it_wants(question, wanted, kinds):
    found = answer_type(question)
    assert (found.wanted, found.kinds) == (wanted, kinds)


@pytest.mark.parametrize(
    "question",
    ["What is an exosome?", "How does metformin work?", "What is the role of SERT?", "Why do statins cause pain?"],
)
def test_a_question_for_a_description_has_no_short_answer(question):
    assert answer_type(question).wanted == "description"


def test_a_question_says_how_many_it_wants():
    assert answer_type("Which two drugs were tested in IMbrave150?").number == 2
    assert answer_type("List 4 monoclonal antibodies for migraine.").number == 4
    assert answer_type("Which drugs were tested in IMbrave150?").number is None
