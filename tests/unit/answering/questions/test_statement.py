"""What "yes" to a question asserts; written by hand."""

import pytest

from llama_index_medqa.answering.questions.statement import question_statement


@pytest.mark.parametrize(
    ("question", "statement"),
    [
        ("Does green tea lower the resting heart rate?", "Green tea lower the resting heart rate."),
        ("Is metformin effective in PCOS?", "Metformin is effective in PCOS."),
        (
            "Is the Mediterranean diet associated with lower mortality?",
            "The Mediterranean diet is associated with lower mortality.",
        ),
        ("Are there differences between men and women?", "There are differences between men and women."),
        ("Is it true that statins do not cause cancer?", "Statins do not cause cancer."),
        ("Has rituximab been approved for lupus?", "Rituximab has been approved for lupus."),
        ("can aspirin prevent strokes", "Aspirin prevent strokes."),
        ("Double balloon enteroscopy: is it safe?", "Double balloon enteroscopy is safe."),
        ("Sleep apnoea in infants -- does it predict asthma?", "Sleep apnoea in infants predict asthma."),
        (
            "Neck pain treatment with acupuncture: does the number of needles matter?",
            "Neck pain treatment with acupuncture: The number of needles matter.",
        ),
    ],
)
def test_a_question_of_yes_or_no(question, statement):
    assert question_statement(question) == statement


@pytest.mark.parametrize(
    "question",
    [
        "What causes gout?",
        "Should statins be stopped?",
        "Is Hirschsprung disease a mendelian or a multifactorial disorder?",
        "Is caffeine safe? Is tea safe?",
        "",
    ],
)
def test_no_question_of_yes_or_no(question):
    assert question_statement(question) is None
