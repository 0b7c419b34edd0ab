"""Negation, direction and doubt of pairs of sentences; each was judged by eye."""

import pytest

from llama_index_medqa.polarity import denial, opposite_direction, overstated

TWO_WAYS = "Aspirin increased bleeding and decreased stroke."


@pytest.mark.parametrize(
    ("sentence", "evidence", "opposed"),
    [
        ("Tea did not lower the pulse.", "Tea lowered the pulse.", True),
        ("Tea lowered the pulse.", "Tea did not lower the pulse.", True),
        ("Tea lowered the pulse.", "Tea lowered the pulse, but not the pressure.", False),
        ("Tea lowered the pressure.", "Tea lowered the pulse, but not the pressure.", True),
        ("Mortality did not differ between A and B.", "Mortality was similar with A and B.", False),
        ("The trial showed no difference in mortality.", "Mortality did not differ in the trial.", False),
        ("Tea not only lowered the pulse.", "Tea lowered the pulse.", False),
        ("Mice without the receptor were ill.", "Mice that lacked the receptor were ill.", False),
        ("Tea is ineffective.", "Tea is effective.", True),
        ("GENE1 causes fever.", "GENE1 was mutated in two unrelated families with fever.", False),
        ("Tea is related to fever.", "Tea was unrelated to fever.", True),
        ("Tea changed the pulse.", "The pulse was unaffected by tea.", True),
        ("The gene is carried.", "The gene was found in unaffected siblings, too.", False),
    ],
)
def test_denial(sentence, evidence, opposed):
    assert (denial(sentence, evidence) is not None) == opposed


@pytest.mark.parametrize(
    ("sentence", "evidence", "opposed"),
    [
        ("Tea increased the pulse.", "Tea decreased the pulse.", True),
        ("Aspirin decreased stroke.", TWO_WAYS, False),
        ("Aspirin increased stroke.", TWO_WAYS, True),
        ("Stroke was increased by aspirin.", TWO_WAYS, True),
        ("Aspirin increased bleeding and decreased stroke.", "Aspirin decreased bleeding and increased stroke.", True),
        ("Survival was better with A.", "Survival was worse with A.", True),
        ("A was superior to B.", "A was inferior to B.", True),
        ("A is effective.", "A is ineffective.", True),
        ("A was non-inferior to B.", "A was superior to B.", False),
        ("A was more effective than B.", "A was less effective than B.", True),
        ("Mortality was higher with A1 than with B2.", "Mortality was higher with B2 than with A1.", True),
        ("Mortality was lower with A1 than with B2.", "Mortality was higher with B2 than with A1.", False),
        ("Tea lowered the pulse.", "Tea was not associated with a higher pulse.", False),
        ("Tumour cells were sensitive to it.", "Tumour cells were resistant to it.", True),
        ("Low-grade fever was reduced.", "Fever was reduced.", False),
    ],
)
def test_direction(sentence, evidence, opposed):
    assert (opposite_direction(sentence, evidence) is not None) == opposed


@pytest.mark.parametrize(
    ("sentence", "evidence", "stronger"),
    [
        ("Tea is safe.", "Tea may be safe.", True),
        ("Tea might be safe.", "Tea may be safe.", False),
        ("Tea is safe.", "Tea is safe.", False),
        ("Tea may be safe.", "Tea is safe.", False),
        ("Tea lowered the pulse.", "Tea lowered the pulse, which may explain longer sleep.", False),
        ("Tea prolongs sleep.", "Tea lowered the pulse, which may explain that tea prolongs sleep.", True),
        ("Tea is a marker of health.", "Tea is a potential marker of health.", True),
        ("Tea lowers the pulse.", "Tea lowers the pulse and has a potential use.", False),
        ("Tea drinkers died.", "Tea drinkers were more likely to die.", False),
        ("Tea works.", "Whether tea works remains unclear.", True),
    ],
)
def test_certainty(sentence, evidence, stronger):
    assert (overstated(sentence, evidence) is not None) == stronger


@pytest.mark.parametrize("words", [TWO_WAYS, "No harm was found; A was better than B, which may be due to less pain."])
def test_no_sentence_opposes_itself(words):
    assert denial(words, words) is None
    assert opposite_direction(words, words) is None
    assert overstated(words, words) is None
