"""What is quoted without a model; records are ours, but for the first, which is close to a real one."""

from llama_index_medqa.answering.drafting import ExtractiveDrafter
from tests.unit.answering.chunks import passage


def quoted(question, *passages) -> list[str]:
    return [piece.text.rstrip("\n") for piece in ExtractiveDrafter().stream(question, passages)]


CAFFEINE = passage(
    "PMID:1",
    "Caffeine slows heart rate autonomic recovery following strength exercise in healthy subjects.",
    "Sixteen men took 300 mg of caffeine or placebo before exercise. Caffeine delayed the recovery of the heart rate "
    "after exercise.",
)
MITRA = passage(
    "PMID:2",
    "Mitrazoline in migraine.",
    "Mitrazoline acts by blocking the CGRP receptor. It was well tolerated.",
)
OTHERS = [
    passage(f"PMID:{number}", f"Drug {name} in pain.", f"The mechanism of action of {name} is inhibition of a channel.")
    for number, name in enumerate(("Belvodine", "Tarexinib", "Solvamab"), start=3)
]


def test_the_example_of_the_readme_is_answered():
    [first, *_] = quoted("Does caffeine affect heart rate recovery after exercise?", CAFFEINE, MITRA)
    assert first == "Caffeine delayed the recovery of the heart rate after exercise."


def test_another_drugs_mechanism_is_not_quoted():
    # Every sentence of the others holds "mechanism" and "action"; only the topic tells them apart.
    quotes = quoted("What is the mechanism of action of mitrazoline?", *OTHERS, MITRA)
    assert quotes == ["Mitrazoline acts by blocking the CGRP receptor."]


def test_a_sentence_that_leans_back_is_quoted_behind_the_one_that_it_leans_on():
    assert quoted("Is mitrazoline well tolerated?", MITRA) == [
        "Mitrazoline acts by blocking the CGRP receptor.",
        "It was well tolerated.",
    ]


def test_a_rare_name_alone_is_not_an_answer():
    assert quoted("Is mitrazoline kept in the refrigerator?", MITRA) == []


def test_nothing_is_quoted_where_nothing_speaks_of_the_question():
    assert quoted("How is scurvy treated?", MITRA, *OTHERS) == []
    assert quoted("How is scurvy treated?") == []


def test_how_a_study_was_done_answers_no_question_of_yes_or_no():
    trial = passage(
        "PMID:9",
        "Mitrazoline and sleep.",
        "We evaluated the sleep quality of 80 patients with migraine who took mitrazoline. Mitrazoline improved the "
        "sleep quality of patients with migraine by 12% (p = 0.01).",
    )
    assert quoted("Does mitrazoline improve the sleep quality of patients with migraine?", trial) == [
        "Mitrazoline improved the sleep quality of patients with migraine by 12% (p = 0.01)."
    ]
