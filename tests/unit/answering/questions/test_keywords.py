"""What a question is about, and whether a record names it; expected values by hand."""

import pytest

from llama_index_medqa.answering.questions.keywords import held_share, named_share, question_weights, rare_names
from llama_index_medqa.text.term_weights import idf, is_rare


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Which company produces Xacduro?", {"Xacduro"}),
        ("Is BI 1015550 effective?", {"BI"}),
        ("How is caplacizumab given?", {"caplacizumab"}),
        ("Which doctor treats this disease?", set()),
        ("Do children with fever need a clinician?", set()),
    ],
)
def test_rare_names_are_names(question, names):
    assert rare_names(question) == names


@pytest.mark.parametrize("word", ["disease", "illness", "doctor", "physician", "clinician", "child", "kidney", "death"])
def test_words_for_the_same_thing_are_as_common_as_each_other(word):
    [term] = question_weights(word)
    assert not is_rare(term)
    assert idf(term) < idf("xacduro")


def test_disease_is_as_common_as_the_list_of_words_says():
    # word_counts.txt: 3,920 of 18,445 abstracts hold "diseas".
    assert question_weights("disease") == {"illness": pytest.approx(1.5487, abs=1e-4)}


def test_a_name_counts_under_its_other_names():
    assert (
        named_share("Is TAFRO fatal?", "Thrombocytopenia, anasarca, fever, renal failure, organomegaly (TAFRO).") == 1.0
    )
    assert named_share("Is BI 1015550 safe?", "BI 1015550 was well tolerated.") == 1.0
    assert named_share("Is Xacduro safe?", "Meropenem was well tolerated.") == 0.0
    assert named_share("Is caplacizumab or zilebesiran safe?", "Caplacizumab was tolerated.") == 0.5
    assert named_share("Is it safe?", "It was.") is None


def test_a_title_counts_in_part():
    weights = {"tea": 3.0, "sleep": 1.0}
    assert held_share(weights, "Tea was drunk.") == 0.75
    assert held_share(weights, "It helped sleep.", "Tea.") == (1.0 + 1.5) / 4
    assert held_share({}, "Tea was drunk.") == 0.0


def test_a_rare_word_that_names_nothing_counts_less_than_a_name():
    weights = question_weights("Which company produces Xacduro?")
    assert weights["compani"] < weights["xacduro"]


def test_degrees_of_an_adjective_are_one_word():
    weights = question_weights("Which method is the safest?")
    assert (
        held_share(weights, "The second method was safer.") == held_share(weights, "The second method was safe.") == 1
    )
