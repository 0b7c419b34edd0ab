"""Sentences that lean on the one before them; judged by hand, one by one."""

import pytest

from llama_index_medqa.text.anaphora import leans_back


@pytest.mark.parametrize(
    "sentence",
    [
        "This could explain the effect.",
        "These results suggest a benefit.",
        "It was shown to be safe.",
        "However, it was rare.",
        "Their risk was doubled.",
        "Both were safe.",
        "The latter was worse.",
        "Therefore, statins help.",
        "As a result, pain fell.",
        "Such patients died earlier.",
        "For example, aspirin did.",
        "That drug worked.",
    ],
)
def test_it_leans_on_what_was_said(sentence):
    assert leans_back(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Green tea lowers the heart rate.",
        "It is known that smoking causes cancer.",
        "It is important to treat fever early.",
        "Both aspirin and ibuprofen lower fever.",
        "Those with diabetes had more infections.",
        "This trial enrolled 30 adults.",
        "However, metformin lowered the weight.",
        "Iterative reconstruction lowered the dose.",
    ],
)
def test_it_can_be_understood_alone(sentence):
    assert not leans_back(sentence)
