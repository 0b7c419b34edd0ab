"""Where questions are cut; expected parts written by hand."""

import pytest

from llama_index_medqa.answering.questions.decomposition import question_parts


@pytest.mark.parametrize(
    "question",
    [
        "Does green tea lower the resting heart rate?",
        "What is the relationship between RUNX1T1 and FTO?",
        "Do ACE inhibitors and angiotensin receptor blockers increase the likelihood of severe COVID-19?",
        "Which test is recommended prior to administering carbamazepine and why?",
        "Is it safe?",
        "What do HA and NA stand for with respect to the flu virus, e.g. H1N1?",
        "List genes",
        "List genes that SWIM has identified and which are down-regulated in glioblastoma",
    ],
)
def test_one_question_stays_whole(question):
    [part] = question_parts(question)
    assert (part.text, part.search) == (question, question)


def test_several_questions_are_searched_one_by_one():
    parts = question_parts("Does green tea lower heart rate? Do statins prevent strokes in diabetic patients?")
    assert [part.text for part in parts] == [
        "Does green tea lower heart rate?",
        "Do statins prevent strokes in diabetic patients?",
    ]
    assert [part.search for part in parts] == [part.text for part in parts]


def test_a_part_that_leans_on_the_first_is_searched_with_it():
    parts = question_parts("How does metformin lower glucose, and what are its side effects?")
    assert [part.text for part in parts] == ["How does metformin lower glucose", "what are its side effects?"]
    assert parts[1].search == "How does metformin lower glucose what are its side effects?"


def test_no_word_is_lost():
    question = "What causes gout; how is it treated; and which diet helps patients? Does cherry juice help gout?"
    parts = question_parts(question)
    assert [part.text for part in parts] == [
        "What causes gout; how is it treated",
        "which diet helps patients?",
        "Does cherry juice help gout?",
    ]
    joined = " ".join(part.text for part in parts)
    assert set(question.replace(";", "").replace("?", "").split()) - {"and"} <= set(joined.replace("?", "").split())
